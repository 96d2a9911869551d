//! Bytes of inputs, cut at line ends: positioned reads for plain files, one stream for compressed and transcoded ones.
//!
//! Memory is one buffer per call, of a MiB at most unless a line is longer, and never above [`LINE_MOST`].

mod content;
mod lines;
mod nuls;
mod places;
mod record;
mod source;

use std::io::Read;
use std::path::PathBuf;

use crate::error::Error;
use crate::model::{Coding, Input};

pub use content::{Content, is_events, is_forwarded, is_json_document};
pub use places::{line_at, lines_at};
pub use record::{Begins, read_records};
pub use source::At;

/// How much of a stream is decompressed at once, in bytes: with each piece a decoder copies its window.
pub const CHUNK: usize = 1 << 20;

/// How much of a plain file is read at once, in bytes: what the nearest caches of one processor hold, so that lines are
/// looked at where the system has just copied them to.
const PIECE: usize = 256 << 10;

/// The longest line that is kept whole, in bytes; what is longer is cut, see [`Chunk::cut`].
pub const LINE_MOST: usize = 16 << 20;

/// How many leading NULs are passed over in looking for the first line of what is not plain, in bytes: a second's work.
const NULS_MOST: u64 = 1 << 30;

/// A part of an input that can be read on its own. Offsets are those of the content, every coding undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub offset: u64,
    /// Length in bytes; of an input that is not plain, its size on disk.
    pub len: u64,
}

/// Whole lines, with their line ends.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// The lines. Only the last line of a file may lack its line end.
    pub bytes: &'a [u8],
    /// Where the first of them begins in the (decompressed) file.
    pub offset: u64,
    /// The chunk is the first [`LINE_MOST`] bytes of one line that is longer; the rest of it is not delivered.
    pub cut: bool,
}

/// Cuts `input` into parts of `block` bytes; one that is not plain is one part, an empty one none.
///
/// # Errors
/// None today; a source whose size is not known beforehand may have some.
pub fn spans(input: &Input, block: u64) -> Result<Vec<Span>, Error> {
    Ok(parts(input, &whole(input), block))
}

/// The same for the lines of a plain input that begin in `span`.
pub fn parts(input: &Input, span: &Span, block: u64) -> Vec<Span> {
    if span.len == 0 {
        return Vec::new();
    }
    if !input.is_plain() {
        return vec![*span];
    }
    let block = block.max(1);
    let cut = |offset: u64| Span {
        offset: span.offset + offset,
        len: block.min(span.len - offset),
    };
    let count = span.len.div_ceil(block);
    (0..count).map(|at| cut(at * block)).collect()
}

/// Delivers the lines of `span` chunk by chunk, in order. A line belongs to the span in which its first
/// byte stands. A byte order mark at the start of the file and runs of NUL at the start of a line are
/// left out; `\r` is not.
///
/// `buffer` is scratch space, reused between calls.
///
/// # Errors
/// [`Error::Read`], or [`Error::Damaged`] after everything before the damage has been delivered.
pub fn read_span(
    input: &Input,
    span: &Span,
    buffer: &mut Vec<u8>,
    visit: &mut dyn FnMut(Chunk<'_>),
) -> Result<(), Error> {
    if input.is_plain() {
        return read_bounds(input, &lines::Bounds::of(span), buffer, visit);
    }
    read_until(input, u64::MAX, buffer, visit)
}

/// As [`read_span`] for a plain input, but leaves out runs of NUL only at the start of a chunk: to look for them costs as
/// much as to look for line ends, so it is spared where there are known to be none, or where they do no harm.
///
/// # Errors
/// As [`read_span`].
pub fn read_with_nuls(
    input: &Input,
    span: &Span,
    buffer: &mut Vec<u8>,
    visit: &mut dyn FnMut(Chunk<'_>),
) -> Result<(), Error> {
    read_bounds(input, &lines::Bounds::of(span).with_nuls(), buffer, visit)
}

fn read_bounds(
    input: &Input,
    bounds: &lines::Bounds,
    buffer: &mut Vec<u8>,
    visit: &mut dyn FnMut(Chunk<'_>),
) -> Result<(), Error> {
    let mut source = source::At::open(input, bounds.read_from)?;
    lines::deliver(&mut source, bounds, buffer, visit)
        .map_err(|source| broken(input, bounds.read_from, source))
}

/// As [`read_span`] for all of `input`, but only for the lines that begin before byte `end` of its content.
///
/// # Errors
/// As [`read_span`].
pub fn read_until(
    input: &Input,
    end: u64,
    buffer: &mut Vec<u8>,
    visit: &mut dyn FnMut(Chunk<'_>),
) -> Result<(), Error> {
    let mut content = Content::open(input)?;
    let result = lines::deliver(&mut content, &lines::Bounds::until(end), buffer, visit);
    result.map_err(|source| broken(input, content.delivered(), source))
}

/// The first `bytes` bytes behind leading NULs, cut at the last line end (unless the file ends before, or has no line
/// end so far), without byte order mark. Of a damaged compressed file, what could be had. What is not plain has to be
/// read up to there: nothing is found behind more than a GiB of NULs of it.
///
/// # Errors
/// [`Error::Read`]; [`Error::Damaged`] if not even the first line could be decompressed.
pub fn head(input: &Input, bytes: usize) -> Result<Vec<u8>, Error> {
    let mut head = Vec::new();
    if input.is_plain() {
        let mut source = source::At::open(input, 0)?;
        let complete = take(&mut source, bytes, &mut head).and_then(|complete| {
            if complete || !is_nul(&head) {
                return Ok(complete);
            }
            head.clear();
            let text_from = nuls::end(&mut source, bytes as u64)?;
            source.go_to(text_from);
            take(&mut source, bytes, &mut head)
        });
        let complete = complete.map_err(|source| broken(input, 0, source))?;
        cut_at_lines(&mut head, complete);
        return Ok(head);
    }
    let mut content = Content::open(input)?;
    let complete = loop {
        match take(&mut content, bytes, &mut head) {
            Ok(false) if is_nul(&head) && content.delivered() < NULS_MOST => head.clear(),
            Ok(complete) => break complete,
            Err(source) if !head.contains(&b'\n') => {
                return Err(broken(input, content.delivered(), source));
            }
            Err(_) => break false,
        }
    };
    cut_at_lines(&mut head, complete);
    Ok(head)
}

/// About `bytes` bytes of whole lines from the middle of a plain input; nothing of a compressed one.
///
/// # Errors
/// [`Error::Read`].
pub fn middle(input: &Input, bytes: usize) -> Result<Vec<u8>, Error> {
    let mut sample = Vec::new();
    if input.is_plain() {
        let span = Span {
            offset: input.bytes_on_disk / 2,
            len: bytes as u64,
        };
        let keep = &mut |chunk: Chunk<'_>| sample.extend_from_slice(chunk.bytes);
        read_span(input, &span, &mut Vec::new(), keep)?;
        sample.truncate(bytes.saturating_mul(2));
    }
    Ok(sample)
}

/// The lines of `span` that start with `mark`, with their offsets and without their line ends, in order. Of several
/// equal ones in a row, with other lines between them or not, only the first is given.
///
/// # Errors
/// As [`read_span`].
pub fn directives(input: &Input, span: &Span, mark: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    let mut marked = Marked::new(mark);
    read_span(input, span, &mut Vec::new(), &mut |chunk| marked.look_in(&chunk))?;
    Ok(marked.finish())
}

/// Finds the lines that start with some mark, while they are read.
pub struct Marked<'m> {
    mark: &'m [u8],
    found: Vec<(u64, Vec<u8>)>,
}

impl<'m> Marked<'m> {
    /// Looks for lines that start with `mark`.
    pub fn new(mark: &'m [u8]) -> Self {
        Self {
            mark,
            found: Vec::new(),
        }
    }

    /// Looks through the lines of `chunk`.
    pub fn look_in(&mut self, chunk: &Chunk<'_>) {
        let Some(&first) = self.mark.first() else { return };
        // The first byte of a mark stands nowhere else in most logs, and to look for it alone is less work.
        for at in memchr::memchr_iter(first, chunk.bytes) {
            let rest = &chunk.bytes[at..];
            if at > 0 && chunk.bytes[at - 1] != b'\n' || !rest.starts_with(self.mark) {
                continue;
            }
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = why502_parsers::bytes::trim_cr(&rest[..end]);
            if self.found.last().is_none_or(|(_, last)| last != line) {
                self.found.push((chunk.offset + at as u64, line.to_vec()));
            }
        }
    }

    /// What was found: offsets and lines without their line ends, of equal ones in a row only the first.
    pub fn finish(self) -> Vec<(u64, Vec<u8>)> {
        self.found
    }
}

/// The span that is all of `input`.
pub fn whole(input: &Input) -> Span {
    Span {
        offset: 0,
        len: input.bytes_on_disk,
    }
}

/// Reads up to `most` bytes; whether the source ended before.
fn take(source: impl Read, most: usize, into: &mut Vec<u8>) -> std::io::Result<bool> {
    // In one go: a vector without room is filled by and by.
    into.reserve_exact(most);
    source.take(most as u64).read_to_end(into)?;
    Ok(into.len() < most)
}

fn is_nul(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn cut_at_lines(head: &mut Vec<u8>, complete: bool) {
    if !complete && let Some(last) = memchr::memrchr(b'\n', head) {
        head.truncate(last + 1);
    }
    let mark = usize::from(head.starts_with(lines::BOM)) * lines::BOM.len();
    let nuls = head[mark..].iter().take_while(|byte| **byte == 0).count();
    head.drain(..mark + nuls);
}

fn read_error(input: &Input, source: std::io::Error) -> Error {
    Error::Read {
        path: PathBuf::from(&input.shown),
        source,
    }
}

/// What it means that reading `input` failed after `read` bytes of its content.
fn broken(input: &Input, read: u64, source: std::io::Error) -> Error {
    let Some(outermost) = input.codings.first() else {
        return read_error(input, source);
    };
    Error::Damaged {
        shown: input.shown.clone(),
        path: input.path.clone(),
        check: check(outermost, &input.codings),
        read,
        source,
    }
}

/// The command that shows damage of a file that is kept so.
fn check(outermost: &Coding, all: &[Coding]) -> &'static str {
    match outermost {
        Coding::Gzip => "gzip -t",
        Coding::Zstd => "zstd -t",
        Coding::Bzip2 => "bzip2 -t",
        Coding::Xz => "xz -t",
        Coding::Part { .. } if all.iter().any(|coding| matches!(coding, Coding::Deflate { .. })) => {
            "unzip -t"
        }
        Coding::Part { .. } => "tar -tvf",
        Coding::Deflate { .. }
        | Coding::Utf16 { .. }
        | Coding::Journal
        | Coding::Elements
        | Coding::Events
        | Coding::Forwarded => "file",
    }
}

#[cfg(test)]
mod tests;
