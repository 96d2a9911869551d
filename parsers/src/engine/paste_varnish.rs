//! varnishncsa `-F`: httpd's directives, and `%{…}x` for what only Varnish knows.
//!
//! Source: varnishncsa(1). `%t` is when the request was received, `%D` microseconds, `%{Varnish:time_firstbyte}x`
//! seconds; the target of `%r` is absolute.

use crate::engine::fetch_error::finish;
use crate::engine::id::{self, Header};
use crate::engine::paste_apache::compile;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Template, TemplateFormat};
use crate::error::FormatError;
use crate::format::Product;

/// The format where none is given.
pub const DEFAULT: &str = r#"%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-agent}i""#;

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(name, Product::Varnish, template(text)?))
}

/// The template of a format string.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn template(text: &str) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "varnishncsa");
    let text = match text.trim() {
        "default" => DEFAULT,
        other => other,
    };
    compile("varnish", text, slot, finish)
}

/// What a directive is where Varnish differs from httpd.
fn slot(letter: &str, parameter: &str) -> Option<Slot> {
    if letter != "x" {
        return match letter {
            // The only status there is.
            "s" => Some(Slot::Status),
            _ => None,
        };
    }
    let header = |name: &str| match id::header(name.as_bytes()) {
        Header::Id(kind) => Slot::Id(kind),
        Header::ForwardedFor => Slot::ForwardedFor,
        _ => Slot::MaybeId,
    };
    let (kind, rest) = parameter.split_once(':').unwrap_or((parameter, ""));
    Some(match (kind, rest) {
        ("Varnish", "time_firstbyte") => Slot::OtherHeader(unit::S),
        ("Varnish", "handling") => Slot::Termination,
        ("VCL_Log", key) => header(key),
        ("VSL", "FetchError") => Slot::Error,
        ("VSL", "BackendOpen[3]") => Slot::UpstreamAddr,
        ("VSL", "BackendOpen[2]") => Slot::Group,
        ("VSL", "BerespStatus") => Slot::UpstreamStatus,
        ("VSL", tag) => header(tag.rsplit(':').next().unwrap_or_default()),
        _ => Slot::Skip,
    })
}
