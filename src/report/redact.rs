//! Masks what tells who somebody is, for reports that are passed on: client addresses, values in queries, names of
//! users, credentials and cookies.
//!
//! Addresses of clients become `client-1`, `client-2` in the order in which the report names them, so that requests
//! of one client can still be told to be of one. Addresses of servers (those that requests were sent to) stay: they
//! are what the report is about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::model::Report;
use crate::model::explain::Explanation;
use crate::model::finding::{Evidence, Finding, RequestInfo};

/// What stands in place of what is masked.
const MASK: &str = "***";

/// Masks `report`.
pub fn report(report: &mut Report) {
    let mut masks = Masks::new(report.findings.iter());
    for finding in &mut report.findings {
        masks.finding(finding);
    }
    let near_misses = report
        .near_misses
        .iter_mut()
        .filter_map(|miss| miss.example.as_mut());
    let coincided = report
        .incidents
        .iter_mut()
        .flat_map(|incident| &mut incident.coincided);
    let events = coincided.filter_map(|one| one.evidence.as_mut());
    for evidence in near_misses.chain(events) {
        masks.evidence(evidence);
    }
}

/// Masks `explanation`.
pub fn explanation(explanation: &mut Explanation) {
    let findings = explanation
        .requests
        .iter()
        .filter_map(|request| request.finding.as_ref());
    let mut masks = Masks::new(findings);
    for request in &explanation.requests {
        let tries = request.hops.iter().flat_map(|hop| &hop.attempts);
        masks
            .servers
            .extend(tries.flat_map(|one| addresses(&one.upstream)));
    }
    explanation.asked = masks.text(&explanation.asked);
    for request in &mut explanation.requests {
        masks.request(&mut request.request);
        if let Some(finding) = &mut request.finding {
            masks.finding(finding);
        }
        for line in request.hops.iter_mut().flat_map(|hop| &mut hop.lines) {
            line.text = masks.text(&line.text);
        }
    }
}

/// An IPv4 address, or an IPv6 address of at least three groups.
const ADDRESS: &str = r"(?:\b\d{1,3}(?:\.\d{1,3}){3}\b|(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4})+|(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}|::1\b)";

fn pattern(text: &str) -> Option<Regex> {
    // All patterns are constants of this file, which a test compiles.
    Regex::new(text).ok()
}

static ADDRESSES: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(ADDRESS));
/// `?name=value` and `&name=value`.
static QUERY: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"([?&;](?:amp;)?[^=&?\s"'<>#;]{1,128}=)[^&\s"'<>#;]+"#));
/// The second and third field of a common log line: `10.0.0.1 - alice [`.
static CLF_USER: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"^(\S+ )(\S+) (\S+)( \[)"));
/// `user:password@` in a URL.
static CREDENTIALS: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#"(://)[^/@\s"']+@"#));
/// Keys of JSON records whose values name a person or prove one's identity.
static JSON_KEYS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?i)("(?:user|user_?name|user_?id|remote_?user|login|e-?mail|authorization|proxy-authorization|cookie|set-cookie|x-api-key|api_?key|token|session|password|secret)"\s*:\s*)("(?:[^"\\]|\\.)*"|\[[^\]]*\]|\d+)"#,
    )
});
static EMAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"));
static BEARER: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)\b(bearer|basic) [A-Za-z0-9+/=._~-]{8,}"));

/// The addresses in `text`.
fn addresses(text: &str) -> Vec<String> {
    let Some(regex) = ADDRESSES.as_ref() else {
        return Vec::new();
    };
    regex
        .find_iter(text)
        .map(|found| found.as_str().to_owned())
        .collect()
}

/// What has been masked so far.
struct Masks {
    /// Addresses that requests were sent to.
    servers: BTreeSet<String>,
    /// Numbers given to other addresses.
    clients: BTreeMap<String, usize>,
}

impl Masks {
    fn new<'a>(findings: impl Iterator<Item = &'a Finding> + Clone) -> Self {
        let servers = findings
            .clone()
            .flat_map(|finding| addresses(&finding.issuer.upstream))
            .collect();
        let mut masks = Self {
            servers,
            clients: BTreeMap::new(),
        };
        // Clients are numbered in the order of the findings.
        for finding in findings {
            for address in addresses(&finding.request.client) {
                masks.servers.remove(&address);
                masks.client(&address);
            }
        }
        masks
    }

    fn client(&mut self, address: &str) -> String {
        let next = self.clients.len() + 1;
        let number = *self.clients.entry(address.to_owned()).or_insert(next);
        format!("client-{number}")
    }

    fn finding(&mut self, finding: &mut Finding) {
        self.request(&mut finding.request);
        for evidence in &mut finding.evidence {
            self.evidence(evidence);
        }
    }

    fn request(&mut self, request: &mut RequestInfo) {
        request.path = self.text(&request.path);
        request.client = self.text(&request.client);
        for id in &mut request.ids {
            *id = self.text(id);
        }
    }

    fn evidence(&mut self, evidence: &mut Evidence) {
        evidence.text = self.text(&evidence.text);
    }

    /// `text` with everything masked.
    fn text(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (regex, with) in [
            (&QUERY, "${1}***"),
            (&CREDENTIALS, "${1}***@"),
            (&JSON_KEYS, "${1}\"***\""),
            (&EMAIL, MASK),
            (&BEARER, "${1} ***"),
        ] {
            if let Some(regex) = regex.as_ref() {
                text = regex.replace_all(&text, with).into_owned();
            }
        }
        if let Some(regex) = CLF_USER.as_ref() {
            text = regex.replace(&text, user).into_owned();
        }
        let Some(regex) = ADDRESSES.as_ref() else {
            return text;
        };
        let masked = regex.replace_all(&text, |found: &Captures<'_>| {
            let address = &found[0];
            if self.servers.contains(address) || is_time(address) {
                return address.to_owned();
            }
            self.client(address)
        });
        masked.into_owned()
    }
}

/// The names in a common log line, masked.
fn user(found: &Captures<'_>) -> String {
    let mask = |name: &str| {
        if name == "-" {
            "-".to_owned()
        } else {
            MASK.to_owned()
        }
    };
    format!(
        "{}{} {}{}",
        &found[1],
        mask(&found[2]),
        mask(&found[3]),
        &found[4]
    )
}

/// `16:23:19` looks like the groups of an IPv6 address.
fn is_time(text: &str) -> bool {
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b':');
    digits
        && text.split(':').all(|part| (1..=4).contains(&part.len()))
        && !text.contains("::")
        && text.split(':').count() <= 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn masked(text: &str) -> String {
        let mut masks = Masks {
            servers: BTreeSet::from(["10.0.0.3".to_owned()]),
            clients: BTreeMap::new(),
        };
        masks.text(text)
    }

    #[test]
    fn every_pattern_compiles() {
        for regex in [
            &ADDRESSES,
            &QUERY,
            &CLF_USER,
            &CREDENTIALS,
            &JSON_KEYS,
            &EMAIL,
            &BEARER,
        ] {
            assert!(regex.is_some());
        }
    }

    #[test]
    fn clients_are_numbered_and_servers_stay() {
        assert_eq!(
            masked("192.0.2.7 asked 10.0.0.3:8080, 192.0.2.8 and 192.0.2.7 as well"),
            "client-1 asked 10.0.0.3:8080, client-2 and client-1 as well"
        );
        assert_eq!(masked("from 2001:db8::7 and ::1"), "from client-1 and client-2");
    }

    #[test]
    fn times_are_no_addresses() {
        let line = "2026/11/20 16:23:19 [error] 14357#14357: *4 [20/Nov/2026:16:23:19 +0000]";
        assert_eq!(masked(line), line);
    }

    #[test]
    fn values_in_queries_go_and_their_names_stay() {
        assert_eq!(
            masked("\"GET /a?id=7&token=x%20y#z HTTP/1.1\" rt=0.1 uct=\"0.0\""),
            "\"GET /a?id=***&token=***#z HTTP/1.1\" rt=0.1 uct=\"0.0\""
        );
    }

    #[test]
    fn names_of_users_and_what_proves_them_go() {
        assert_eq!(masked("192.0.2.7 - alice [20/Nov"), "client-1 - *** [20/Nov");
        assert_eq!(masked("192.0.2.7 - - [20/Nov"), "client-1 - - [20/Nov");
        assert_eq!(
            masked(r#"{"user":"alice","n":1,"Cookie":["a=b; c"]}"#),
            r#"{"user":"***","n":1,"Cookie":"***"}"#
        );
        assert_eq!(masked("http://bob:pw@10.0.0.3/x"), "http://***@10.0.0.3/x");
        assert_eq!(
            masked("Authorization: Bearer abcdefgh.ijk"),
            "Authorization: Bearer ***"
        );
        assert_eq!(masked("by alice@example.com"), "by ***");
    }

    #[test]
    fn nothing_of_a_client_is_left_in_a_masked_report() {
        let mut report = sample::report();
        let clients: BTreeSet<String> = report
            .findings
            .iter()
            .flat_map(|f| addresses(&f.request.client))
            .collect();
        assert!(!clients.is_empty());
        super::report(&mut report);
        let text = serde_json::to_string(&report).unwrap();
        for client in clients {
            assert!(
                !text.contains(&format!("{client}:")) && !text.contains(&format!("\"{client}\"")),
                "{client}"
            );
        }
        assert!(text.contains("client-1"));
    }
}
