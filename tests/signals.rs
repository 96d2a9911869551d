//! Every failure that a product was seen to log, and what it is found to be: lines that real servers wrote while one
//! fault after the other was injected, and lines as vendors document them, each read and diagnosed by itself.
//!
//! `data/signals/<product>.txt`: `format FILE DIALECT:FORMAT` says what the lines of a file are where they do not say
//! it themselves, `always FILE: LINE` is a line that every case has, `case CAUSE/SUBTYPE[|CAUSE/SUBTYPE] WHAT` begins
//! a case (what else the lines can be taken for stands after a bar: the product does not tell them apart), and
//! `FILE: LINE` is a line of it. `nothing/nothing` is what a product says of a failure that it does not log as one.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use program::root;
use why502::model::finding::{Finding, Subtype};
use why502::plan::{FormatText, Pattern, Plan, Rule, Statuses};
use why502::report::Progress;

/// The label of a failure that the product does not log, or hides by a retry.
const NOTHING: &str = "nothing/nothing";

/// Lines of one file.
type Lines = Vec<(String, String)>;

/// What one product logged of one failure.
struct Case {
    what: String,
    labels: Vec<String>,
    lines: Lines,
}

/// All cases of one product.
#[derive(Default)]
struct Product {
    formats: Vec<(String, String, String)>,
    always: Lines,
    cases: Vec<Case>,
}

impl Product {
    fn read(text: &str) -> Self {
        let mut product = Self::default();
        let file_and_line = |text: &str| {
            let (file, line) = text.split_once(": ").unwrap_or_else(|| panic!("no file: {text}"));
            (file.to_owned(), line.to_owned())
        };
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if let Some(rest) = line.strip_prefix("case ") {
                let (labels, what) = rest.split_once(' ').unwrap();
                product.cases.push(Case {
                    what: what.to_owned(),
                    labels: labels.split('|').map(str::to_owned).collect(),
                    lines: Vec::new(),
                });
            } else if let Some(rest) = line.strip_prefix("format ") {
                let (file, format) = rest.split_once(' ').unwrap();
                let (dialect, text) = format.split_once(':').unwrap();
                product
                    .formats
                    .push((file.to_owned(), dialect.to_owned(), text.to_owned()));
            } else if let Some(rest) = line.strip_prefix("always ") {
                product.always.push(file_and_line(rest));
            } else {
                product.cases.last_mut().unwrap().lines.push(file_and_line(line));
            }
        }
        product
    }

    /// What is found in the lines of `case`.
    fn diagnose(&self, case: &Case) -> Vec<Finding> {
        let dir = tempfile::tempdir().unwrap();
        let mut files: BTreeMap<&str, String> = BTreeMap::new();
        for (file, line) in self.always.iter().chain(&case.lines) {
            writeln!(files.entry(file).or_default(), "{line}").unwrap();
        }
        let hop = dir.path().join("edge");
        fs::create_dir(&hop).unwrap();
        for (file, text) in &files {
            fs::write(hop.join(file), text).unwrap();
        }
        let named = self.formats.iter().filter(|(_, dialect, _)| dialect == "name");
        let pasted = self.formats.iter().filter(|(_, dialect, _)| dialect != "name");
        let pattern = |file: &str| Some(Pattern::new(file).unwrap());
        let plan = Plan {
            paths: vec![dir.path().to_owned()],
            statuses: Statuses::parse("5xx,499,460,408").unwrap(),
            log_formats: pasted
                .map(|(file, dialect, text)| Rule {
                    pattern: pattern(file),
                    value: FormatText {
                        dialect: dialect.clone(),
                        text: text.clone(),
                    },
                })
                .collect(),
            input_formats: named
                .map(|(file, _, name)| Rule {
                    pattern: pattern(file),
                    value: name.clone(),
                })
                .collect(),
            ..Plan::default()
        };
        let report = why502::run::diagnose(&plan, 0, &Progress::new(0, false));
        let report = report.unwrap_or_else(|error| panic!("{}: {error}", case.what));
        let unread: Vec<_> = report
            .inputs
            .iter()
            .filter(|i| i.unparsed > 0 || i.format.is_none())
            .collect();
        assert!(unread.is_empty(), "{}: not read: {unread:#?}", case.what);
        report.findings
    }

    /// What is wrong with the diagnosis of `case`.
    fn complaint(&self, case: &Case) -> Option<String> {
        let findings = self.diagnose(case);
        let said = |finding: &Finding| {
            let (cause, subtype) = (finding.cause.name(), finding.subtype.name());
            format!(
                "{cause}/{subtype} {} {:.2}",
                finding.certainty.name(),
                finding.score
            )
        };
        let fits = |finding: &Finding| {
            let label = format!("{}/{}", finding.cause.name(), finding.subtype.name());
            case.labels.contains(&label)
        };
        let all: Vec<String> = findings.iter().map(said).collect();
        let right = match case.labels[0] == NOTHING {
            true => findings.is_empty(),
            false => !findings.is_empty() && findings.iter().all(fits),
        };
        // Where lines leave a choice, nobody may be sure of the less likely reading.
        let sure = |f: &&Finding| f.certainty == why502::model::Certainty::Proven;
        let first = |f: &Finding| case.labels[0] == format!("{}/{}", f.cause.name(), f.subtype.name());
        let rash = findings.iter().filter(sure).any(|f| !first(f));
        let wanted = case.labels.join(" or ");
        (!right || rash).then(|| format!("{}: wanted {wanted}, got {}", case.what, all.join(", ")))
    }
}

fn products() -> BTreeMap<String, Product> {
    let dir = root().join("tests/data/signals");
    let files = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    files
        .map(|path| (name(&path), Product::read(&fs::read_to_string(&path).unwrap())))
        .collect()
}

#[test]
fn every_failure_that_a_product_logs_is_found_to_be_what_it_was() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, product) in products() {
        count += product.cases.len();
        wrong.extend(
            product
                .cases
                .iter()
                .filter_map(|case| product.complaint(case))
                .map(|one| format!("{name}: {one}")),
        );
    }
    println!("{count} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 150, "{count} cases only");
}

/// Subtypes that no product's own lines decide: they need what other hops logged, and are tested with the rules.
const BY_SURROUNDINGS: [Subtype; 9] = [
    Subtype::BackendRestart,
    Subtype::AppPoolRecycle,
    Subtype::IdleCutInFlight,
    Subtype::AppQueue,
    Subtype::WorkerCrash,
    Subtype::MaxRequestsClose,
    Subtype::SilentMiddleboxDrop,
    Subtype::FinBeforeRequest,
    Subtype::RstOnReuse,
];

#[test]
fn every_subtype_has_a_line_that_means_it_or_a_rule_test_that_gives_it() {
    let by_line: BTreeSet<String> = products()
        .into_values()
        .flat_map(|product| product.cases)
        .flat_map(|case| case.labels)
        .map(|label| label.split_once('/').unwrap().1.to_owned())
        .collect();
    let tests = root().join("src/classify/tests");
    let rules: String = fs::read_dir(tests)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let untested: Vec<&str> = Subtype::ALL
        .iter()
        .filter(|subtype| {
            let in_rules = rules.contains(&format!("Subtype::{subtype:?}"));
            let needs_rules = BY_SURROUNDINGS.contains(subtype);
            !in_rules || !needs_rules && !by_line.contains(subtype.name())
        })
        .map(|subtype| subtype.name())
        .collect();
    assert_eq!(untested, [] as [&str; 0], "no test gives these");
}
