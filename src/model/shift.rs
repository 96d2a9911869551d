//! From the stamps of one log to the common clock.

/// What is added to the stamps of one log: zone and clock error together, a drift, and a change of zone half-way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shift {
    /// Added to every stamp, in microseconds.
    pub us: i64,
    /// Added besides for every second after [`Shift::pivot_us`], in nanoseconds: the clock's drift in parts per
    /// thousand million.
    pub drift_ppb: i64,
    /// The stamp, as logged, at which [`Shift::us`] is right.
    pub pivot_us: i64,
    /// Where the stamps follow another zone offset.
    pub fold: Option<Fold>,
}

/// Lines whose stamps were written after the clocks of their zone had been put back or forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// Byte offset of the first such line.
    pub from: u64,
    /// Byte offset of the first line after them; `u64::MAX` if there is none.
    pub to: u64,
    /// Added to their stamps besides, in microseconds.
    pub us: i64,
    /// Stamps, as logged, from here on are surely such lines', wherever they stand; `i64::MAX` if none are.
    pub after_us: i64,
    /// Up to this byte, lines of requests that began before the change stand among them.
    pub mixed_to: u64,
    /// Of those lines, the stamps on this side of it are of after the change: later ones if the clocks were put
    /// forward, earlier ones if they were put back.
    pub between_us: i64,
}

impl Fold {
    /// Whether the line at `offset` with the stamp `raw_us` was written after the change.
    fn holds(self, raw_us: i64, offset: u64) -> bool {
        let is_mixed = offset < self.mixed_to;
        (self.from..self.to).contains(&offset) && (!is_mixed || (raw_us >= self.between_us) == (self.us < 0))
    }
}

impl Shift {
    /// A constant correction.
    pub const fn of(us: i64) -> Self {
        Self {
            us,
            drift_ppb: 0,
            pivot_us: 0,
            fold: None,
        }
    }

    /// What is added to the stamp `raw_us` of a line that begins at byte `offset`.
    pub fn at(self, raw_us: i64, offset: u64) -> i64 {
        let fold = self.fold.filter(|fold| fold.holds(raw_us, offset));
        self.without_fold(raw_us) + fold.map_or(0, |fold| fold.us)
    }

    /// The same for a stamp of which it is not known where it stands.
    pub fn without_fold(self, raw_us: i64) -> i64 {
        if self.drift_ppb == 0 {
            return self.us;
        }
        let drift =
            i128::from(raw_us.saturating_sub(self.pivot_us)) * i128::from(self.drift_ppb) / 1_000_000_000;
        self.us.saturating_add(i64::try_from(drift).unwrap_or(0))
    }

    /// The same, with the change of zone where the stamp itself shows that it was written after it.
    pub fn likely(self, raw_us: i64) -> i64 {
        let fold = self.fold.filter(|fold| raw_us >= fold.after_us);
        self.without_fold(raw_us) + fold.map_or(0, |fold| fold.us)
    }

    /// The stamp `raw_us` of the line at `offset` on the common clock.
    pub fn apply(self, raw_us: i64, offset: u64) -> i64 {
        raw_us.saturating_add(self.at(raw_us, offset))
    }

    /// `self`, and then `next` on what it gives. Folds are left out.
    pub fn then(self, next: Self) -> Self {
        // Where only `next` drifts, its pivot is the one that means something.
        let pivot_us = if self.drift_ppb == 0 {
            next.pivot_us.saturating_sub(self.us)
        } else {
            self.pivot_us
        };
        let own = self.without_fold(pivot_us);
        Self {
            us: own.saturating_add(next.without_fold(pivot_us.saturating_add(own))),
            drift_ppb: self.drift_ppb.saturating_add(next.drift_ppb),
            pivot_us,
            fold: None,
        }
    }

    /// What leads back from where `self` leads to. The fold is left out.
    pub fn inverse(self) -> Self {
        Self {
            us: -self.us,
            drift_ppb: -self.drift_ppb,
            pivot_us: self.pivot_us.saturating_add(self.us),
            fold: None,
        }
    }

    /// On the common clock, the earliest and the latest instant that stamps from `first_us` to `last_us` can mean.
    pub fn span(self, first_us: i64, last_us: i64) -> (i64, i64) {
        let fold = self.fold.map_or(0, |fold| fold.us);
        (
            first_us.saturating_add(self.without_fold(first_us) + fold.min(0)),
            last_us.saturating_add(self.without_fold(last_us) + fold.max(0)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drift_grows_with_the_distance_from_its_pivot() {
        let shift = Shift {
            us: 1_000,
            drift_ppb: -100_000,
            pivot_us: 5_000_000_000,
            fold: None,
        };
        assert_eq!(shift.apply(5_000_000_000, 0), 5_000_001_000);
        assert_eq!(shift.apply(15_000_000_000, 0), 15_000_001_000 - 1_000_000);
    }

    #[test]
    fn a_shift_and_its_inverse_lead_nowhere() {
        let shift = Shift {
            us: -3_000_000,
            drift_ppb: 80_000,
            pivot_us: 1_000_000_000,
            fold: None,
        };
        let back = shift.then(shift.inverse());
        assert_eq!(Shift::of(7).then(shift).pivot_us, shift.pivot_us - 7);
        for raw_us in [0, 1_000_000_000, 90_000_000_000] {
            assert!(back.without_fold(raw_us).abs() <= 1, "{back:?}");
        }
    }

    #[test]
    fn lines_in_the_fold_are_moved_and_spans_allow_for_it() {
        let fold = Fold {
            from: 100,
            to: 200,
            us: 3_600_000_000,
            after_us: 90,
            mixed_to: 150,
            between_us: 70,
        };
        let shift = Shift {
            fold: Some(fold),
            ..Shift::of(-7)
        };
        assert_eq!(shift.apply(50, 99), 43);
        assert_eq!(shift.apply(50, 100), 3_600_000_043);
        assert_eq!(shift.apply(50, 200), 43);
        assert_eq!(
            shift.apply(80, 149),
            73,
            "it began before the clocks were put back"
        );
        assert_eq!(shift.apply(80, 150), 3_600_000_073);
        assert_eq!(shift.span(50, 60), (43, 3_600_000_053));
        assert_eq!((shift.likely(89), shift.likely(90)), (-7, 3_599_999_993));
    }
}
