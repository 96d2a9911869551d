//! What status and times say when no line names the fault.
//!
//! Source: the access-log truth table of nginx, which holds for every log that gives connect time,
//! header time and status per attempt.

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase, Signal};

use super::exchange::{Exchange, Fact};
use super::survey::Fields;

/// A connection that was not made within this time was not refused: a refusal takes one round trip.
const REFUSAL_AT_MOST_US: u64 = 500_000;

/// The fact that `x`'s fields imply, if they leave only one.
pub(crate) fn fact<'a>(x: &Exchange<'a>, fields: Fields) -> Option<Fact<'a>> {
    let record = x.outcome?;
    let signal = signal(x, fields)?;
    Some(Fact {
        signal,
        record,
        derived: true,
    })
}

fn signal(x: &Exchange<'_>, fields: Fields) -> Option<Signal> {
    let record = x.outcome?;
    let status = x
        .attempt
        .and_then(|a| a.status)
        .filter(|_| !x.last)
        .or(record.status)?;
    if matches!(status, 499 | 460) {
        return Some(Signal::new(Phase::Client, Fault::ClientGone));
    }
    if record.product == Product::Iis {
        return iis(record.substatus, record.win32_status);
    }
    if is_group(x) {
        return Some(Signal::new(Phase::Queue, Fault::NoLiveUpstream));
    }
    if x.header_us().is_some() {
        return None;
    }
    match (x.connect_us(), status) {
        (None, 504) if fields.connect => Some(Signal::new(Phase::ConnectOrTls, Fault::TimedOut)),
        (Some(_), 504) => Some(Signal::new(Phase::Header, Fault::TimedOut)),
        (None, 502 | 503) if fields.connect => unconnected(x),
        (Some(_), 502) if x.bytes.is_some_and(|b| b > 0) => {
            Some(Signal::new(Phase::Header, Fault::ClosedPartial))
        }
        (Some(_), 502) => Some(Signal::new(Phase::Header, Fault::ResetOrClosed)),
        _ => None,
    }
}

fn unconnected(x: &Exchange<'_>) -> Option<Signal> {
    let quick = x.lasted_us.is_none_or(|d| d <= REFUSAL_AT_MOST_US);
    quick.then_some(Signal::new(Phase::ConnectOrTls, Fault::Refused))
}

/// nginx writes the group's name as the address when it had no server left to try.
fn is_group(x: &Exchange<'_>) -> bool {
    let Some(attempt) = x.attempt else { return false };
    let named = attempt.addr.contains("<NOSRV>");
    let bare = x.product == Product::Nginx && !attempt.addr.is_empty() && !attempt.addr.contains(':');
    (named || bare) && attempt.connect_us.get().is_none()
}

/// IIS Application Request Routing reports WinHTTP's error numbers.
/// Source: vendor's article on ARR 502 errors (12002, 12030, 12152); the others are WinHTTP constants.
fn iis(substatus: u16, win32: u32) -> Option<Signal> {
    let (phase, fault) = match (substatus, win32) {
        (_, 12002) => (Phase::Unknown, Fault::TimedOut),
        (_, 12007) => (Phase::Resolve, Fault::NameNotFound),
        (_, 12029) => (Phase::Connect, Fault::Refused),
        (_, 12030) => (Phase::Header, Fault::ResetOrClosed),
        (_, 12031) => (Phase::Header, Fault::Reset),
        (_, 12152) => (Phase::Header, Fault::InvalidResponse),
        (_, 12175) => (Phase::Tls, Fault::TlsRejected),
        (4, _) => (Phase::Queue, Fault::NoLiveUpstream),
        _ => return None,
    };
    Some(Signal::new(phase, fault))
}
