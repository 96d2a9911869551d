//! Error types of the `Proxy-Status` header (RFC 9209), which some balancers log for each request.
//!
//! `error="http_response_timeout"; details="timeout"`. Source: RFC 9209, section 2.3.

use crate::entry::{Fault, Phase, Signal};

/// What the `error` parameter of a `Proxy-Status` value says; a bare error type is read too.
pub fn signal(value: &[u8]) -> Option<Signal> {
    let error = match crate::bytes::find(value, b"error=") {
        Some(at) => &value[at + 6..],
        None => value,
    };
    // In a JSON log the quotes may still be escaped.
    let start = error
        .iter()
        .take_while(|byte| matches!(byte, b'"' | b'\\' | b' '))
        .count();
    let error = &error[start..];
    let end = error
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
    let (phase, fault) = of_type(&error[..end.unwrap_or(error.len())])?;
    Some(Signal::new(phase, fault))
}

fn of_type(error: &[u8]) -> Option<(Phase, Fault)> {
    Some(match error {
        b"dns_timeout" => (Phase::Resolve, Fault::TimedOut),
        b"dns_error" | b"destination_not_found" => (Phase::Resolve, Fault::NameNotFound),
        b"destination_unavailable" => (Phase::Queue, Fault::NoLiveUpstream),
        b"destination_ip_prohibited" => (Phase::Connect, Fault::PolicyBlocked),
        b"destination_ip_unroutable" => (Phase::Connect, Fault::Unreachable),
        b"connection_refused" => (Phase::Connect, Fault::Refused),
        b"connection_terminated" => (Phase::Header, Fault::ResetOrClosed),
        b"connection_timeout" => (Phase::Connect, Fault::TimedOut),
        b"connection_read_timeout" => (Phase::Header, Fault::TimedOut),
        b"connection_write_timeout" => (Phase::Send, Fault::TimedOut),
        b"connection_limit_reached" => (Phase::Queue, Fault::QueueFull),
        b"tls_protocol_error" | b"tls_alert_received" => (Phase::Tls, Fault::TlsRejected),
        b"tls_certificate_error" => (Phase::Tls, Fault::CertificateRejected),
        b"http_response_incomplete" => (Phase::Body, Fault::Closed),
        b"http_response_header_section_size" | b"http_response_header_size" => {
            (Phase::Header, Fault::HeaderTooBig)
        }
        b"http_response_transfer_coding" | b"http_response_content_coding" => {
            (Phase::Body, Fault::BadFraming)
        }
        b"http_response_timeout" => (Phase::Header, Fault::TimedOut),
        b"http_response_body_size"
        | b"http_response_trailer_section_size"
        | b"http_response_trailer_size" => (Phase::Body, Fault::PolicyBlocked),
        b"http_upgrade_failed" => (Phase::Header, Fault::InvalidResponse),
        b"http_protocol_error" => (Phase::Header, Fault::InvalidResponse),
        b"http_request_error" | b"http_request_denied" => (Phase::Client, Fault::PolicyBlocked),
        b"proxy_internal_response"
        | b"proxy_internal_error"
        | b"proxy_configuration_error"
        | b"proxy_loop_detected" => (Phase::Unknown, Fault::Other),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_found_with_its_details_and_without() {
        let timed_out = Some(Signal::new(Phase::Header, Fault::TimedOut));
        assert_eq!(
            signal(br#"error="http_response_timeout"; details="timeout""#),
            timed_out
        );
        assert_eq!(signal(br#"error=\"http_response_timeout\""#), timed_out);
        assert_eq!(signal(b"ExampleCDN; error=http_response_timeout"), timed_out);
        assert_eq!(
            signal(b"connection_refused"),
            Some(Signal::new(Phase::Connect, Fault::Refused))
        );
    }

    #[test]
    fn other_words_say_nothing() {
        assert_eq!(signal(b""), None);
        assert_eq!(signal(b"error=\"brand_new\""), None);
    }
}
