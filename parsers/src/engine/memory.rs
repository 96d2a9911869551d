//! What a parser remembers of earlier lines: a worker that was found too slow is the one that is killed next.
//!
//! It is forgotten after a while ([`LASTS`]), so that a part of a file is read as in the whole file once the lines just
//! before it have been read ([`LEAD_IN`]).

/// How long something is remembered: for so many bytes of lines.
pub const LASTS: usize = 32 << 10;

/// How many bytes before a part of a file are read for what has to be remembered there. More than [`LASTS`], since blank
/// lines and line ends count here and not there.
pub const LEAD_IN: usize = 2 * LASTS;

/// Something remembered.
#[derive(Debug, Clone, Copy)]
pub struct Memory<T> {
    value: Option<T>,
    age: usize,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self { value: None, age: 0 }
    }
}

impl<T: Copy> Memory<T> {
    /// To be told of every line.
    pub fn pass(&mut self, line: &[u8]) {
        self.age = self.age.saturating_add(line.len() + 1);
        if self.age > LASTS {
            self.value = None;
        }
    }

    /// Remembers `value` from here on; `None` forgets.
    pub fn set(&mut self, value: Option<T>) {
        self.value = value;
        self.age = 0;
    }

    /// What is remembered.
    pub fn get(&self) -> Option<T> {
        self.value
    }

    /// The same, forgotten with that.
    pub fn take(&mut self) -> Option<T> {
        self.value.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_forgotten_after_a_while() {
        let mut memory = Memory::default();
        memory.set(Some(7));
        memory.pass(&[b'x'; LASTS - 1]);
        assert_eq!(memory.get(), Some(7));
        memory.pass(b"");
        assert_eq!(memory.get(), None);
    }
}
