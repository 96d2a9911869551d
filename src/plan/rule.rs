//! Values that hold for some files only: `[GLOB=]VALUE`.

use globset::{GlobBuilder, GlobMatcher};

/// A glob over the paths of log files.
#[derive(Debug, Clone)]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// Compiles `glob`: `*` and `?` stay within one part of a path, `**` crosses parts.
    ///
    /// # Errors
    /// Says what is wrong with the glob.
    pub fn new(glob: &str) -> Result<Self, String> {
        let glob = glob.strip_prefix("./").unwrap_or(glob);
        GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .map(|glob| Self(glob.compile_matcher()))
            .map_err(|error| format!("'{glob}' is not a glob: {}", error.kind()))
    }

    /// Whether it fits `shown` (a path with `/` between its parts): the whole of it, or one part of it
    /// and all that follow, or one part alone. `edge*` fits `logs/edge/access.log`.
    pub fn matches(&self, shown: &str) -> bool {
        let starts = std::iter::once(0).chain(shown.match_indices('/').map(|(at, _)| at + 1));
        starts.map(|at| &shown[at..]).any(|tail| {
            self.0.is_match(tail) || tail.split('/').next().is_some_and(|part| self.0.is_match(part))
        })
    }

    /// The glob as given.
    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }
}

/// A value, and the files it holds for.
#[derive(Debug, Clone)]
pub struct Rule<T> {
    /// Which files; all if `None`.
    pub pattern: Option<Pattern>,
    /// The value.
    pub value: T,
}

impl<T> Rule<T> {
    /// Whether it holds for the file `shown`.
    pub fn applies(&self, shown: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(shown))
    }
}

/// The value for the file `shown`: a rule with a glob goes before one without, a later one before an earlier.
pub fn pick<'a, T>(rules: &'a [Rule<T>], shown: &str) -> Option<&'a T> {
    let fitting = |with_glob: bool| {
        rules
            .iter()
            .rev()
            .find(move |rule| rule.pattern.is_some() == with_glob && rule.applies(shown))
    };
    fitting(true).or_else(|| fitting(false)).map(|rule| &rule.value)
}

/// Cuts `text` at commas that stand outside braces, so that globs may have alternatives. Empty parts are dropped.
pub fn split_list(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0usize, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(glob: Option<&str>, value: u8) -> Rule<u8> {
        Rule {
            pattern: glob.map(|glob| Pattern::new(glob).unwrap()),
            value,
        }
    }

    #[test]
    fn a_glob_fits_a_whole_path_its_end_or_one_part() {
        for (glob, fits) in [
            ("logs/edge/access.log", true),
            ("edge/*.log", true),
            ("access.log", true),
            ("edge", true),
            ("ed*", true),
            ("**/access.log", true),
            ("gw*", false),
            ("logs/*.log", false),
            ("{edge,gw}", true),
        ] {
            assert_eq!(
                Pattern::new(glob).unwrap().matches("logs/edge/access.log"),
                fits,
                "{glob}"
            );
        }
        assert!(Pattern::new("a[").unwrap_err().contains("not a glob"));
    }

    #[test]
    fn a_rule_with_a_glob_goes_before_one_without_and_a_later_one_before_an_earlier() {
        let rules = [
            rule(Some("edge*"), 1),
            rule(None, 2),
            rule(Some("edge*"), 3),
            rule(None, 4),
        ];
        assert_eq!(pick(&rules, "edge/a.log"), Some(&3));
        assert_eq!(pick(&rules, "gw/a.log"), Some(&4));
        assert_eq!(pick(&rules[..1], "gw/a.log"), None);
    }

    #[test]
    fn lists_are_cut_outside_braces() {
        assert_eq!(split_list("a=1, {b,c}=2,,"), ["a=1", "{b,c}=2"]);
    }
}
