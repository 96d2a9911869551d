//! lighttpd `accesslog.format`: httpd's directives, with times of its own.
//!
//! `%t` is when the line was written, at the end of the request, unless it says `begin:`; `%D` is microseconds, `%T` whole seconds,
//! `%s` the only status there is, `%V` the host that the client named, `%v` the server's name.
//! Source: lighttpd documentation, `mod_accesslog`; lines observed on version 1.4.69.

use crate::engine::paste_apache::compile;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, split_origin};
use crate::engine::template::{Template, TemplateFormat};
use crate::entry::{Entry, Marks};
use crate::error::FormatError;
use crate::format::Product;

/// The format where none is given.
pub const DEFAULT: &str = r#"%h %V %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#;

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(name, Product::Lighttpd, template(text)?))
}

fn template(text: &str) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "accesslog.format");
    let text = match text.trim().trim_start_matches('=').trim() {
        "default" => DEFAULT,
        other => other,
    };
    let finish = if text.contains("{begin:") {
        split_origin
    } else {
        at_end
    };
    compile("lighttpd", text, slot, finish)
}

fn slot(letter: &str, _parameter: &str) -> Option<Slot> {
    match letter {
        "s" => Some(Slot::Status),
        _ => None,
    }
}

fn at_end(entry: &mut Entry<'_>) {
    split_origin(entry);
    entry.time = entry.time.map(|stamp| stamp.marking(Marks::End));
}
