//! Kubernetes' container runtime interface: `2022-01-28T16:04:05.413656027Z stdout F line`.
//!
//! The tag `P` marks a piece of a line that the next one of the same stream goes on with; `F` the last
//! piece, or a line that was never cut. More tags may follow after colons.

use crate::entry::{Marks, Zone};
use crate::time::{self, DayCache};
use crate::wrap::{Inside, Outer, Wrapper};

/// Lines of containerd and CRI-O, and of Podman's `k8s-file` driver.
#[derive(Debug)]
pub struct Cri;

impl Wrapper for Cri {
    fn name(&self) -> &'static str {
        "kubernetes cri"
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let (stamp, used) = time::iso_prefix(line, &mut DayCache::default())?;
        let rest = line[used..].strip_prefix(b" std")?;
        let (stream, rest) = match rest {
            [b'o', b'u', b't', b' ', rest @ ..] => (0, rest),
            [b'e', b'r', b'r', b' ', rest @ ..] => (1, rest),
            _ => return None,
        };
        let goes_on = match rest.first()? {
            b'P' => true,
            b'F' => false,
            _ => return None,
        };
        let text = match rest.get(1) {
            None => &rest[1..],
            Some(b' ') => &rest[2..],
            Some(b':') => &rest[memchr::memchr(b' ', rest)? + 1..],
            Some(_) => return None,
        };
        (stamp.zone == Zone::Known).then_some(Inside {
            outer: Outer {
                time: Some(stamp.marking(Marks::Event)),
                ..Outer::default()
            },
            text,
            goes_on,
            stream,
            ..Inside::default()
        })
    }

    fn cuts(&self) -> bool {
        true
    }
}
