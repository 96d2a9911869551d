//! Several wrappers, one inside the other, taken off with buffers that are used again for every line.

use std::ops::Range;

use super::{Coding, Inside, Outer, Wrapper};
use crate::entry::Stamp;

/// How many wrappers may stand around a line.
pub const DEEPEST: usize = 3;

/// Longest line that is put together from pieces, in bytes; what goes beyond is dropped.
pub const JOINED_MOST: usize = 4 << 20;

/// The wrappers around the lines of a file, outermost first.
#[derive(Clone, Copy, Default)]
pub struct Layers {
    list: [Option<&'static dyn Wrapper>; DEEPEST],
}

impl Layers {
    /// These and `inner` inside them; `None` if they are too many already.
    pub fn with(mut self, inner: &'static dyn Wrapper) -> Option<Self> {
        let free = self.list.iter_mut().find(|layer| layer.is_none())?;
        *free = Some(inner);
        Some(self)
    }

    /// Whether lines stand bare.
    pub fn is_empty(&self) -> bool {
        self.list[0].is_none()
    }

    /// The wrappers, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn Wrapper> + use<> {
        self.list.into_iter().flatten()
    }

    /// The innermost.
    pub fn last(&self) -> Option<&'static dyn Wrapper> {
        self.iter().last()
    }

    /// Whether each of them only puts something before a line, so that the line inside is the end of the one outside.
    pub fn are_prefixes(&self) -> bool {
        self.iter().all(Wrapper::is_prefix)
    }

    /// Whether any of them cuts long lines.
    pub fn cut(&self) -> bool {
        self.iter().any(Wrapper::cuts)
    }

    /// Their names, `json envelope in kubernetes cri`; empty if there are none.
    pub fn name(&self) -> String {
        let mut names: Vec<_> = self.iter().map(Wrapper::name).collect();
        names.reverse();
        names.join(" in ")
    }
}

impl std::fmt::Debug for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(Wrapper::name)).finish()
    }
}

/// Takes the wrappers off consecutive lines. `P` says where a line stands.
#[derive(Debug)]
pub struct Peeler<P> {
    layers: Layers,
    levels: [Level<P>; DEEPEST],
    /// There is one wrapper only, and it puts something before lines and does nothing else.
    is_prefix: bool,
    last: Prefix,
}

/// What stood before the last line, and what it said: lines of the same second and process mostly have the same.
#[derive(Debug, Default)]
struct Prefix {
    /// Empty if the next line has to be looked at anew.
    text: Vec<u8>,
    time: Option<Stamp>,
    host: Range<usize>,
    program: Range<usize>,
    pid: Option<u32>,
}

impl Prefix {
    /// What is longer is no header.
    const MOST: usize = 256;

    /// What `line` says around itself, if it begins like the last one.
    #[inline]
    fn of<'a>(&self, line: &'a [u8]) -> Option<(Outer<'a>, &'a [u8])> {
        if self.text.is_empty() || !line.starts_with(&self.text) {
            return None;
        }
        let (before, inner) = line.split_at(self.text.len());
        let outer = Outer {
            time: self.time,
            host: before.get(self.host.clone())?,
            program: before.get(self.program.clone())?,
            pid: self.pid,
        };
        Some((outer, inner))
    }

    /// Remembers what stands before the line inside of `line`.
    fn learn(&mut self, line: &[u8], inside: &Inside<'_>) {
        self.text.clear();
        let len = line.len() - inside.text.len();
        let before = &line[..len];
        let place = |part: &[u8]| {
            let from = (part.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
            (!part.is_empty()).then(|| from..from.wrapping_add(part.len()))
        };
        let is_sure = inside.is_known_by_prefix && before.ends_with(b" ") && line.ends_with(inside.text);
        if !is_sure || len > Self::MOST {
            return;
        }
        self.text.extend_from_slice(before);
        self.time = inside.outer.time;
        self.host = place(inside.outer.host).unwrap_or_default();
        self.program = place(inside.outer.program).unwrap_or_default();
        self.pid = inside.outer.pid;
    }
}

/// The buffers of one wrapper.
#[derive(Debug)]
struct Level<P> {
    /// The line inside, its escapes undone.
    decoded: Vec<u8>,
    /// The pieces of an unfinished line, by stream.
    held: [Held<P>; 2],
}

#[derive(Debug)]
struct Held<P> {
    text: Vec<u8>,
    /// Where the first piece stands; `None` if no line is unfinished.
    first: Option<P>,
}

/// What became of a line.
#[derive(Debug)]
pub enum Peeled<'a, P> {
    /// It is not wrapped.
    Bare,
    /// A piece of a line that goes on; `is_first` if it is the first one.
    Held {
        /// Whether the line begins with it.
        is_first: bool,
    },
    /// A line, whole.
    Whole {
        /// What the wrappers said.
        outer: Outer<'a>,
        /// The line.
        inner: &'a [u8],
        /// Where it begins.
        place: P,
        /// It was put together; the line just given was its last piece.
        is_joined: bool,
    },
}

impl<P: Copy> Peeler<P> {
    /// A peeler of lines wrapped in `layers`.
    pub fn new(layers: Layers) -> Self {
        let held = || Held {
            text: Vec::new(),
            first: None,
        };
        let level = || Level {
            decoded: Vec::new(),
            held: [held(), held()],
        };
        Self {
            layers,
            levels: std::array::from_fn(|_| level()),
            is_prefix: layers.are_prefixes() && layers.list[1].is_none(),
            last: Prefix::default(),
        }
    }

    /// Whether a line is unfinished.
    pub fn is_inside(&self) -> bool {
        self.levels
            .iter()
            .flat_map(|level| &level.held)
            .any(|held| held.first.is_some())
    }

    /// Takes the wrappers off `line`, which stands at `place`.
    #[inline]
    pub fn peel<'s>(&'s mut self, line: &'s [u8], place: P) -> Peeled<'s, P> {
        if let Some((outer, inner)) = self.last.of(line) {
            return Peeled::Whole {
                outer,
                inner,
                place,
                is_joined: false,
            };
        }
        self.peel_anew(line, place)
    }

    /// The same for a line that is not known by what stands before it.
    fn peel_anew<'s>(&'s mut self, line: &'s [u8], place: P) -> Peeled<'s, P> {
        if self.is_prefix
            && let Some(layer) = self.layers.list[0]
        {
            let Some(inside) = layer.inside(line) else {
                return Peeled::Bare;
            };
            if inside.coding == Coding::Plain && !inside.goes_on {
                self.last.learn(line, &inside);
                return Peeled::Whole {
                    outer: inside.outer,
                    inner: inside.text,
                    place,
                    is_joined: false,
                };
            }
        }
        let whole = Whole {
            outer: Outer::default(),
            inner: line,
            place,
            is_joined: false,
        };
        descend(&self.layers.list, &mut self.levels, whole, true)
    }

    /// The next of the lines whose end never came, as far as it goes. To be asked for until there is none.
    pub fn left(&mut self) -> Option<Peeled<'_, P>> {
        let (at, stream) = (0..DEEPEST)
            .flat_map(|at| [(at, 0), (at, 1)])
            .find(|&(at, stream)| self.levels[at].held[stream].first.is_some())?;
        let (level, deeper) = self.levels[at..].split_first_mut()?;
        let held = &mut level.held[stream];
        let whole = Whole {
            outer: Outer::default(),
            place: held.first.take()?,
            inner: &held.text,
            is_joined: false,
        };
        Some(descend(&self.layers.list[at + 1..], deeper, whole, false))
    }
}

/// The fields of [`Peeled::Whole`].
struct Whole<'s, P> {
    outer: Outer<'s>,
    inner: &'s [u8],
    place: P,
    is_joined: bool,
}

/// Takes `layers` off what `whole` has come to so far.
fn descend<'s, P: Copy>(
    layers: &[Option<&'static dyn Wrapper>],
    levels: &'s mut [Level<P>],
    mut whole: Whole<'s, P>,
    is_outermost: bool,
) -> Peeled<'s, P> {
    let next = layers.split_first().zip(levels.split_first_mut());
    let Some(((Some(layer), layers), (level, levels))) = next else {
        return whole.into_peeled();
    };
    let Some(inside) = layer.inside(whole.inner) else {
        return match is_outermost {
            true => Peeled::Bare,
            false => whole.into_peeled(),
        };
    };
    whole.outer = whole.outer.and(inside.outer);
    let Level { decoded, held } = level;
    whole.inner = match inside.coding {
        Coding::Plain => inside.text,
        coding => {
            decoded.clear();
            coding.decode(inside.text, decoded);
            decoded
        }
    };
    let held = &mut held[usize::from(inside.stream & 1)];
    let is_first = held.first.is_none();
    if is_first && !inside.goes_on {
        return descend(layers, levels, whole, false);
    }
    let place = held.add(whole.inner, whole.place);
    if inside.goes_on {
        return Peeled::Held { is_first };
    }
    held.first = None;
    whole = Whole {
        inner: &held.text,
        place,
        is_joined: true,
        ..whole
    };
    descend(layers, levels, whole, false)
}

impl<P: Copy> Held<P> {
    /// Adds a piece, and says where the first one stands.
    fn add(&mut self, piece: &[u8], place: P) -> P {
        if self.first.is_none() {
            self.text.clear();
        }
        let room = JOINED_MOST.saturating_sub(self.text.len());
        self.text.extend_from_slice(&piece[..piece.len().min(room)]);
        *self.first.get_or_insert(place)
    }
}

impl<'s, P> Whole<'s, P> {
    fn into_peeled(self) -> Peeled<'s, P> {
        Peeled::Whole {
            outer: self.outer,
            inner: self.inner,
            place: self.place,
            is_joined: self.is_joined,
        }
    }
}
