//! The findings as CSV (RFC 4180), one a row, for spreadsheets.
//!
//! A cell that a spreadsheet would take for a formula gets an apostrophe in front; what acts on a terminal is written
//! out as text.

use std::collections::BTreeMap;
use std::io;

use super::{Renderer, Style, escape};
use crate::model::finding::{Finding, Weight};
use crate::model::{JoinedBy, Report};

/// One row per finding.
pub struct Csv;

/// The names of the columns.
const HEADS: [&str; 23] = [
    "id",
    "time",
    "status",
    "cause",
    "subtype",
    "certainty",
    "score",
    "contributing",
    "issuer",
    "product",
    "upstream",
    "upstream_hop",
    "method",
    "host",
    "path",
    "client",
    "ids",
    "incident",
    "joined_by",
    "fix",
    "missing",
    "file",
    "line",
];

impl Renderer for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn render(&self, report: &Report, _: &Style, out: &mut dyn io::Write) -> io::Result<()> {
        let mut out = io::BufWriter::new(out);
        let incidents: BTreeMap<&str, &str> = report
            .incidents
            .iter()
            .flat_map(|one| one.findings.iter().map(|id| (id.as_str(), one.id.as_str())))
            .collect();
        write_row(&mut out, HEADS.iter().map(|head| (*head).to_owned()))?;
        for finding in &report.findings {
            let incident = incidents.get(finding.id.as_str()).copied().unwrap_or_default();
            write_row(&mut out, row(finding, incident).into_iter())?;
        }
        io::Write::flush(&mut out)
    }
}

fn row(finding: &Finding, incident: &str) -> [String; HEADS.len()] {
    let request = &finding.request;
    let issuer = &finding.issuer;
    let contributing = finding
        .contributing
        .map(|l| format!("{}/{}", l.cause.name(), l.subtype.name()));
    // The line that proves most.
    let line = finding
        .evidence
        .iter()
        .find(|e| !e.file.is_empty() && e.weight != Weight::Counter);
    let joined: Vec<&str> = finding
        .hops
        .iter()
        .map(|hop| match hop.joined_by {
            JoinedBy::Origin => "origin",
            JoinedBy::Id => "id",
            JoinedBy::Address => "address",
            JoinedBy::Time => "time",
        })
        .collect();
    [
        finding.id.clone(),
        finding.time.map_or_else(String::new, |time| time.to_string()),
        finding.status.to_string(),
        finding.cause.name().to_owned(),
        finding.subtype.name().to_owned(),
        finding.certainty.name().to_owned(),
        format!("{:.2}", finding.score),
        contributing.unwrap_or_default(),
        issuer.hop.clone(),
        issuer.product.clone(),
        issuer.upstream.clone(),
        issuer.upstream_hop.clone().unwrap_or_default(),
        request.method.clone(),
        request.host.clone(),
        request.path.clone(),
        request.client.clone(),
        request.ids.join(" "),
        incident.to_owned(),
        joined.join(" "),
        finding
            .fix
            .as_ref()
            .map_or_else(String::new, |fix| fix.summary.clone()),
        finding.missing.join("; "),
        line.map_or_else(String::new, |e| e.file.clone()),
        line.map_or_else(String::new, |e| e.line.to_string()),
    ]
}

fn write_row(out: &mut dyn io::Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        out.write_all(quoted(&cell).as_bytes())?;
    }
    out.write_all(b"\r\n")
}

/// A cell: escaped, kept from being a formula, quoted where it must be.
fn quoted(cell: &str) -> String {
    let cell = escape::terminal(cell);
    let is_number = cell.parse::<f64>().is_ok();
    let is_formula = cell.starts_with(['=', '+', '-', '@']) && !is_number;
    let guarded = if is_formula {
        format!("'{cell}")
    } else {
        cell.into_owned()
    };
    if guarded.contains(['"', ',', ';', '\'']) || guarded.starts_with(' ') || guarded.ends_with(' ') {
        return format!("\"{}\"", guarded.replace('"', "\"\""));
    }
    guarded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn rendered(report: &Report) -> String {
        let mut out = Vec::new();
        Csv.render(report, &Style::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_finding_is_a_row_with_as_many_cells_as_there_are_heads() {
        for report in [sample::report(), sample::hostile()] {
            let text = rendered(&report);
            let rows: Vec<&str> = text.split_terminator("\r\n").collect();
            assert_eq!(rows.len(), report.findings.len() + 1);
            for row in rows {
                assert_eq!(cells(row), HEADS.len(), "{row}");
            }
        }
    }

    /// How many cells a row has, commas within quotes set aside.
    fn cells(row: &str) -> usize {
        let mut is_quoted = false;
        let commas = row.chars().filter(|&c| {
            is_quoted ^= c == '"';
            c == ',' && !is_quoted
        });
        commas.count() + 1
    }

    #[test]
    fn a_cell_is_never_a_formula_and_never_acts() {
        assert_eq!(quoted("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(quoted("-1"), "-1");
        assert_eq!(quoted("@SUM(1)"), "\"'@SUM(1)\"");
        assert_eq!(quoted("a\"b,c"), "\"a\"\"b,c\"");
        assert_eq!(quoted("a\r\nb\x1b[2J"), "a\\r\\nb\\x1b[2J");
        let text = rendered(&sample::hostile());
        assert!(!text.chars().any(|c| c != '\n' && c != '\r' && escape::acts(c)));
    }
}
