//! What the user knows of the hops and the logs do not say: `why502.toml`, and `--limit`.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use why502_parsers::Product;

use super::{HopName, Pattern, Plan, Rule, Zone, duration};
use crate::error::Error;
use crate::model::{Limit, LimitKind, Origin};

/// The file's name.
pub const FILE_NAME: &str = "why502.toml";

/// The names of limits as users write them.
pub const LIMIT_NAMES: [(&str, LimitKind); 11] = [
    ("idle", LimitKind::ClientIdle),
    ("upstream_idle", LimitKind::UpstreamIdle),
    ("connect", LimitKind::Connect),
    ("tls", LimitKind::TlsHandshake),
    ("response", LimitKind::Read),
    ("send", LimitKind::Send),
    ("total", LimitKind::Total),
    ("queue", LimitKind::Queue),
    ("worker_kill", LimitKind::WorkerKill),
    ("drain", LimitKind::Drain),
    ("recycle", LimitKind::Recycle),
];

/// One hop as the user describes it.
#[derive(Debug, Clone, Default)]
pub struct GivenHop {
    /// Its name, or the address under which it is reached.
    pub name: String,
    /// Its program.
    pub product: Option<Product>,
    /// Addresses (`host:port`) under which it is reached.
    pub listens: Vec<String>,
    /// Names or addresses of those it sends requests to.
    pub upstreams: Vec<String>,
    /// Its timers.
    pub limits: Vec<Limit>,
    /// Processes or threads that answer requests.
    pub workers: Option<u32>,
    /// Requests it can have in work at once.
    pub capacity: Option<u32>,
}

/// Reads `HOP.LIMIT=LENGTH`, as in `app.idle=5s`.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn limit(text: &str) -> Result<GivenHop, (String, String)> {
    let form = || "write HOP.LIMIT=LENGTH, as in app.idle=5s or 10.0.0.3:3000.response=30s".to_owned();
    let parts = text
        .split_once('=')
        .and_then(|(left, value)| Some((left.rsplit_once('.')?, value)));
    let Some(((hop, name), value)) = parts.filter(|((hop, _), _)| !hop.trim().is_empty()) else {
        return Err((format!("'{text}' does not give a limit of a hop"), form()));
    };
    let name = name.trim();
    let Some((_, kind)) = LIMIT_NAMES.iter().find(|(known, _)| *known == name) else {
        return Err((format!("unknown limit '{name}'"), format!("valid: {}", names())));
    };
    let value_us = length(value).ok_or_else(|| (format!("'{value}' is not a length of time"), forms()))?;
    Ok(GivenHop {
        name: hop.trim().to_owned(),
        limits: vec![Limit {
            kind: *kind,
            value_us,
            setting: name.to_owned(),
            origin: Origin::Given,
        }],
        ..GivenHop::default()
    })
}

fn names() -> String {
    LIMIT_NAMES.map(|(name, _)| name).join(", ")
}

fn forms() -> String {
    format!("valid: {}, or none", duration::FORMS)
}

/// A length of time; the inner value is none for no limit.
fn length(text: &str) -> Option<Option<u64>> {
    match text.trim() {
        "none" => Some(None),
        text => Some(Some(u64::try_from(duration::parse(text)?).ok()?)),
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    hop: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Spanned<String>,
    #[serde(default)]
    files: Vec<Spanned<String>>,
    product: Option<Spanned<String>>,
    zone: Option<Spanned<String>>,
    offset: Option<Spanned<String>>,
    #[serde(default)]
    listen: Vec<String>,
    #[serde(default)]
    upstreams: Vec<String>,
    workers: Option<u32>,
    capacity: Option<u32>,
    #[serde(default)]
    limits: Times,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Times {
    idle: Option<Spanned<String>>,
    upstream_idle: Option<Spanned<String>>,
    connect: Option<Spanned<String>>,
    tls: Option<Spanned<String>>,
    response: Option<Spanned<String>>,
    send: Option<Spanned<String>>,
    total: Option<Spanned<String>>,
    queue: Option<Spanned<String>>,
    worker_kill: Option<Spanned<String>>,
    drain: Option<Spanned<String>>,
    recycle: Option<Spanned<String>>,
}

impl Times {
    /// In the order of [`LIMIT_NAMES`].
    fn into_list(self) -> [Option<Spanned<String>>; 11] {
        [
            self.idle,
            self.upstream_idle,
            self.connect,
            self.tls,
            self.response,
            self.send,
            self.total,
            self.queue,
            self.worker_kill,
            self.drain,
            self.recycle,
        ]
    }
}

/// A file that is being read.
struct Source<'a> {
    text: &'a str,
    shown: &'a str,
}

impl Source<'_> {
    fn line(&self, at: usize) -> u32 {
        let before = self.text.get(..at).unwrap_or(self.text);
        u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
    }

    fn wrong(&self, span: Range<usize>, what: impl std::fmt::Display, hint: impl Into<String>) -> Error {
        Error::Usage {
            message: format!("{}:{}: {what}", self.shown, self.line(span.start)),
            hint: hint.into(),
        }
    }
}

/// Takes what the file `shown` says into `plan`. Options that were given on the command line go before it.
///
/// # Errors
/// [`Error::Usage`] names the file, the line and what would be right.
pub fn apply(plan: &mut Plan, text: &str, shown: &str) -> Result<(), Error> {
    let source = Source { text, shown };
    let file: File = toml::from_str(text).map_err(|error| {
        let hint =
            "a [[hop]] has name, files, product, zone, offset, listen, upstreams, workers, capacity, limits";
        source.wrong(error.span().unwrap_or(0..0), error.message(), hint)
    })?;
    let named: Vec<String> = plan.hop_names.iter().map(|hop| hop.name.clone()).collect();
    let (mut zones, mut offsets, mut hops) = (Vec::new(), Vec::new(), Vec::new());
    for table in file.hop {
        let mut patterns = Vec::new();
        for glob in &table.files {
            let pattern = Pattern::new(glob.get_ref())
                .map_err(|what| source.wrong(glob.span(), what, "close every bracket and brace"))?;
            patterns.push(pattern);
        }
        if patterns.is_empty() {
            // A directory called like the hop holds its logs.
            patterns.extend(Pattern::new(&globset::escape(table.name.get_ref())).ok());
        }
        if let Some(zone) = &table.zone {
            let hint = "an IANA name, an offset such as +02:00, UTC, or local";
            let value = Zone::parse(zone.get_ref()).map_err(|what| source.wrong(zone.span(), what, hint))?;
            zones.extend(rules(&patterns, value));
        }
        if let Some(offset) = &table.offset {
            let value = duration::parse_signed(offset.get_ref()).ok_or_else(|| {
                let what = format!("'{}' is not a length of time", offset.get_ref());
                source.wrong(offset.span(), what, "write +LENGTH or -LENGTH, as in +2.3s")
            })?;
            offsets.extend(rules(&patterns, value));
        }
        if !named.contains(table.name.get_ref()) {
            hops.extend(patterns.into_iter().map(|pattern| HopName {
                name: table.name.get_ref().clone(),
                pattern,
            }));
        }
        let given = hop(&source, table)?;
        // What stands on the command line comes later in the list, and the last one holds.
        plan.given.insert(0, given);
    }
    // A later rule goes before an earlier one, and the command line's before the file's.
    plan.zones.splice(0..0, zones);
    plan.offsets.splice(0..0, offsets);
    plan.hop_names.extend(hops);
    Ok(())
}

fn rules<T: Copy>(patterns: &[Pattern], value: T) -> impl Iterator<Item = Rule<T>> {
    patterns.iter().map(move |pattern| Rule {
        pattern: Some(pattern.clone()),
        value,
    })
}

fn hop(source: &Source<'_>, table: Table) -> Result<GivenHop, Error> {
    let mut given = GivenHop {
        name: table.name.into_inner(),
        listens: table.listen,
        upstreams: table.upstreams,
        workers: table.workers,
        capacity: table.capacity,
        ..GivenHop::default()
    };
    if let Some(product) = table.product {
        let known = Product::NAMED.iter().find(|(name, _)| name == product.get_ref());
        let Some((_, known)) = known else {
            let names: Vec<&str> = Product::NAMED.iter().map(|(name, _)| *name).collect();
            let what = format!("unknown product '{}'", product.get_ref());
            return Err(source.wrong(product.span(), what, format!("valid: {}", names.join(", "))));
        };
        given.product = Some(*known);
    }
    for ((name, kind), value) in LIMIT_NAMES.iter().zip(table.limits.into_list()) {
        let Some(value) = value else { continue };
        let value_us = length(value.get_ref()).ok_or_else(|| {
            let what = format!("'{}' is not a length of time", value.get_ref());
            source.wrong(value.span(), what, forms())
        })?;
        given.limits.push(Limit {
            kind: *kind,
            value_us,
            setting: (*name).to_owned(),
            origin: Origin::File {
                file: source.shown.to_owned(),
                line: source.line(value.span().start),
            },
        });
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[[hop]]\nname = \"edge\"\nfiles = [\"nginx*\", \"lb/**\"]\nzone = \"+02:00\"\noffset = \"-1.5s\"\n\n[[hop]]\nname = \"app\"\nproduct = \"node\"\nlisten = [\"10.0.0.3:3000\"]\nworkers = 4\n[hop.limits]\nidle = \"5s\"\nresponse = \"none\"\n";

    fn applied(text: &str) -> Result<Plan, String> {
        let mut plan = Plan::default();
        match apply(&mut plan, text, "logs/why502.toml") {
            Ok(()) => Ok(plan),
            Err(error) => Err(format!("{error}\n{}", error.hint())),
        }
    }

    #[test]
    fn a_file_names_hops_in_order_with_zones_offsets_and_limits() {
        let plan = applied(FILE).unwrap();
        assert_eq!(plan.hop_of("logs/nginx-access.log"), Some((0, "edge")));
        assert_eq!(plan.hop_of("logs/lb/access.log"), Some((1, "edge")));
        assert_eq!(plan.hop_of("logs/app/out.log"), Some((2, "app")));
        assert_eq!(plan.zone_of("nginx.log"), Some(Zone::Fixed(7_200)));
        assert_eq!(plan.offset_of("nginx.log"), Some(-1_500_000));
        let app = plan.given.iter().find(|hop| hop.name == "app").unwrap();
        assert_eq!((app.product, app.workers), (Some(Product::Node), Some(4)));
        assert_eq!(app.limits[0].value_us, Some(5_000_000));
        assert_eq!(app.limits[1].value_us, None);
        let line = Origin::File {
            file: "logs/why502.toml".to_owned(),
            line: 13,
        };
        assert_eq!(app.limits[0].origin, line);
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let mut plan = Plan {
            hop_names: vec![HopName {
                name: "edge".to_owned(),
                pattern: Pattern::new("front*").unwrap(),
            }],
            zones: vec![Rule {
                pattern: None,
                value: Zone::Utc,
            }],
            given: vec![limit("app.idle=9s").unwrap()],
            ..Plan::default()
        };
        apply(&mut plan, FILE, "why502.toml").unwrap();
        assert_eq!(plan.hop_of("nginx.log"), None, "the option renamed its files");
        assert_eq!(plan.hop_of("front.log"), Some((0, "edge")));
        let last = plan.given.iter().rfind(|hop| hop.name == "app").unwrap();
        assert_eq!(last.limits[0].value_us, Some(9_000_000));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_remedy() {
        for (text, what) in [
            (
                "[[hop]]\nname = \"a\"\n[hop.limits]\nidle = \"5\"\n",
                "why502.toml:4: '5' is not a length of time\nvalid: 90s",
            ),
            ("[[hop]]\nname = \"a\"\nzone = \"Mars/Base\"\n", "why502.toml:3: "),
            (
                "[[hop]]\nname = \"a\"\nproduct = \"ngnix\"\n",
                "unknown product 'ngnix'\nvalid: nginx, haproxy",
            ),
            (
                "[[hop]]\nname = \"a\"\n[hop.limits]\nidel = \"5s\"\n",
                "why502.toml:4: unknown field `idel`",
            ),
            ("[[hop]]\nfiles = []\n", "missing field `name`"),
            ("[[hop]\n", "why502.toml:1: "),
            ("hops = 1\n", "a [[hop]] has name"),
        ] {
            let said = applied(text).unwrap_err();
            assert!(said.contains(what), "{text}: {said}");
        }
    }

    #[test]
    fn a_limit_is_given_to_a_hop_or_an_address() {
        let given = limit("10.0.0.3:3000.upstream_idle=1m30s").unwrap();
        assert_eq!(
            (given.name.as_str(), given.limits[0].kind),
            ("10.0.0.3:3000", LimitKind::UpstreamIdle)
        );
        assert_eq!(given.limits[0].value_us, Some(90_000_000));
        for text in ["app=5s", "app.idle", ".idle=5s", "app.idle=5", "app.sleep=5s"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }
}
