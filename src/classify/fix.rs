//! What to change: the product's setting, its value now, the value proposed, and what it costs.

use why502_parsers::Product;

use super::case::{Case, hits, learnt_limit, origin};
use super::what_if::{Knob, Need, with_room};
use super::words::span;
use crate::limits::setting;
use crate::model::finding::{Change, Fix, Label};
use crate::model::{Cause, HopId, Limit, LimitKind, Origin, Subtype};

/// An upstream must keep idle connections at least this much longer than the hop before it.
const MARGIN_US: u64 = 1_000_000;

/// What to change, and the number in it that the failures together decide.
pub(crate) struct Proposed {
    /// What to change.
    pub(crate) fix: Fix,
    /// The change that a number decides.
    pub(crate) knob: Option<Knob>,
}

impl From<Fix> for Proposed {
    fn from(fix: Fix) -> Self {
        Self { fix, knob: None }
    }
}

/// The change that would have prevented the failure of `case`.
pub(crate) fn propose(case: &Case<'_, '_>, label: Label) -> Option<Proposed> {
    let fix = match label.cause {
        Cause::KeepAliveRace => return Some(race(case, label.subtype)),
        Cause::ProxyTimeout => return Some(timeout(case, label.subtype)),
        Cause::QueueingDelay => queue(case, label.subtype),
        Cause::DroppedConnection => dropped(case, label.subtype),
        Cause::InvalidResponse => invalid(case, label.subtype),
        Cause::Upstream502 => say(format!(
            "look at {}, which made the answer; the hops before it only passed it on",
            case.upstream_name_or_own()
        )),
        Cause::Unexplained if label.subtype == Subtype::Ambiguous => dropped(case, Subtype::PrematureClose),
        Cause::Unexplained => return None,
    };
    Some(fix.into())
}

fn say(summary: impl Into<String>) -> Fix {
    Fix {
        summary: summary.into(),
        changes: Vec::new(),
        what_if: None,
    }
}

/// A change at `hop`, if its product has a setting for `kind`.
fn change(case: &Case<'_, '_>, hop: HopId, kind: LimitKind, now: Option<&Limit>, us: u64) -> Option<Change> {
    let known = case.survey.world.hops.get(hop.0 as usize)?;
    let (name, proposed) = setting(known.product, kind, us)?;
    Some(Change {
        hop: known.name.clone(),
        product: known.product.name().to_owned(),
        setting: name.to_owned(),
        current: now.map_or_else(|| "not known".to_owned(), current),
        proposed,
    })
}

fn current(limit: &Limit) -> String {
    match limit.value_us {
        Some(us) => format!("{}, {}", span(us), origin(limit)),
        None => format!("no limit, {}", origin(limit)),
    }
}

fn free(case: &Case<'_, '_>, hop: HopId, setting: &str, current: &str, proposed: String) -> Option<Change> {
    let known = case.survey.world.hops.get(hop.0 as usize)?;
    Some(Change {
        hop: known.name.clone(),
        product: known.product.name().to_owned(),
        setting: setting.to_owned(),
        current: current.to_owned(),
        proposed,
    })
}

fn race(case: &Case<'_, '_>, subtype: Subtype) -> Proposed {
    let (own, theirs) = (case.own_idle(), case.upstream_idle());
    let (own_us, their_us) = (value(own.as_ref()), value(theirs.as_ref()));
    let upstream = case.upstream_name();
    if subtype == Subtype::SilentMiddleboxDrop {
        return middlebox(case).into();
    }
    let idle_us = case.idle_us().map(i64::unsigned_abs);
    let (mut changes, mut knob) = (Vec::new(), None);
    if let (Some(us), Some(hop)) = (own_us, case.upstream_hop) {
        let us = us + MARGIN_US;
        changes.extend(change(case, hop, LimitKind::ClientIdle, theirs.as_ref(), us));
        knob = turned(
            case,
            hop,
            &changes,
            LimitKind::ClientIdle,
            us,
            Need::Kept(idle_us),
        );
        changes.extend(headers_timeout(case, hop, us));
    }
    let shorter = their_us.map(|us| us.saturating_sub(MARGIN_US).max(us / 2));
    if changes.is_empty()
        && let Some(us) = shorter
    {
        let kind = LimitKind::UpstreamIdle;
        changes.extend(change(case, case.x.hop, kind, own.as_ref(), us));
        knob = turned(case, case.x.hop, &changes, kind, us, Need::LetGo(idle_us));
    }
    let longer = own_us.map_or_else(
        || "longer".to_owned(),
        |us| format!("for at least {}", span(us + MARGIN_US)),
    );
    let other = shorter.map_or_else(
        || "for a shorter time than the upstream".to_owned(),
        |us| format!("for at most {}", span(us)),
    );
    let fix = Fix {
        summary: format!(
            "let {upstream} keep idle connections {longer}, or let {} keep them {other}: \
             the side that sends must let go first. Retrying such requests is safe only if they may run twice{}",
            case.name(),
            otherwise(case.x.product)
        ),
        changes,
        what_if: None,
    };
    Proposed { fix, knob }
}

/// The knob of the first change, if there is one.
fn turned(
    case: &Case<'_, '_>,
    hop: HopId,
    changes: &[Change],
    kind: LimitKind,
    us: u64,
    need: Need,
) -> Option<Knob> {
    let product = case.survey.world.hops.get(hop.0 as usize)?.product;
    (!changes.is_empty()).then_some(Knob {
        at: 0,
        product,
        kind,
        us,
        need,
    })
}

/// Older releases of Node end a kept connection when its headersTimeout runs out first.
fn headers_timeout(case: &Case<'_, '_>, hop: HopId, idle_us: u64) -> Option<Change> {
    if case.upstream_product() != Some(Product::Node) || idle_us < 60_000_000 {
        return None;
    }
    let above = format!("{}", (idle_us + MARGIN_US) / 1_000);
    free(case, hop, "server.headersTimeout", "60 s, node default", above)
}

fn middlebox(case: &Case<'_, '_>) -> Fix {
    let probes = match case.x.product {
        Product::Nginx => " (proxy_socket_keepalive on, with net.ipv4.tcp_keepalive_time below its limit)",
        Product::Haproxy => " (option srvtcpka, with net.ipv4.tcp_keepalive_time below its limit)",
        Product::Apache => " (keepalive=On of ProxyPass, with net.ipv4.tcp_keepalive_time below its limit)",
        _ => "",
    };
    say(format!(
        "send TCP keep-alive probes between {} and {} more often than the middlebox forgets{probes}, \
         or keep idle connections for a shorter time",
        case.name(),
        case.upstream_name()
    ))
}

/// What else a sender of `product` can do about lost races.
const fn otherwise(product: Product) -> &'static str {
    match product {
        Product::Haproxy => {
            ". `http-reuse safe` keeps first requests off used connections; `retry-on conn-failure empty-response` \
             only where requests may run twice"
        }
        Product::Apache => ". `disablereuse=On` gives up reuse for this upstream altogether",
        Product::Envoy => {
            ". A retry policy with `reset-before-request,connect-failure` repeats what was never read"
        }
        Product::AwsAlb | Product::AwsElb | Product::GcpLb => {
            ". The balancer's timer is the same for all targets, so the targets have to outlast it"
        }
        Product::OpenIg => ". `disableReuseConnection: true` gives up reuse altogether",
        Product::EdgeMicro => {
            ". The gateway's `keep_alive_timeout` is for its own clients and does not help here"
        }
        _ => "",
    }
}

fn value(limit: Option<&Limit>) -> Option<u64> {
    limit.and_then(|l| l.value_us)
}

fn timeout(case: &Case<'_, '_>, subtype: Subtype) -> Proposed {
    match subtype {
        Subtype::ResponseHeaderTimeout | Subtype::TotalTimeout => slow(case),
        _ => other_timeout(case, subtype).into(),
    }
}

fn other_timeout(case: &Case<'_, '_>, subtype: Subtype) -> Fix {
    let (name, upstream) = (case.name(), case.upstream_name());
    match subtype {
        Subtype::ConnectTimeout => say(format!(
            "find out why {upstream} does not accept connections: a filter that drops packets, a host that is \
             down, or a full accept queue. A longer connect timeout would only hide it; a shorter one lets {name} \
             try another server sooner"
        )),
        Subtype::TlsHandshakeTimeout => say(format!(
            "check every firewall between {name} and {upstream} for the address of {name}, then packet sizes (MTU), \
             and whether {upstream} speaks TLS on that port at all"
        )),
        Subtype::ResponseBodyTimeout => {
            let now = case.limit(LimitKind::Read);
            let doubled = value(now.as_ref()).map(|us| us * 2);
            Fix {
                summary: format!(
                    "let {upstream} send or flush regularly, or raise the time between two reads at {name}"
                ),
                changes: doubled
                    .and_then(|us| change(case, case.x.hop, LimitKind::Read, now.as_ref(), us))
                    .into_iter()
                    .collect(),
                what_if: None,
            }
        }
        Subtype::RequestSendTimeout => say(format!("find out why {upstream} stopped reading the request")),
        Subtype::NameResolutionTimeout => say(format!(
            "check the resolver that {name} uses, and cache its answers"
        )),
        _ => say(format!(
            "the client (or the hop before {name}) gave up first: raise its timeout above that of {name}, or answer sooner"
        )),
    }
}

/// No answer in time. The proposal is what the requests would have needed, if that is known.
fn slow(case: &Case<'_, '_>) -> Proposed {
    let total = || case.timer(LimitKind::Total);
    let now = case
        .timer(LimitKind::Read)
        .filter(|l| l.value_us.is_some())
        .or_else(total);
    let kind = now.as_ref().map_or(LimitKind::Read, |l| l.kind);
    let limit_us = value(now.as_ref()).or(case.x.lasted_us);
    let worked = case
        .beyond
        .and_then(|l| l.outcome.as_ref())
        .and_then(|r| r.duration_us);
    // One that was cut off when the sender gave up says nothing of what it needed.
    let enough = worked.filter(|&w| Some(w) > limit_us.map(|us| us + us / 50));
    let us = enough.map(with_room).or(limit_us.map(|us| us * 2));
    let changes: Vec<Change> = us
        .and_then(|us| change(case, case.x.hop, kind, now.as_ref(), us))
        .into_iter()
        .collect();
    let knob = us.and_then(|us| turned(case, case.x.hop, &changes, kind, us, Need::Patience(enough)));
    let took = worked.map_or_else(String::new, |w| format!(" (it took {})", span(w)));
    let fix = Fix {
        summary: format!(
            "if that duration is normal{took}, raise the timeout of {} and of every hop before it, or answer at once \
             and let the client ask for the result; if not, make {} faster",
            case.name(),
            case.upstream_name()
        ),
        changes,
        what_if: None,
    };
    Proposed { fix, knob }
}

fn queue(case: &Case<'_, '_>, subtype: Subtype) -> Fix {
    let (name, upstream) = (case.name(), case.upstream_name());
    let longer = "A longer timeout would make the queue longer, not the wait shorter";
    match subtype {
        Subtype::ProxyQueueTimeout => say(format!(
            "raise the number of connections that {name} opens to {upstream} (maxconn) only if {upstream} has headroom; \
             otherwise add workers there, or shed load early. {longer}"
        )),
        Subtype::ProxyQueueOverflow => say(format!(
            "raise the queue or pool of {name}, and its ports, descriptors or memory, or shed load before it"
        )),
        Subtype::ListenBacklog => say(format!(
            "raise the accept queue of {upstream} (backlog of its listening socket, net.core.somaxconn) and let it \
             accept faster. {longer}"
        )),
        Subtype::ServerQueueRejected => say(format!("raise the request queue of {upstream}, or add workers")),
        _ => app_queue(case, longer),
    }
}

fn app_queue(case: &Case<'_, '_>, longer: &str) -> Fix {
    let (setting, more) = match case.upstream_product() {
        Some(Product::Gunicorn) => ("workers", "2 x cores + 1, or threads"),
        Some(Product::Uvicorn) => ("--workers", "one per core"),
        Some(Product::Iis) => ("processModel maxProcesses", "more processes, after a load test"),
        Some(Product::Apache) => ("MaxRequestWorkers", "more, as far as memory allows"),
        Some(Product::PhpFpm) => ("pm.max_children", "memory for PHP / memory of one child"),
        Some(Product::Uwsgi) => ("processes", "one or two per core, or threads"),
        Some(Product::Ruby) => ("workers", "one per core, and threads"),
        Some(Product::Tomcat) => ("maxThreads", "more, if the work is waiting and not computing"),
        Some(Product::Jetty) => (
            "jetty.threadPool.maxThreads",
            "more, if the work is waiting and not computing",
        ),
        _ => ("", ""),
    };
    let changes = case
        .upstream_hop
        .filter(|_| !setting.is_empty())
        .and_then(|hop| free(case, hop, setting, &counted(case, hop, setting), more.to_owned()));
    Fix {
        summary: format!(
            "give {} more workers, threads or instances, or shorten what they do; keep slow requests in a pool of \
             their own. {longer}",
            case.upstream_name()
        ),
        changes: changes.into_iter().collect(),
        what_if: None,
    }
}

/// How many there are now, and where that stands.
fn counted(case: &Case<'_, '_>, hop: HopId, setting: &str) -> String {
    let counts = case.survey.world.limits.counts(hop);
    let name = setting.trim_start_matches("processModel ");
    let found = counts.iter().find(|count| count.setting == name);
    match found.map(|count| (count.value, &count.origin)) {
        Some((value, Origin::File { file, line })) => format!("{value}, {file}:{line}"),
        Some((value, _)) => format!("{value}, given"),
        None => "not known".to_owned(),
    }
}

fn dropped(case: &Case<'_, '_>, subtype: Subtype) -> Fix {
    let (name, upstream) = (case.name(), case.upstream_name());
    match subtype {
        Subtype::Refused => say(format!(
            "start {upstream}, or correct address and port: nothing was listening there; let a health check keep \
             {name} from sending to it before it is up"
        )),
        Subtype::Unreachable => say(format!(
            "check name, routing and filters from {name} to {upstream}"
        )),
        Subtype::WorkerCrash => crash(case),
        Subtype::BackendRestart | Subtype::AppPoolRecycle => say(format!(
            "drain before stopping {upstream}: take it out of rotation at {name}, wait for the longest request, then stop \
             it; with IIS let the old and the new process overlap and set the shutdown time above the longest request"
        )),
        Subtype::TlsRejected => say(format!(
            "compare what {name} offers with what {upstream} accepts: port, certificate chain, server name, protocol version"
        )),
        Subtype::NoLiveUpstream => say(format!(
            "remove the failure that took the servers out; then look at how soon {name} gives up on a server and \
             for how long"
        )),
        Subtype::ResetMidResponse | Subtype::IdleCutInFlight => say(format!(
            "find what between {name} and {upstream} has an idle limit of that length and raise it, or send something \
             regularly"
        )),
        _ => closed(case),
    }
}

/// Closed without an answer: by the process, or, where nothing excludes it, by the keep-alive of the upstream.
fn closed(case: &Case<'_, '_>) -> Fix {
    let (name, upstream) = (case.name(), case.upstream_name());
    let look = format!(
        "look at the process behind {upstream} at that moment: it closed the connection without an answer"
    );
    let sum = super::weigh::balance(case);
    let open = case.x.is_cut_without_a_byte() && sum.excluded.is_none() && sum.race() > 0;
    if !open {
        return say(look);
    }
    say(format!(
        "{look}. If {name} keeps connections to it, compare both keep-alive times first: {upstream} must keep idle \
         connections longer than {name}"
    ))
}

/// A worker that its own server killed for being busy too long needs a longer limit; others need a look.
fn crash(case: &Case<'_, '_>) -> Fix {
    let upstream = case.upstream_name();
    // The limit that is known, else the length at which the upstream was seen to cut requests off.
    let learnt = case.learnt(&case.survey.learnt.cuts);
    let learnt = learnt.map(|value| learnt_limit(LimitKind::WorkerKill, value));
    let hit = |limit: &Limit| match (limit.value_us, case.x.lasted_us) {
        (Some(us), Some(lasted)) => us > 0 && hits(lasted, us),
        _ => false,
    };
    let known = case.upstream_limit(LimitKind::WorkerKill).filter(hit);
    let kill = known.or_else(|| learnt.filter(hit));
    let read = value(case.limit(LimitKind::Read).as_ref());
    let changes = case
        .upstream_hop
        .filter(|_| kill.is_some())
        .and_then(|hop| change(case, hop, LimitKind::WorkerKill, kill.as_ref(), read? + MARGIN_US));
    Fix {
        summary: format!(
            "find out why the process of {upstream} died: its own log, the kernel's out-of-memory record, its limit for \
             busy workers. That limit should lie above the timeout of {}, so that a slow request ends with a clear 504",
            case.name()
        ),
        changes: changes.into_iter().collect(),
        what_if: None,
    }
}

fn invalid(case: &Case<'_, '_>, subtype: Subtype) -> Fix {
    let upstream = case.upstream_name();
    match subtype {
        Subtype::HeaderTooBig => {
            let setting = match case.x.product {
                Product::Nginx => ("proxy_buffer_size", "4k or 8k, nginx default", "16k"),
                Product::Apache => ("ResponseFieldSize", "8192, apache default", "16384"),
                Product::Haproxy => ("tune.bufsize", "16384, haproxy default", "32768"),
                Product::Squid => ("reply_header_max_size", "64 KB, squid default", "128 KB"),
                Product::Varnish => ("-p http_resp_hdr_len", "8k, varnish default", "32k"),
                _ => ("", "", ""),
            };
            let changes = Some(setting)
                .filter(|s| !s.0.is_empty())
                .and_then(|s| free(case, case.x.hop, s.0, s.1, s.2.to_owned()));
            Fix {
                summary: format!(
                    "shrink the header of {upstream} (cookies first), or raise the buffer of {}",
                    case.name()
                ),
                changes: changes.into_iter().collect(),
                what_if: None,
            }
        }
        Subtype::ProtocolMismatch => say(format!(
            "match scheme, port and protocol version of {} with what {upstream} speaks",
            case.name()
        )),
        Subtype::PolicyBlocked => say(format!(
            "a rule of {} rejected the answer: look there",
            case.name()
        )),
        _ => say(format!("correct the answer of {upstream}: it is not valid HTTP")),
    }
}

impl<'a> Case<'_, 'a> {
    /// The hop whose answer it was, for a status that was passed on.
    fn upstream_name_or_own(&self) -> &'a str {
        match self.how {
            super::issuer::How::Received(_) => self.sender_name(),
            _ => self.name(),
        }
    }
}
