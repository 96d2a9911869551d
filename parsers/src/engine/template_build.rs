//! Puts a [`Template`] together from literals and fields, and refuses what could not be read back.

use crate::engine::slot::Slot;
use crate::engine::template::{Field, Op, Shape, Template, Until};
use crate::engine::template_glance::Plan;
use crate::entry::{Entry, Escape};
use crate::error::FormatError;

/// Collects literals and fields into a [`Template`].
#[derive(Debug)]
pub struct Builder {
    dialect: &'static str,
    lead: Vec<u8>,
    ops: Vec<(Field, Vec<u8>, String)>,
    required: Option<usize>,
    escape: Escape,
    padded: bool,
    separator: u8,
    is_raw: bool,
    finish: fn(&mut Entry<'_>),
    /// Whether `finish` leaves alone what a glance shows.
    is_glanceable: bool,
}

impl Builder {
    /// An empty format of `dialect`.
    pub fn new(dialect: &'static str, escape: Escape) -> Self {
        Self {
            dialect,
            lead: Vec::new(),
            ops: Vec::new(),
            required: None,
            escape,
            padded: false,
            separator: 0,
            is_raw: false,
            finish: |_| {},
            is_glanceable: true,
        }
    }

    /// Calls `finish` on each entry that was read.
    pub fn finish_with(&mut self, finish: fn(&mut Entry<'_>)) {
        self.finish = finish;
        self.is_glanceable = false;
    }

    /// As [`Builder::finish_with`], for a `finish` that only tells the signal of the entry.
    pub fn signal_with(&mut self, finish: fn(&mut Entry<'_>)) {
        self.finish = finish;
        self.is_glanceable = true;
    }

    /// Lets one space of the format stand for any number of them after a field.
    pub fn padded(&mut self, padded: bool) {
        self.padded = padded;
    }

    /// Parts the values of lists by `separator` instead of nginx's `, ` and ` : `.
    pub fn separate_lists_by(&mut self, separator: u8) {
        self.separator = separator;
    }

    /// Says that the server writes quotes and backslashes in values as they are.
    pub fn raw_quotes(&mut self) {
        self.is_raw = true;
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.lead.is_empty() && self.ops.is_empty()
    }

    /// From here on the line may end.
    pub fn optional_from_here(&mut self) {
        self.required.get_or_insert(self.ops.len());
    }

    /// Adds fixed bytes.
    pub fn literal(&mut self, bytes: &[u8]) {
        match self.ops.last_mut() {
            Some((_, until, _)) => until.extend_from_slice(bytes),
            None => self.lead.extend_from_slice(bytes),
        }
    }

    /// Adds a field, which the format's author calls `name`.
    pub fn field(&mut self, field: Field, name: &str) {
        self.ops.push((field, Vec::new(), name.to_owned()));
    }

    /// The last field, if nothing stands after it yet.
    pub fn open_field(&mut self) -> Option<&mut Field> {
        match self.ops.last_mut() {
            Some((field, until, _)) if until.is_empty() => Some(field),
            _ => None,
        }
    }

    /// Compiles what was added.
    ///
    /// # Errors
    /// [`FormatError::Unseparated`] if a field cannot be told from the next;
    /// [`FormatError::NoTime`] if no field gives the time.
    pub fn build(mut self) -> Result<Template, FormatError> {
        for (field, until, _) in &mut self.ops {
            if field.slot == Slot::Request && field.shape == Shape::Until && until.first() == Some(&b' ') {
                field.shape = Shape::BareRequest;
            }
        }
        for pair in self.ops.windows(2) {
            let (field, until, name) = &pair[0];
            let reaches = match field.shape {
                Shape::Time(shape, _) => !shape.is_number(),
                Shape::Groups => true,
                _ => false,
            };
            if until.is_empty() && !reaches {
                return Err(FormatError::Unseparated {
                    dialect: self.dialect,
                    first: name.clone(),
                    second: pair[1].2.clone(),
                });
            }
        }
        let ops: Box<[Op]> = self
            .ops
            .into_iter()
            .map(|(field, until, _)| Op {
                field,
                until: Until::new(&until, self.is_raw),
            })
            .collect();
        let is_glanceable = self.is_glanceable && !self.padded;
        let lead = Until::new(&self.lead, self.is_raw);
        let quotes = lead.quotes() + ops.iter().map(|op| op.until.quotes()).sum::<usize>();
        let template = Template {
            required: self.required.unwrap_or(ops.len()),
            lead,
            quotes: (self.is_raw && quotes > 0).then_some(quotes),
            glance: Plan::of(&ops, self.separator).filter(|_| is_glanceable),
            ops,
            escape: self.escape,
            padded: self.padded,
            separator: self.separator,
            finish: self.finish,
        };
        if template.is_timeless() {
            return Err(FormatError::NoTime {
                dialect: self.dialect,
            });
        }
        Ok(template)
    }
}
