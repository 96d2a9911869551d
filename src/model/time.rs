//! Points in time as reports write them.

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point in time: microseconds since the Unix epoch, UTC. Written as RFC 3339 with milliseconds
/// (microseconds where they are not zero).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl Micros {
    /// RFC 3339 in UTC, `Z` at the end.
    pub fn rfc3339(self) -> String {
        let format = if self.0.rem_euclid(1_000) == 0 {
            SecondsFormat::Millis
        } else {
            SecondsFormat::Micros
        };
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(time) => time.to_rfc3339_opts(format, true),
            None => format!("@{}us", self.0),
        }
    }
}

/// `time` in RFC 3339, or that nothing tells it.
pub fn told(time: Option<Micros>) -> String {
    time.map_or_else(|| NO_TIME.to_owned(), Micros::rfc3339)
}

/// Stands for an instant that no line tells.
pub const NO_TIME: &str = "an unknown time";

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl Serialize for Micros {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|time| Self(time.timestamp_micros()))
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Micros {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}
