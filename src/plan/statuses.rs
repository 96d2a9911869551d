//! Sets of HTTP statuses: `502`, `5xx`, `502,504`.

use std::fmt;

/// A set of statuses from 0 to 999.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Statuses([u64; 16]);

impl Statuses {
    /// The set with nothing in it.
    pub const fn none() -> Self {
        Self([0; 16])
    }

    /// Reads a list of statuses and classes (`5xx`).
    ///
    /// # Errors
    /// Names the part that is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut set = Self::none();
        for part in text.split(',').map(str::trim) {
            let digits = part.as_bytes();
            match digits {
                [class @ b'1'..=b'9', b'x' | b'X', b'x' | b'X'] => {
                    let first = u16::from(class - b'0') * 100;
                    (first..first + 100).for_each(|status| set.insert(status));
                }
                [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => {
                    let status = digits.iter().fold(0, |sum, d| sum * 10 + u16::from(d - b'0'));
                    set.insert(status);
                }
                _ => return Err(format!("unknown status '{part}'")),
            }
        }
        Ok(set)
    }

    /// Adds `status`, if it is below 1000.
    pub fn insert(&mut self, status: u16) {
        if status < 1000 {
            self.0[usize::from(status / 64)] |= 1 << (status % 64);
        }
    }

    /// Whether `status` is in it.
    pub fn contains(&self, status: u16) -> bool {
        self.0
            .get(usize::from(status / 64))
            .is_some_and(|word| word >> (status % 64) & 1 == 1)
    }

    /// Its members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..1000).filter(|status| self.contains(*status))
    }
}

/// `502`: what is diagnosed unless the user asks for something else.
impl Default for Statuses {
    fn default() -> Self {
        let mut set = Self::none();
        set.insert(502);
        set
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statuses({self})")
    }
}

/// Whole classes as `5xx`, the rest one by one, commas between.
impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for class in 0..10u16 {
            let members: Vec<_> = self.iter().filter(|status| status / 100 == class).collect();
            if members.len() == 100 {
                write!(f, "{between}{class}xx")?;
                between = ",";
                continue;
            }
            for status in members {
                write!(f, "{between}{status}")?;
                between = ",";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_classes_are_read_and_written_back() {
        for text in ["502", "502,504", "5xx", "4xx,502,504"] {
            assert_eq!(Statuses::parse(text).unwrap().to_string(), text);
        }
        let set = Statuses::parse("5XX, 499").unwrap();
        assert!(set.contains(500) && set.contains(599) && set.contains(499));
        assert!(!set.contains(400) && !set.contains(600) && !set.contains(u16::MAX));
        assert_eq!(Statuses::default().to_string(), "502");
    }

    #[test]
    fn what_is_no_status_is_named() {
        assert_eq!(Statuses::parse("502,50x").unwrap_err(), "unknown status '50x'");
        assert!(Statuses::parse("").is_err());
        assert!(Statuses::parse("5000").is_err());
    }
}
