//! Compares findings with the truth of a capture: who was found, with which cause, and what was made up.
//!
//! A truth and a finding are the same request if they share an id, or else if method, path, status and
//! client agree and the times are close. One finding answers for one request only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::DateTime;
use serde_json::Value;

/// How far the time of a finding may be from the truth, in microseconds: servers log whole seconds.
const NEAR_US: i64 = 1_500_000;

/// One fault of a capture, and how its requests were judged.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct FaultScore {
    /// Requests it was injected into (those whose status was asked for).
    pub(crate) injected: u32,
    /// Of these, requests with a finding.
    pub(crate) found: u32,
    /// Of these, findings with the right cause.
    pub(crate) right_cause: u32,
    /// Of these, findings with the right subtype as well.
    pub(crate) right_subtype: u32,
    /// Requests with a finding that says it does not know.
    pub(crate) unexplained: u32,
}

/// The judgement of one report.
#[derive(Debug, Default)]
pub(crate) struct Score {
    /// By the name of the fault.
    pub(crate) per_fault: BTreeMap<String, FaultScore>,
    /// Ids of findings that are no failure of the truth.
    pub(crate) extra: Vec<String>,
    /// Findings called proven with a wrong cause or subtype, in words.
    pub(crate) proven_but_wrong: Vec<String>,
    /// Requests of the truth without a finding, in words.
    pub(crate) missed: Vec<String>,
    /// For each finding that was judged: its score, and whether cause and subtype were right.
    pub(crate) scores: Vec<(f64, bool, bool)>,
    /// How often which truth was taken for what.
    pub(crate) confusion: BTreeMap<(String, String), u32>,
}

impl Score {
    /// Share of right causes, averaged over the faults so that a frequent one does not hide a rare one. 1 if there were none.
    pub(crate) fn macro_right_cause(&self) -> f64 {
        if self.per_fault.is_empty() {
            return 1.0;
        }
        let share = |fault: &FaultScore| f64::from(fault.right_cause) / f64::from(fault.injected);
        self.per_fault.values().map(share).sum::<f64>() / self.per_fault.len() as f64
    }

    /// Share of requests with the right cause or an honest `unexplained` among those with a finding, averaged over the
    /// faults. 1 if there were none.
    #[allow(dead_code)] // Not every test that shares this file takes logs away.
    pub(crate) fn macro_honest(&self) -> f64 {
        let found: Vec<&FaultScore> = self.per_fault.values().filter(|fault| fault.found > 0).collect();
        if found.is_empty() {
            return 1.0;
        }
        let share =
            |fault: &&FaultScore| f64::from(fault.right_cause + fault.unexplained) / f64::from(fault.found);
        found.iter().map(share).sum::<f64>() / found.len() as f64
    }

    /// What falls short of the requirement, `wanted` being the share of right causes over the faults; empty if nothing
    /// does.
    pub(crate) fn complaints(&self, wanted: f64) -> Vec<String> {
        let mut all: Vec<String> = self.missed.iter().map(|one| format!("missed: {one}")).collect();
        all.extend(self.extra.iter().map(|id| format!("not in the truth: {id}")));
        all.extend(
            self.proven_but_wrong
                .iter()
                .map(|one| format!("proven but wrong: {one}")),
        );
        let right = self.macro_right_cause();
        if right < wanted {
            all.push(format!(
                "right cause, averaged over the faults: {right:.3}, wanted {wanted}"
            ));
        }
        all
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20} {:>8} {:>6} {:>6} {:>8}",
            "fault", "injected", "found", "cause", "subtype"
        )?;
        for (name, one) in &self.per_fault {
            let FaultScore {
                injected,
                found,
                right_cause,
                right_subtype,
                ..
            } = one;
            writeln!(
                f,
                "{name:<20} {injected:>8} {found:>6} {right_cause:>6} {right_subtype:>8}"
            )?;
        }
        let wrong = self.confusion.iter().filter(|((truth, said), _)| truth != said);
        for ((truth, said), count) in wrong {
            writeln!(f, "  {count} x {truth} taken for {said}")?;
        }
        writeln!(
            f,
            "right cause, averaged over the faults: {:.3}",
            self.macro_right_cause()
        )
    }
}

/// Judges `findings` (a report as JSON) by `truth` (a `truth.json`). `diagnosed` says which statuses were asked for.
///
/// Requests that ended without a status, or with one that was not asked for, are not scored, but a finding
/// about one of them is not held against the report either.
pub(crate) fn score(truth: &Value, findings: &Value, diagnosed: impl Fn(u16) -> bool) -> Score {
    let rows: Vec<Row> = list(truth, "requests").iter().map(Row::read).collect();
    let found: Vec<Found> = list(findings, "findings").iter().map(Found::read).collect();
    let is_scored = |row: &Row| !row.near_miss && row.status.is_some_and(&diagnosed);
    let mut score = Score::default();
    let scored: Vec<&Row> = rows.iter().filter(|row| is_scored(row)).collect();
    let pairs = pair(&scored, &found, true);
    for (n, row) in scored.iter().enumerate() {
        score.judge(row, pairs.get(&n).map(|&at| &found[at]));
    }
    let taken: BTreeSet<usize> = pairs.values().copied().collect();
    let left: Vec<(usize, Found)> = found
        .iter()
        .cloned()
        .enumerate()
        .filter(|(at, _)| !taken.contains(at))
        .collect();
    let unscored: Vec<&Row> = rows.iter().filter(|row| !is_scored(row)).collect();
    let rest: Vec<Found> = left.iter().map(|(_, one)| one.clone()).collect();
    let excused: BTreeSet<usize> = pair(&unscored, &rest, false).into_values().collect();
    score.extra = rest
        .iter()
        .enumerate()
        .filter(|(at, _)| !excused.contains(at))
        .map(|(_, one)| one.describe())
        .collect();
    score.near_misses(&rows, list(findings, "near_misses"));
    score
}

impl Score {
    fn judge(&mut self, row: &Row, found: Option<&Found>) {
        let fault = self.per_fault.entry(row.fault.clone()).or_default();
        fault.injected += 1;
        let Some(found) = found else {
            self.missed.push(row.describe());
            *self
                .confusion
                .entry((row.label(), "nothing".to_owned()))
                .or_default() += 1;
            return;
        };
        fault.found += 1;
        let is_wrong = !row.accepts_cause(&found.cause, &found.subtype);
        fault.unexplained += u32::from(is_wrong && found.cause == "unexplained");
        fault.right_cause += u32::from(row.accepts_cause(&found.cause, &found.subtype));
        let right = row.accepts(&found.cause, &found.subtype);
        fault.right_subtype += u32::from(right);
        if let Some(score) = found.score {
            let cause = row.accepts_cause(&found.cause, &found.subtype);
            self.scores.push((score, cause, right));
        }
        let said = if right {
            row.label()
        } else {
            format!("{}/{}", found.cause, found.subtype)
        };
        if !right && found.certainty == "proven" {
            self.proven_but_wrong
                .push(format!("{} said {said}, it was {}", found.id, row.describe()));
        }
        *self.confusion.entry((row.label(), said)).or_default() += 1;
    }

    /// Failures that a retry hid are reported in groups: each group answers for as many as it counts.
    fn near_misses(&mut self, rows: &[Row], groups: &[Value]) {
        let mut left: Vec<u64> = groups
            .iter()
            .map(|group| group["count"].as_u64().unwrap_or(0))
            .collect();
        let fits = |row: &Row, group: &Value| {
            text(group, "hop") == row.issuer
                && time(group, "first") - NEAR_US <= row.end_us
                && row.end_us <= time(group, "last") + NEAR_US
        };
        let is_right = |row: &Row, group: &Value| row.accepts(&text(group, "cause"), &text(group, "subtype"));
        let mut hidden: Vec<(&Row, Option<usize>)> = rows
            .iter()
            .filter(|row| row.near_miss)
            .map(|row| (row, None))
            .collect();
        hidden.sort_by_key(|(row, _)| row.end_us);
        // Groups overlap: one that ends soon answers first, since it can answer for nothing later.
        for must_be_right in [true, false] {
            for (row, answer) in hidden.iter_mut().filter(|(_, answer)| answer.is_none()) {
                let may = |&n: &usize| {
                    left[n] > 0 && fits(row, &groups[n]) && (!must_be_right || is_right(row, &groups[n]))
                };
                let soonest = (0..groups.len())
                    .filter(may)
                    .min_by_key(|&n| time(&groups[n], "last"));
                if let Some(n) = soonest {
                    left[n] -= 1;
                    *answer = Some(n);
                }
            }
        }
        for (row, answer) in hidden {
            let found = answer.map(|n| Found::of_group(&groups[n]));
            self.judge(row, found.as_ref());
        }
    }
}

/// A request of the truth.
struct Row {
    fault: String,
    cause: String,
    /// Subtypes that are right; empty if any is.
    subtypes: Vec<String>,
    method: String,
    path: String,
    client: String,
    end_us: i64,
    status: Option<u16>,
    issuer: String,
    near_miss: bool,
    ids: Vec<String>,
}

impl Row {
    fn read(value: &Value) -> Self {
        let own = value["subtype"].as_str();
        let others = list(value, "alternatives").iter().filter_map(Value::as_str);
        Self {
            fault: text(value, "fault"),
            cause: text(value, "cause"),
            subtypes: own.into_iter().chain(others).map(str::to_owned).collect(),
            method: text(value, "method"),
            path: text(value, "path"),
            client: text(value, "client"),
            end_us: time(value, "end"),
            status: value["status"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok()),
            issuer: text(value, "issuer"),
            near_miss: value["near_miss"].as_bool().unwrap_or(false),
            ids: value["ids"]
                .as_object()
                .map(|ids| {
                    ids.values()
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect()
                })
                .unwrap_or_default(),
        }
    }

    fn label(&self) -> String {
        format!(
            "{}/{}",
            self.cause,
            self.subtypes.first().map_or("", String::as_str)
        )
    }

    /// A subtype belongs to one cause, so an alternative subtype brings its cause with it.
    fn accepts_cause(&self, cause: &str, subtype: &str) -> bool {
        cause == self.cause || self.subtypes.iter().skip(1).any(|one| one == subtype)
    }

    fn accepts(&self, cause: &str, subtype: &str) -> bool {
        let right = self.subtypes.is_empty() || self.subtypes.iter().any(|one| one == subtype);
        self.accepts_cause(cause, subtype) && right
    }

    fn describe(&self) -> String {
        let status = self
            .status
            .map_or("no answer".to_owned(), |status| status.to_string());
        let when = DateTime::from_timestamp_micros(self.end_us)
            .unwrap_or_default()
            .format("%H:%M:%S%.3f");
        format!(
            "{} ({}) {when} {status} {} {} from {}",
            self.fault,
            self.label(),
            self.method,
            self.path,
            self.client
        )
    }
}

/// A finding.
#[derive(Clone)]
struct Found {
    id: String,
    cause: String,
    subtype: String,
    certainty: String,
    score: Option<f64>,
    method: String,
    path: String,
    client: String,
    time_us: i64,
    status: Option<u16>,
    ids: Vec<String>,
}

impl Found {
    fn read(value: &Value) -> Self {
        let request = &value["request"];
        Self {
            id: text(value, "id"),
            cause: text(value, "cause"),
            subtype: text(value, "subtype"),
            certainty: text(value, "certainty"),
            score: value["score"].as_f64(),
            method: text(request, "method"),
            path: text(request, "path"),
            client: text(request, "client"),
            time_us: time(value, "time"),
            status: value["status"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok()),
            ids: list(request, "ids")
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        }
    }

    /// A group of near misses as a finding without a certainty.
    fn of_group(value: &Value) -> Self {
        Self {
            id: "near miss".to_owned(),
            ..Self::read(value)
        }
    }

    fn describe(&self) -> String {
        let when = DateTime::from_timestamp_micros(self.time_us)
            .unwrap_or_default()
            .format("%H:%M:%S%.3f");
        let status = self.status.unwrap_or_default();
        format!(
            "{} ({}/{}) {when} {status} {} {}",
            self.id, self.cause, self.subtype, self.method, self.path
        )
    }
}

/// How good a pair is; the least is the best.
type Fit = (bool, bool, i64);

/// Pairs rows with findings one to one, the surest pairs first: same id, then same client port, then nearest in time.
/// Whether the status must agree says `with_status`.
fn pair(rows: &[&Row], found: &[Found], with_status: bool) -> BTreeMap<usize, usize> {
    let mut fits: Vec<(Fit, usize, usize)> = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        for (at, one) in found.iter().enumerate() {
            if let Some(fit) = fit(row, one, with_status) {
                fits.push((fit, n, at));
            }
        }
    }
    fits.sort_unstable();
    let (mut pairs, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (_, n, at) in fits {
        if !pairs.contains_key(&n) && taken.insert(at) {
            pairs.insert(n, at);
        }
    }
    pairs
}

fn fit(row: &Row, one: &Found, with_status: bool) -> Option<Fit> {
    let apart_us = (row.end_us - one.time_us).abs();
    let same_id = row.ids.iter().any(|id| one.ids.contains(id));
    if row.method != one.method || !same_path(&row.path, &one.path) || apart_us > NEAR_US {
        return None;
    }
    // Where only an inner hop has a record, the client it saw is the hop before it.
    let same_address = address(&row.client) == address(&one.client);
    if with_status && (row.status != one.status || !(same_address || same_id)) {
        return None;
    }
    Some((!same_id, row.client != one.client, apart_us))
}

/// Whether a log means this path: some strip the query string, and may leave its mark.
fn same_path(path: &str, logged: &str) -> bool {
    let bare = path.split('?').next().unwrap_or_default();
    path == logged || bare == logged.strip_suffix('?').unwrap_or(logged)
}

/// `client` without its port.
fn address(client: &str) -> &str {
    match client.rsplit_once(':') {
        Some((address, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => address,
        _ => client,
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A stamp in microseconds since the Unix epoch; zero if there is none.
fn time(value: &Value, key: &str) -> i64 {
    let stamp = value[key]
        .as_str()
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    stamp.map_or(0, |stamp| stamp.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn truth(status: u16, subtype: &str) -> Value {
        json!({"requests": [{
            "fault": "slow", "cause": "proxy_timeout", "subtype": subtype, "alternatives": ["listen_backlog"],
            "method": "GET", "path": "/a?b=1", "client": "127.0.0.1:4000", "start": "2026-11-20T10:00:00.000Z",
            "end": "2026-11-20T10:00:05.000Z", "status": status, "issuer": "edge", "near_miss": false, "ids": {}
        }]})
    }

    fn report(cause: &str, subtype: &str, time: &str, client: &str) -> Value {
        json!({"findings": [{
            "id": "f-1", "time": time, "status": 504, "cause": cause, "subtype": subtype, "certainty": "proven",
            "request": {"ids": [], "method": "GET", "path": "/a?b=1", "client": client}
        }]})
    }

    fn judged(truth: &Value, report: &Value) -> Score {
        score(truth, report, |status| status >= 500)
    }

    #[test]
    fn a_right_finding_leaves_nothing_to_complain_about() {
        let report = report(
            "proxy_timeout",
            "connect_timeout",
            "2026-11-20T10:00:06.400Z",
            "127.0.0.1",
        );
        let score = judged(&truth(504, "connect_timeout"), &report);
        assert_eq!(score.complaints(0.95), Vec::<String>::new());
        assert_eq!(score.per_fault["slow"].right_subtype, 1);
    }

    #[test]
    fn another_client_or_another_second_is_another_request() {
        for (time, client) in [
            ("2026-11-20T10:00:07.000Z", "127.0.0.1"),
            ("2026-11-20T10:00:05.000Z", "127.0.0.2"),
        ] {
            let score = judged(
                &truth(504, "connect_timeout"),
                &report("proxy_timeout", "connect_timeout", time, client),
            );
            assert_eq!((score.missed.len(), score.extra.len()), (1, 1), "{time} {client}");
        }
    }

    #[test]
    fn an_alternative_subtype_brings_its_cause_and_a_wrong_one_is_told() {
        let at = "2026-11-20T10:00:05.000Z";
        let right = judged(
            &truth(504, "connect_timeout"),
            &report("queueing_delay", "listen_backlog", at, "127.0.0.1"),
        );
        assert_eq!(right.complaints(0.95), Vec::<String>::new());
        let wrong = judged(
            &truth(504, "connect_timeout"),
            &report("proxy_timeout", "client_timeout", at, "127.0.0.1"),
        );
        assert_eq!(wrong.per_fault["slow"].right_cause, 1);
        assert_eq!(wrong.proven_but_wrong.len(), 1);
        assert!(
            wrong
                .to_string()
                .contains("1 x proxy_timeout/connect_timeout taken for proxy_timeout/client_timeout")
        );
    }

    #[test]
    fn a_request_that_was_not_asked_about_is_neither_missed_nor_extra() {
        let at = "2026-11-20T10:00:05.000Z";
        let score = judged(
            &truth(200, "connect_timeout"),
            &report("proxy_timeout", "connect_timeout", at, "127.0.0.1"),
        );
        assert!(score.per_fault.is_empty() && score.extra.is_empty() && score.missed.is_empty());
    }

    #[test]
    fn a_group_of_near_misses_answers_for_as_many_as_it_counts() {
        let mut truth = truth(200, "connect_timeout");
        truth["requests"][0]["near_miss"] = json!(true);
        let twice = truth["requests"][0].clone();
        truth["requests"].as_array_mut().unwrap().push(twice);
        let at = "2026-11-20T10:00:05.000Z";
        let report = json!({"findings": [], "near_misses": [{
            "hop": "edge", "upstream": "a", "cause": "proxy_timeout", "subtype": "connect_timeout", "count": 1,
            "first": at, "last": at
        }]});
        let score = judged(&truth, &report);
        assert_eq!((score.per_fault["slow"].found, score.missed.len()), (1, 1));
    }

    #[test]
    fn groups_that_overlap_answer_for_the_requests_that_no_other_can() {
        let at = |second: u32| format!("2026-11-20T10:00:{second:02}.000Z");
        let mut truth = truth(200, "fin_before_request");
        let hidden = truth["requests"][0].clone();
        let of = |second: u32| {
            let mut row = hidden.clone();
            row["near_miss"] = json!(true);
            row["alternatives"] = json!(["rst_on_reuse"]);
            row["end"] = json!(at(second));
            row
        };
        truth["requests"] = json!([of(5), of(8), of(10)]);
        let group = |subtype: &str, count: u32, first: u32, last: u32| {
            json!({
                "hop": "edge", "upstream": "a", "cause": "proxy_timeout", "subtype": subtype, "count": count,
                "first": at(first), "last": at(last)
            })
        };
        let report = json!({
            "findings": [],
            "near_misses": [group("fin_before_request", 2, 5, 10), group("rst_on_reuse", 1, 8, 8)]
        });
        assert_eq!(judged(&truth, &report).missed, Vec::<String>::new());
    }
}
