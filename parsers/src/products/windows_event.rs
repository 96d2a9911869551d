//! What an event of Windows' event log means for requests, by the program that reported it and its number.
//!
//! The Process Activation Service (WAS) and the World Wide Web service name the application pool and the process of the
//! worker; the .NET runtime, Windows Error Reporting and the ASP.NET Core module tell of crashes.
//! Sources: Microsoft, "IIS Application Pool Availability" (5002, 5009 to 5013, 2297, 2299) and "IIS Worker Process
//! Recycle" (5074 to 5081, 5117, 5186); `aspnetcore_msg.mc` of the ASP.NET Core module; "Application Error" 1000 and
//! ".NET Runtime" 1026 as Windows writes them.

use crate::entry::{Fault, Phase, Signal};

/// What an event of `provider` with the number `id` tells.
pub(super) fn signal(provider: &[u8], id: u32) -> Option<Signal> {
    let fault = match provider {
        b"Microsoft-Windows-WAS" | b"WAS" | b"W3SVC" | b"Microsoft-Windows-IIS-W3SVC" => pool(id)?,
        b"Microsoft-Windows-IIS-W3SVC-WP" | b"W3SVC-WP" => match id {
            2297 => Fault::WorkerCrashed, // Its configuration could not be read: the worker did not start.
            2299 => Fault::Recycled,      // An application said that it is unhealthy.
            _ => return None,
        },
        b"Application Error" if id == 1000 => Fault::WorkerCrashed,
        b"Application Hang" if id == 1002 => Fault::WorkerTimedOut,
        // Unhandled exception, FailFast, error of the engine: the process ends with each.
        b".NET Runtime" if matches!(id, 1023 | 1025 | 1026) => Fault::WorkerCrashed,
        b"Service Control Manager" if matches!(id, 7031 | 7034) => Fault::WorkerCrashed,
        b"User32" | b"USER32" if id == 1074 => Fault::Stopping,
        b"Microsoft-Windows-Resource-Exhaustion-Detector" if id == 2004 => Fault::OutOfMemory,
        b"Tcpip" if matches!(id, 4227 | 4231) => {
            return Some(Signal::new(Phase::Connect, Fault::ResourceExhausted));
        }
        _ if is_aspnet_core(provider) => aspnet_core(id)?,
        _ => return None,
    };
    Some(Signal::new(Phase::Process, fault))
}

/// Whether the event is about one request that failed, not about a process: ASP.NET's 1309, an unhandled exception.
pub(super) fn is_of_request(provider: &[u8], id: u32) -> bool {
    provider.starts_with(b"ASP.NET ") && id == 1309
}

/// Events of WAS and of the World Wide Web service about a pool or its worker.
fn pool(id: u32) -> Option<Fault> {
    Some(match id {
        // Switched off, because its workers kept crashing or did not start: every request gets a 503.
        5002 | 5057 | 5059 | 5021 | 5022 => Fault::WorkerCrashed,
        5009 | 5011 => Fault::WorkerCrashed,
        // No answer to a ping, too long to start, too long to shut down: the worker is killed.
        5010 | 5012 | 5013 => Fault::WorkerTimedOut,
        5074..=5081 | 5117 => Fault::Recycled,
        5186 => Fault::Stopping, // Idle.
        _ => return None,
    })
}

fn is_aspnet_core(provider: &[u8]) -> bool {
    provider.starts_with(b"IIS AspNetCore Module") || provider.starts_with(b"IIS Express AspNetCore Module")
}

/// Events of the module that starts ASP.NET Core applications.
fn aspnet_core(id: u32) -> Option<Fault> {
    Some(match id {
        // Could not start, crashed, too many crashes in a minute, the runtime could not be loaded, its thread ended.
        1000 | 1002 | 1003 | 1007 | 1011 => Fault::WorkerCrashed,
        1001 => Fault::Started,
        1005 => Fault::WorkerTimedOut,
        1006 | 1012 => Fault::Stopping,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(provider: &str, id: u32) -> Option<Fault> {
        signal(provider.as_bytes(), id).map(|signal| signal.fault)
    }

    #[test]
    fn each_event_that_ends_requests_has_its_meaning() {
        for (provider, id, fault) in [
            ("Microsoft-Windows-WAS", 5011, Fault::WorkerCrashed),
            ("Microsoft-Windows-WAS", 5010, Fault::WorkerTimedOut),
            ("Microsoft-Windows-WAS", 5074, Fault::Recycled),
            ("WAS", 5117, Fault::Recycled),
            ("Microsoft-Windows-WAS", 5186, Fault::Stopping),
            ("Application Error", 1000, Fault::WorkerCrashed),
            (".NET Runtime", 1026, Fault::WorkerCrashed),
            ("IIS AspNetCore Module V2", 1005, Fault::WorkerTimedOut),
            ("Service Control Manager", 7034, Fault::WorkerCrashed),
        ] {
            assert_eq!(of(provider, id), Some(fault), "{provider} {id}");
        }
    }

    #[test]
    fn the_same_number_of_another_program_tells_nothing() {
        // The World Wide Web service counts its own 1026, which is about a handle.
        assert_eq!(of("Microsoft-Windows-IIS-W3SVC", 1026), None);
        assert_eq!(of("Microsoft-Windows-Security-Auditing", 5011), None);
        assert!(is_of_request(b"ASP.NET 4.0.30319.0", 1309));
    }
}
