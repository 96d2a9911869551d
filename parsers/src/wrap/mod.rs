//! What stands around a line: syslog headers, container runtimes, journals and JSON envelopes, taken off
//! before the format sees it. [`Peeler`] takes off several, one inside the other, and joins what was cut.

pub mod cri;
pub mod docker;
pub mod envelope;
pub mod journald;
mod members;
mod peel;
pub mod prefix;
pub mod syslog;

use crate::bytes;
use crate::entry::{Stamp, Zone};

pub use peel::{DEEPEST, JOINED_MOST, Layers, Peeled, Peeler};

/// What a wrapper said about the line inside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outer<'a> {
    /// When the line was written, for lines that carry no time of their own.
    pub time: Option<Stamp>,
    /// The machine that wrote it.
    pub host: &'a [u8],
    /// The program that wrote it (syslog tag).
    pub program: &'a [u8],
    /// Its process.
    pub pid: Option<u32>,
}

impl<'a> Outer<'a> {
    /// What this wrapper and the one `inside` it say together. The inner one knows the program better; the
    /// better of two times is the one that says its zone.
    fn and(self, inside: Self) -> Self {
        let known = |stamp: &Stamp| stamp.zone == Zone::Known;
        let filled = |inner: &'a [u8], outer| if inner.is_empty() { outer } else { inner };
        Self {
            time: inside
                .time
                .filter(known)
                .or(self.time.filter(known))
                .or(inside.time)
                .or(self.time),
            host: filled(inside.host, self.host),
            program: filled(inside.program, self.program),
            pid: inside.pid.or(self.pid),
        }
    }
}

/// How the line inside a wrapper is written there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    #[default]
    Plain,
    /// With the escapes of a JSON string.
    Json,
    /// As the elements of a JSON array of byte values.
    Bytes,
}

impl Coding {
    /// Appends what `text` stands for to `out`.
    fn decode(self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Plain => out.extend_from_slice(text),
            Self::Json => bytes::unescape_json_into(text, out),
            Self::Bytes => out.extend(
                text.split(|byte| *byte == b',')
                    .filter_map(|number| u8::try_from(bytes::number(number.trim_ascii())?).ok()),
            ),
        }
    }
}

/// The inside of a wrapped line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inside<'a> {
    /// What was said around it.
    pub outer: Outer<'a>,
    /// The line, written as `coding` says.
    pub text: &'a [u8],
    /// How.
    pub coding: Coding,
    /// The line was too long for its writer: the next one of the same stream goes on with it.
    pub goes_on: bool,
    /// Which stream it is of: 0 standard output, 1 standard error.
    pub stream: u8,
    /// Every line that has the same bytes before its `text` is wrapped in the same way.
    pub is_known_by_prefix: bool,
}

/// A way of wrapping lines.
pub trait Wrapper: Send + Sync {
    /// Its name, for the coverage table.
    fn name(&self) -> &'static str;

    /// The line inside, with what was said around it; `None` if this line is not wrapped so.
    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>>;

    /// Whether it cuts long lines into several, see [`Inside::goes_on`].
    fn cuts(&self) -> bool {
        false
    }

    /// Whether it says of every line which program wrote it, as the system's log does.
    fn names_programs(&self) -> bool {
        false
    }

    /// Whether it only puts something before lines, a space last, and leaves what follows as it is.
    fn is_prefix(&self) -> bool {
        false
    }

    /// Whether lines that look wrapped so may just as well be records of their own (JSON with a `message`).
    fn is_unsure(&self) -> bool {
        false
    }
}

/// Every wrapper, most specific first.
pub fn all() -> &'static [&'static dyn Wrapper] {
    &[
        &syslog::Rfc5424,
        &syslog::Rfc3164,
        &syslog::Iso,
        &cri::Cri,
        &docker::JsonFile,
        &journald::Json,
        &journald::Short,
        &prefix::Compose,
        &prefix::Kubectl,
        &prefix::Stamped,
        &prefix::BeforeJson,
        &envelope::Envelope,
    ]
}

/// Whether `text` is one whole JSON object.
pub fn is_json_object(text: &[u8]) -> bool {
    members::Members::of(text).is_some_and(|mut members| {
        (&mut members).for_each(drop);
        members.is_whole()
    })
}

/// The contents of a JSON string and how they are written: `raw` is what stands between the quotes.
fn json_text(raw: &[u8]) -> (&[u8], Coding) {
    match memchr::memchr(b'\\', raw) {
        Some(_) => (raw, Coding::Json),
        None => (raw, Coding::Plain),
    }
}

/// `raw`, a JSON string, without the escaped line end at its end; whether it had one.
fn without_json_end(raw: &[u8]) -> (&[u8], bool) {
    let escaped = |text: &[u8], letter: u8| {
        let before = text.strip_suffix(&[letter])?.len();
        let backslashes = text[..before].iter().rev().take_while(|b| **b == b'\\').count();
        (backslashes % 2 == 1).then_some(before - 1)
    };
    let Some(end) = escaped(raw, b'n') else {
        return (raw, false);
    };
    let line = &raw[..end];
    (escaped(line, b'r').map_or(line, |end| &line[..end]), true)
}

#[cfg(test)]
mod tests;
