//! How findings are worded: values with their origin, places, changes.

use super::{Pair, Server};
use crate::limits::{Route, setting};
use crate::model::finding::Change;
use crate::model::lint::{Level, LintFinding, LintValue};
use crate::model::{Limit, LimitKind, Origin};

/// A length of time in the unit that reads best.
pub(super) fn span(us: u64) -> String {
    let (number, unit) = match us {
        us if us < 1_000_000 => (us as f64 / 1e3, "ms"),
        us if us >= 7_200_000_000 && us.is_multiple_of(3_600_000_000) => (us as f64 / 3.6e9, "h"),
        us => (us as f64 / 1e6, "s"),
    };
    let digits = format!("{number:.3}");
    format!("{} {unit}", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// The same for a limit that may be none.
pub(super) fn value(limit: &Limit) -> String {
    limit.value_us.map_or_else(|| "without limit".to_owned(), span)
}

/// Where a limit is known from.
pub(super) fn origin(limit: &Limit) -> String {
    match &limit.origin {
        Origin::File { file, line } => format!("{file}:{line}"),
        Origin::Default { product } => format!("{} default", product.name()),
        Origin::Learnt { support } => format!("learnt from {support} records"),
        Origin::Given => "given".to_owned(),
    }
}

/// A limit as findings list it.
pub(super) fn listed(server: &Server, limit: &Limit) -> LintValue {
    LintValue {
        server: server.name.clone(),
        setting: limit.setting.clone(),
        value_ms: limit.value_us.map(|us| us as f64 / 1e3),
        origin: origin(limit),
    }
}

/// Setting `kind` of a server to `us`; nothing if its program has no such setting.
pub(super) fn change(server: &Server, kind: LimitKind, now: Option<&Limit>, us: u64) -> Option<Change> {
    let (name, proposed) = setting(server.product, kind, us)?;
    // A parameter of a line stands there and not in the directive for all.
    let parameter = now.filter(|limit| limit.setting.ends_with('='));
    let name = parameter.map_or_else(
        || name.to_owned(),
        |limit| format!("{} in that line", limit.setting),
    );
    Some(Change {
        hop: server.name.clone(),
        product: server.product.name().to_owned(),
        setting: name,
        current: now.map_or_else(
            || "not known".to_owned(),
            |limit| format!("{}, {}", value(limit), origin(limit)),
        ),
        proposed,
    })
}

/// What a route is for, in one word; nothing if it is for all.
pub(super) fn place(route: &Route) -> Option<String> {
    let host = route.hosts.first().map_or("", String::as_str);
    match (host, route.path.as_str(), route.group.as_str()) {
        ("", "", "") => None,
        ("", "", group) => Some(group.to_owned()),
        (host, path, _) => Some(format!("{host}{path}")),
    }
}

impl Pair<'_> {
    /// A finding about this pair.
    pub(super) fn finding(&self, level: Level, rule: &str, summary: String, why: &str) -> LintFinding {
        let upstream = self.receiver().map(|server| server.name.clone());
        LintFinding {
            level,
            rule: rule.to_owned(),
            downstream: self.sender().name.clone(),
            upstream: upstream.unwrap_or_default(),
            places: place(self.route).into_iter().collect(),
            summary,
            why: why.to_owned(),
            values: Vec::new(),
            changes: Vec::new(),
            cost: String::new(),
        }
    }

    /// The limits listed, those of the sender first.
    pub(super) fn values(&self, own: &[&Limit], theirs: &[&Limit]) -> Vec<LintValue> {
        let mut all: Vec<LintValue> = own.iter().map(|limit| listed(self.sender(), limit)).collect();
        if let Some(server) = self.receiver() {
            all.extend(theirs.iter().map(|limit| listed(server, limit)));
        }
        all
    }
}
