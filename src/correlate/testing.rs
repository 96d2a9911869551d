//! Records for tests.

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Kind, Level, Marks, Phase, Signal};

use crate::model::{Attempt, HopId, Particulars, Place, Record, SourceId};

/// A record of hop 0, one second coarse, on line `n` of the log of its kind.
pub(super) fn record(kind: Kind, n: u64) -> Record {
    Record::from(Particulars {
        place: Place {
            source: SourceId(u32::from(kind != Kind::Request)),
            offset: n * 100,
            len: 90,
            line: n,
        },
        hop: HopId(0),
        product: Product::Nginx,
        kind,
        start_us: None,
        end_us: Some(1_000_000_000_000),
        raw_us: 1_000_000_000_000,
        resolution_us: 1_000_000,
        marks: Marks::End,
        duration_us: None,
        queue_us: None.into(),
        connect_us: None.into(),
        header_us: None.into(),
        response_us: None.into(),
        ids: Vec::new(),
        method: "GET".into(),
        host: "".into(),
        path: "/a".into(),
        client: "10.0.0.1".into(),
        client_port: None,
        forwarded_for: "".into(),
        server: "".into(),
        status: None,
        substatus: 0,
        win32_status: 0,
        attempts: Vec::new(),
        group: "".into(),
        retries: 0,
        reused: None,
        local: "".into(),
        bytes_sent: None.into(),
        termination: "".into(),
        signal: None,
        error: "".into(),
        level: Level::default(),
        connection: None.into(),
        connection_requests: None,
        pid: None,
        thread: None.into(),
    })
}

/// An attempt that connected.
pub(super) fn attempt(addr: &str, bytes: Option<u64>) -> Attempt {
    Attempt {
        addr: addr.into(),
        connect_us: Some(100).into(),
        bytes_received: bytes.into(),
        ..Attempt::default()
    }
}

/// A 502.
pub(super) fn outcome(n: u64, attempts: Vec<Attempt>) -> Record {
    Record::from(Particulars {
        status: Some(502),
        attempts,
        ..record(Kind::Request, n).particulars()
    })
}

/// An error line.
pub(super) fn line(n: u64, fault: Fault, addr: &str) -> Record {
    Record::from(Particulars {
        signal: Some(Signal {
            phase: Phase::Header,
            fault,
        }),
        attempts: vec![Attempt {
            addr: addr.into(),
            ..Attempt::default()
        }],
        ..record(Kind::Failure, n).particulars()
    })
}

/// A request at hop `hop` from `start_ms` on, with these ids.
pub(super) fn request(hop: u16, n: u64, (start_ms, length_ms): (i64, i64), ids: &[&str]) -> Record {
    let start_us = 1_000_000_000_000 + start_ms * 1_000;
    let end_us = start_us + length_ms * 1_000;
    Record::from(Particulars {
        place: Place {
            source: SourceId(u32::from(hop)),
            ..record(Kind::Request, n).place
        },
        hop: HopId(hop),
        start_us: Some(start_us),
        end_us: Some(end_us),
        raw_us: end_us,
        resolution_us: 1_000,
        duration_us: u64::try_from(length_ms * 1_000).ok(),
        status: Some(200),
        ids: ids.iter().map(|id| (*id).into()).collect(),
        ..record(Kind::Request, n).particulars()
    })
}
