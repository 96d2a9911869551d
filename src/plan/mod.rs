//! What the user asked for, in resolved form. Every stage may read it; it knows none of them.

pub mod duration;
pub mod given;
pub mod rule;
pub mod statuses;
pub mod window;
pub mod zone;

use std::path::PathBuf;

pub use given::GivenHop;
pub use rule::{Pattern, Rule, pick};
pub use statuses::Statuses;
pub use window::{Moment, Window, WindowSpec};
pub use zone::{CivilClock, Fold, Zone};

use crate::model::Cause;

/// The options of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Files, directories, globs, or `-`.
    pub paths: Vec<PathBuf>,
    /// The time window, relative times not yet resolved.
    pub window: WindowSpec,
    /// The zone in which times are shown and civil times of the window are read.
    pub zone_shown: Zone,
    /// Zones of stamps that carry none.
    pub zones: Vec<Rule<Zone>>,
    /// Clock corrections given by hand, in microseconds to add to the stamps.
    pub offsets: Vec<Rule<i64>>,
    /// Whether clocks are taken as they are, none corrected by what the logs show.
    pub no_skew: bool,
    /// Statuses to diagnose.
    pub statuses: Statuses,
    /// Causes to show; all if empty.
    pub causes: Vec<Cause>,
    /// Hops to show, by name; all if empty.
    pub hops: Vec<String>,
    /// Names of hops, outermost first; inferred if empty.
    pub hop_names: Vec<HopName>,
    /// What the user says of hops; of several that say the same of one, the last holds.
    pub given: Vec<GivenHop>,
    /// Server configuration files or directories named by the user.
    pub server_configs: Vec<PathBuf>,
    /// Directories and files of format definitions; the first definition of a name holds.
    pub formats: Vec<PathBuf>,
    /// Formats forced by name.
    pub input_formats: Vec<Rule<String>>,
    /// Formats given in a server's own language.
    pub log_formats: Vec<Rule<FormatText>>,
    /// Where reports go.
    pub outputs: Vec<Output>,
    /// Findings that make the run exit with 1.
    pub fail_on: Vec<FailOn>,
    /// Whether incomplete coverage makes the run exit with 2.
    pub strict: bool,
    /// Threads to use, at least 1.
    pub threads: usize,
    /// Bytes of a plain file that are read as one piece of work. What comes out does not depend on it.
    pub block_bytes: u64,
    /// Lines whose ids may be marked while they are read, of all inputs together: six bytes each. Where there are more,
    /// none are, and what has an id that is wanted is found by reading again. What comes out does not depend on it.
    pub marked_most: u64,
    /// How the part of the inputs that a window needs is found. Findings do not depend on it.
    pub seek: Seek,
    /// How many failures are looked at together.
    pub parting: Parting,
    /// When to colour, the environment taken into account.
    pub color: Color,
    /// Whether client addresses, values in queries and names of users are masked.
    pub redact: bool,
    /// Whether only the report and errors are written.
    pub quiet: bool,
    /// How much is said beyond the report: 0, 1 or more.
    pub verbose: u8,
    /// Whether progress may be shown while reading.
    pub progress: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            window: WindowSpec::default(),
            zone_shown: Zone::Utc,
            zones: Vec::new(),
            offsets: Vec::new(),
            no_skew: false,
            statuses: Statuses::default(),
            causes: Vec::new(),
            hops: Vec::new(),
            hop_names: Vec::new(),
            given: Vec::new(),
            server_configs: Vec::new(),
            formats: Vec::new(),
            input_formats: Vec::new(),
            log_formats: Vec::new(),
            outputs: vec![Output {
                file: None,
                format: "text",
            }],
            fail_on: Vec::new(),
            strict: false,
            threads: 1,
            block_bytes: Self::BLOCK_BYTES,
            marked_most: Self::MARKED_MOST,
            seek: Seek::default(),
            parting: Parting::default(),
            color: Color::Auto,
            redact: false,
            quiet: false,
            verbose: 0,
            progress: false,
        }
    }
}

impl Plan {
    /// [`Plan::block_bytes`] unless something else is asked for: large enough that what is begun anew in every span
    /// (the sample of requests above all) costs nothing beside the reading, small enough that all threads have work.
    pub const BLOCK_BYTES: u64 = 16 << 20;

    /// [`Plan::marked_most`] unless something else is asked for: 30 MiB.
    pub const MARKED_MOST: u64 = 5 << 20;

    /// The zone given for stamps without one in the file `shown`.
    pub fn zone_of(&self, shown: &str) -> Option<Zone> {
        pick(&self.zones, shown).copied()
    }

    /// The clock correction given for the file `shown`, in microseconds.
    pub fn offset_of(&self, shown: &str) -> Option<i64> {
        pick(&self.offsets, shown).copied()
    }

    /// The name given to the hop that wrote the file `shown`, and its place in the order of hops.
    pub fn hop_of(&self, shown: &str) -> Option<(usize, &str)> {
        self.hop_names
            .iter()
            .enumerate()
            .find(|(_, hop)| hop.pattern.matches(shown))
            .map(|(at, hop)| (at, hop.name.as_str()))
    }
}

/// How the part of the inputs that a time window needs is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seek {
    /// Size of the largest log, in bytes, from which on what is far from the window is left out.
    pub from_bytes: u64,
    /// Size of the steps in which a plain file is searched, in bytes.
    pub grid_bytes: u64,
    /// Whether to search at all; else everything is read, and the same is left out of it.
    pub search: bool,
}

impl Default for Seek {
    fn default() -> Self {
        Self {
            from_bytes: 64 << 20,
            grid_bytes: 1 << 20,
            search: true,
        }
    }
}

/// How failures are parted by time, so that those of one time only are held in memory with what belongs to them.
///
/// Findings depend on it only where what belongs together lies further apart than `around_us`: the failures of one
/// request, the lines that show an id to be no request's, and an idle time that only the upstream's lines tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parting {
    /// At least so many are looked at together; all, if there are not twice as many.
    pub failures: usize,
    /// What is further apart, in microseconds, has nothing to do with each other.
    pub around_us: i64,
}

impl Default for Parting {
    fn default() -> Self {
        Self {
            failures: 6_144,
            // Longer than usual timeouts, an id that comes again and a late start taken together.
            around_us: 600_000_000,
        }
    }
}

/// `edge=GLOB` of `--hops`.
#[derive(Debug, Clone)]
pub struct HopName {
    /// The name.
    pub name: String,
    /// The files of the hop.
    pub pattern: Pattern,
}

/// A log format in a server's own language: `nginx:$remote_addr …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatText {
    /// Whose language: what stands before the colon.
    pub dialect: String,
    /// The format string.
    pub text: String,
}

/// A report and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The file; standard output if `None`.
    pub file: Option<PathBuf>,
    /// How it is written: the name of a renderer.
    pub format: &'static str,
}

/// `--fail-on CAUSE|any[:N]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailOn {
    /// Which findings count; all if `None`.
    pub cause: Option<Cause>,
    /// How many it takes.
    pub at_least: u64,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether output that goes to a terminal (or not) is coloured.
    pub fn enabled(self, is_terminal: bool) -> bool {
        match self {
            Self::Auto => is_terminal,
            Self::Always => true,
            Self::Never => false,
        }
    }

    /// The environment taken into account: `NO_COLOR`, then `CLICOLOR_FORCE`; an explicit choice stands.
    pub fn with_environment(self, no_color: bool, force: bool) -> Self {
        match self {
            Self::Auto if no_color => Self::Never,
            Self::Auto if force => Self::Always,
            chosen => chosen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_choice_of_colour_beats_the_environment() {
        assert_eq!(Color::Auto.with_environment(true, true), Color::Never);
        assert_eq!(Color::Auto.with_environment(false, true), Color::Always);
        assert_eq!(Color::Always.with_environment(true, false), Color::Always);
        assert!(Color::Auto.enabled(true) && !Color::Auto.enabled(false));
    }

    #[test]
    fn the_first_hop_whose_glob_fits_names_a_file() {
        let name = |name: &str, glob: &str| HopName {
            name: name.into(),
            pattern: Pattern::new(glob).unwrap(),
        };
        let plan = Plan {
            hop_names: vec![name("edge", "nginx*"), name("app", "*.log")],
            ..Plan::default()
        };
        assert_eq!(plan.hop_of("logs/nginx-access.log"), Some((0, "edge")));
        assert_eq!(plan.hop_of("logs/orders.log"), Some((1, "app")));
        assert_eq!(plan.hop_of("logs/orders.json"), None);
    }
}
