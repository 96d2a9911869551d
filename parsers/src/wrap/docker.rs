//! Docker's `json-file` driver: `{"log":"line\n","stream":"stdout","time":"…Z"}`, `attrs` possible.
//!
//! Docker cuts lines at 16 KiB; a `log` without a line end at its end goes on in the next line of its stream.

use super::members::{Members, quoted};
use super::{json_text, without_json_end};
use crate::entry::Marks;
use crate::time::{self, DayCache};
use crate::wrap::{Inside, Outer, Wrapper};

/// Files below `/var/lib/docker/containers`.
#[derive(Debug)]
pub struct JsonFile;

impl Wrapper for JsonFile {
    fn name(&self) -> &'static str {
        "docker json-file"
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let (mut log, mut stamp, mut stream) = (None, None, None);
        let mut members = Members::of(line)?;
        for (key, raw) in &mut members {
            match key {
                b"log" => log = Some(quoted(raw)?),
                b"time" => stamp = Some(quoted(raw)?),
                b"stream" => stream = Some(quoted(raw)?),
                b"attrs" => {}
                _ => return None, // Another program's JSON: see the envelope.
            }
        }
        if !members.is_whole() {
            return None;
        }
        let (text, ends) = without_json_end(log?);
        let (text, coding) = json_text(text);
        let time = time::iso(stamp?, &mut DayCache::default())?.marking(Marks::Event);
        Some(Inside {
            outer: Outer {
                time: Some(time),
                ..Outer::default()
            },
            text,
            coding,
            goes_on: !ends,
            stream: u8::from(stream == Some(b"stderr")),
            is_known_by_prefix: false,
        })
    }

    fn cuts(&self) -> bool {
        true
    }
}
