//! Sixteen bytes at a time: where a byte is, and what number some digits are, without a branch for each byte.
//!
//! The fields of a line are of another length in every line, so that a loop over their bytes is left at a place that the
//! processor cannot foresee; what that costs is more than all the rest of reading a field.

use wide::{i16x8, u8x16, u16x8};

/// How many bytes are looked at in one step.
pub const STEP: usize = 16;

/// How many are looked at at once where it is not known whether a byte is near.
const BLOCK: usize = 4 * STEP;

/// A byte that is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Seek {
    lanes: u8x16,
    byte: u8,
}

impl Seek {
    /// Looks for `byte`.
    pub fn new(byte: u8) -> Self {
        Self {
            lanes: u8x16::splat(byte),
            byte,
        }
    }

    /// The byte.
    pub const fn byte(self) -> u8 {
        self.byte
    }

    /// Where the byte stands in `text`, at `from` or behind.
    #[inline]
    pub fn find(self, text: &[u8], from: usize) -> Option<usize> {
        const FAR: usize = 8 * STEP;
        let mut at = from;
        while let Some(same) = self.same(text, at) {
            if same != 0 {
                return Some(at + same.trailing_zeros() as usize);
            }
            at += STEP;
            if at - from == FAR {
                return memchr::memchr(self.byte, &text[at..]).map(|found| at + found);
            }
        }
        self.find_in_rest(text, at)
    }

    /// Where the byte stands in the next thirty-two of `text`; `None` as well if it has less.
    #[inline(always)]
    pub fn find_near(self, text: &[u8]) -> Option<usize> {
        let same = same_in_two(text.first_chunk()?, self.lanes);
        (same != 0).then(|| same.trailing_zeros() as usize)
    }

    /// The same for a byte that may be near or far: what it costs hardly depends on where it is.
    #[inline]
    pub fn find_far(self, text: &[u8], from: usize) -> Option<usize> {
        let Some(base) = text.len().checked_sub(BLOCK) else {
            return self.find(text, from);
        };
        let mut at = from;
        while at <= base {
            let same = same_in_block(text.get(at..)?.first_chunk()?, self.lanes);
            if same != 0 {
                return Some(at + same.trailing_zeros() as usize);
            }
            at += BLOCK;
        }
        // The last bytes once more, for those of them that were not looked at.
        let same = same_in_block(text.last_chunk()?, self.lanes);
        let same = same.checked_shr((at - base) as u32).unwrap_or(0);
        (same != 0).then(|| at + same.trailing_zeros() as usize)
    }

    /// The rest of [`Seek::find`], with less than a step left.
    #[inline]
    fn find_in_rest(self, text: &[u8], at: usize) -> Option<usize> {
        let Some(base) = text.len().checked_sub(STEP) else {
            let rest = text.get(at..)?;
            return rest
                .iter()
                .position(|&byte| byte == self.byte)
                .map(|found| at + found);
        };
        let behind = u32::try_from(at.checked_sub(base)?).ok()?;
        let same = self.same(text, base)?.checked_shr(behind)?;
        (same != 0).then(|| at + same.trailing_zeros() as usize)
    }

    /// Which of the sixteen bytes at `at` are the one looked for, the first one in the lowest bit; `None` if there are
    /// less than that.
    #[inline]
    fn same(self, text: &[u8], at: usize) -> Option<u32> {
        let lanes: &[u8; STEP] = text.get(at..)?.first_chunk()?;
        Some(u8x16::new(*lanes).simd_eq(self.lanes).to_bitmask())
    }
}

/// Which of these bytes are those `wanted`, the first one in the lowest bit.
#[inline(always)]
fn same_in_two(two: &[u8; 2 * STEP], wanted: u8x16) -> u32 {
    let (steps, _) = two.as_chunks::<STEP>();
    let bits = |n: usize| u8x16::new(steps[n]).simd_eq(wanted).to_bitmask();
    bits(0) | bits(1) << STEP
}

/// Where two bytes stand in the next few bytes of a line: looked for once, and told field by field. A search for the end
/// of one field could not begin before the end of the field before it is known.
#[derive(Debug)]
pub struct Ahead<'a, 'p> {
    pair: &'p [Seek; 2],
    line: &'a [u8],
    found: [u64; 2],
    /// How many bytes of the line are left where these begin.
    left: usize,
}

impl<'a, 'p> Ahead<'a, 'p> {
    /// Looks for these two bytes in `line`.
    pub fn new(pair: &'p [Seek; 2], line: &'a [u8]) -> Self {
        Self {
            pair,
            line,
            found: [0; 2],
            left: 0,
        }
    }

    /// Where the one or the other byte stands behind all but the last `left` bytes of the line. `None` if it is far.
    #[inline(always)]
    pub fn find(&mut self, is_second: bool, left: usize) -> Option<usize> {
        let at = usize::from(is_second);
        let passed = self.left.wrapping_sub(left);
        if passed < BLOCK {
            let found = self.found[at] >> passed;
            if found != 0 {
                return Some(found.trailing_zeros() as usize);
            }
        }
        self.look(left)?;
        let found = self.found[at];
        (found != 0).then(|| found.trailing_zeros() as usize)
    }

    /// Looks at the first of the last `left` bytes.
    #[inline]
    fn look(&mut self, left: usize) -> Option<()> {
        let rest = self.line.get(self.line.len().checked_sub(left)?..)?;
        let [one, other] = self.pair;
        let same = |block| [same_in_block(block, one.lanes), same_in_block(block, other.lanes)];
        self.found = match rest.first_chunk() {
            Some(block) => same(block),
            // Near its end the last bytes of the line, without those before.
            None => same(self.line.last_chunk()?)
                .map(|found| found.checked_shr((BLOCK - left) as u32).unwrap_or(0)),
        };
        self.left = left;
        Some(())
    }
}

/// Which bytes of `block` are those `wanted`, the first one in the lowest bit.
#[inline]
fn same_in_block(block: &[u8; BLOCK], wanted: u8x16) -> u64 {
    let (steps, _) = block.as_chunks::<STEP>();
    let bits = |n: usize| u64::from(u8x16::new(steps[n]).simd_eq(wanted).to_bitmask());
    bits(0) | bits(1) << STEP | bits(2) << (2 * STEP) | bits(3) << (3 * STEP)
}

/// Calls `found` with every place of `byte` in `text`, in order. For bytes that occur every few others, of which a
/// search that begins anew behind each would find them slowly.
#[inline]
pub fn each(byte: u8, text: &[u8], found: impl FnMut(usize)) {
    let wanted = u8x16::splat(byte);
    each_same(text, |lanes| lanes.simd_eq(wanted), found);
}

/// How often `byte` stands in `text`. No branch depends on where it stands.
#[inline]
pub fn count(byte: u8, text: &[u8]) -> usize {
    let wanted = u8x16::splat(byte);
    let (steps, rest) = text.as_chunks::<STEP>();
    let mut count = 0;
    // Each lane counts to 255 at most.
    for some in steps.chunks(usize::from(u8::MAX)) {
        let add = |sum: u8x16, step: &[u8; STEP]| sum - u8x16::new(*step).simd_eq(wanted);
        let sums = some.iter().fold(u8x16::splat(0), add);
        count += sums.to_array().into_iter().map(usize::from).sum::<usize>();
    }
    let mut padded = [!byte; STEP];
    match text.last_chunk::<STEP>() {
        Some(last) => {
            let same = u8x16::new(*last).simd_eq(wanted).to_bitmask();
            count + (same >> (STEP - rest.len())).count_ones() as usize
        }
        None => {
            padded[..rest.len()].copy_from_slice(rest);
            count + u8x16::new(padded).simd_eq(wanted).to_bitmask().count_ones() as usize
        }
    }
}

/// As [`each`], for several bytes.
#[inline]
pub fn each_of(bytes: [u8; 3], text: &[u8], found: impl FnMut(usize)) {
    let [a, b, c] = bytes;
    let (a, b, c) = (u8x16::splat(a), u8x16::splat(b), u8x16::splat(c));
    let same = |lanes: u8x16| lanes.simd_eq(a) | lanes.simd_eq(b) | lanes.simd_eq(c);
    each_same(text, same, found);
}

/// Calls `found` with every place of which `same` sets the byte.
#[inline]
fn each_same(text: &[u8], same: impl Fn(u8x16) -> u8x16, mut found: impl FnMut(usize)) {
    let mut give = |from: usize, mut bits: u32| {
        while bits != 0 {
            found(from + bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    };
    let (steps, rest) = text.as_chunks::<STEP>();
    for (n, step) in steps.iter().enumerate() {
        give(n * STEP, same(u8x16::new(*step)).to_bitmask());
    }
    if rest.is_empty() {
        return;
    }
    // The last bytes once more, for those of them that were not looked at; of a short text with nothing behind it.
    let at = text.len() - rest.len();
    match text.last_chunk::<STEP>() {
        Some(last) => {
            let seen = STEP - rest.len();
            give(at, same(u8x16::new(*last)).to_bitmask() >> seen);
        }
        None => {
            let mut padded = [0; STEP];
            padded[..rest.len()].copy_from_slice(rest);
            give(
                at,
                same(u8x16::new(padded)).to_bitmask() & ((1 << rest.len()) - 1),
            );
        }
    }
}

/// Puts the places of `byte` in `text` into `out`, in order, and says how many there are; `None` if they do not fit, for
/// which `out` must have room for seven more. What stands in `out` behind the last place has no meaning.
///
/// How many there are in one part of a line is never foreseen, so that eight are written whether there are so many or not.
#[inline]
pub fn places(byte: u8, text: &[u8], out: &mut [u32]) -> Option<usize> {
    u32::try_from(text.len()).ok()?;
    let wanted = u8x16::splat(byte);
    let same = |block: &[u8; BLOCK]| same_in_block(block, wanted);
    let mut count = 0;
    let mut give = |from: usize, mut bits: u64| {
        let mut left = bits.count_ones() as usize;
        loop {
            let room: &mut [u32; 8] = out.get_mut(count..)?.first_chunk_mut()?;
            for place in room {
                *place = from as u32 + bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
            }
            let given = left.min(8);
            (count, left) = (count + given, left - given);
            if left == 0 {
                return Some(count);
            }
        }
    };
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for (n, block) in blocks.iter().enumerate() {
        give(n * BLOCK, same(block))?;
    }
    let at = text.len() - rest.len();
    if let Some(last) = text.last_chunk::<BLOCK>() {
        // The last bytes once more, for those of them that were not looked at.
        return give(
            at,
            same(last).checked_shr((BLOCK - rest.len()) as u32).unwrap_or(0),
        );
    }
    let mut padded = [0; BLOCK];
    padded[..rest.len()].copy_from_slice(rest);
    give(at, same(&padded) & ((1 << rest.len()) - 1))
}

/// Where a target's path ends, at a `?` or a `#`, and whether anything before that is a `%` or a capital letter.
#[inline]
pub fn path_end(text: &[u8]) -> (usize, bool) {
    let look = |lanes: &[u8; STEP]| {
        let lanes = u8x16::new(*lanes);
        let same = |byte: u8| lanes.simd_eq(u8x16::splat(byte));
        let letters = lanes - u8x16::splat(b'A');
        let is_capital = letters.simd_eq(letters.min(u8x16::splat(25)));
        let ends = (same(b'?') | same(b'#')).to_bitmask();
        (ends, (same(b'%') | is_capital).to_bitmask())
    };
    let until = |(ends, odd): (u32, u32)| odd & ends.wrapping_sub(1) & !ends;
    let (steps, rest) = text.as_chunks::<STEP>();
    let mut is_odd = false;
    for (n, step) in steps.iter().enumerate() {
        let found = look(step);
        is_odd |= until(found) != 0;
        if found.0 != 0 {
            return (n * STEP + found.0.trailing_zeros() as usize, is_odd);
        }
    }
    let found = match text.last_chunk::<STEP>() {
        Some(last) => {
            let (ends, odd) = look(last);
            let seen = STEP - rest.len();
            (ends >> seen, odd >> seen)
        }
        None => {
            let mut padded = [0; STEP];
            padded[..rest.len()].copy_from_slice(rest);
            look(&padded)
        }
    };
    let len = (found.0.trailing_zeros() as usize).min(rest.len());
    (text.len() - rest.len() + len, is_odd | (until(found) != 0))
}

/// Whether a space or a sign that stands before the digits in ASCII, but for the dash, is among these bytes.
#[inline]
pub fn has_early_sign(bytes: &[u8; STEP]) -> bool {
    let lanes = u8x16::new(*bytes);
    let is_early = lanes.simd_eq(lanes.min(u8x16::splat(b'0' - 1)));
    (is_early & !lanes.simd_eq(u8x16::splat(b'-'))).to_bitmask() != 0
}

/// Which of these bytes are hexadecimal digits, the first one in the lowest bit.
#[inline]
pub fn hexadecimals(bytes: &[u8; STEP]) -> u32 {
    let lanes = u8x16::new(*bytes);
    let digits = lanes - u8x16::splat(b'0');
    let letters = (lanes | u8x16::splat(0x20)) - u8x16::splat(b'a');
    let is_digit = digits.simd_eq(digits.min(u8x16::splat(9)));
    (is_digit | letters.simd_eq(letters.min(u8x16::splat(5)))).to_bitmask()
}

/// The two numbers that twice sixteen hexadecimal digits are; `None` if one of them is none.
#[inline]
pub fn hexadecimal(first: [u8; STEP], second: [u8; STEP]) -> Option<(u64, u64)> {
    // Each digit's worth in its byte, and whether all are digits.
    let worth = |digits: [u8; STEP]| {
        let lanes = u8x16::new(digits);
        let digits = lanes - u8x16::splat(b'0');
        let is_digit = digits.simd_eq(digits.min(u8x16::splat(9)));
        let letters = (lanes | u8x16::splat(0x20)) - u8x16::splat(b'a');
        let is_letter = letters.simd_eq(letters.min(u8x16::splat(5)));
        let worth = (digits & is_digit) | ((letters + u8x16::splat(10)) & is_letter);
        (worth, is_digit | is_letter)
    };
    // Two digits that follow each other are a byte.
    let pairs = |worth: u8x16| {
        let worth = u128::from_le_bytes(worth.to_array());
        let pairs = u16x8::new(std::array::from_fn(|at| (worth >> (16 * at)) as u16));
        let pairs = ((pairs << 4_u32) | (pairs >> 8_u32)) & u16x8::splat(0xff);
        i16x8::new(pairs.to_array().map(u16::cast_signed))
    };
    let ((first, is_first), (second, is_second)) = (worth(first), worth(second));
    if (is_first & is_second).to_bitmask() != 0xffff {
        return None;
    }
    let bytes = u8x16::narrow_i16x8(pairs(first), pairs(second));
    let both = u128::from_be_bytes(bytes.to_array());
    Some(((both >> 64) as u64, both as u64))
}

const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
/// Brings what is above nine to the highest bit of its byte.
const ABOVE_NINE: u64 = u64::from_le_bytes([0x80 - 10; 8]);

/// The number that the one to eight digits from `from` to `to` are; `None` if they are anything else, or stand so near to
/// the start of `text` that eight bytes cannot be had.
#[inline]
pub fn number(text: &[u8], from: usize, to: usize) -> Option<u64> {
    let (word, len) = word_before(text, from, to)?;
    digits(word, len)
}

/// The thousandths that `0.026` is: a number of one to four digits and three decimals. `None` for anything else.
#[inline]
pub fn thousandths(text: &[u8], from: usize, to: usize) -> Option<u64> {
    let (word, len) = word_before(text, from, to)?;
    if len < 5 || (word >> 32) as u8 != b'.' {
        return None;
    }
    let whole = word << 32 >> 24;
    digits(whole | word >> 40 << 40, len - 1)
}

/// The eight bytes that end at `to`, the last one in the highest bits, and how many of them stand behind `from`.
#[inline]
fn word_before(text: &[u8], from: usize, to: usize) -> Option<(u64, u32)> {
    let len = to.wrapping_sub(from);
    let start = to.checked_sub(8)?;
    let word: &[u8; 8] = text.get(start..)?.first_chunk()?;
    (1..=8)
        .contains(&len)
        .then_some((u64::from_le_bytes(*word), len as u32))
}

/// The number that the `len` highest bytes of `word` are in digits, the first one in the lowest of them.
#[inline]
fn digits(word: u64, len: u32) -> Option<u64> {
    let other = 64 - 8 * len;
    let digits = (word ^ ZEROS) >> other << other;
    are_digits(digits).then(|| value(digits))
}

/// What eight digits are worth together, the first one in the lowest bits.
#[inline(always)]
fn value(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10) + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff
}

/// What [`number`] gives for the first `len` bytes of `short`.
#[inline(always)]
pub fn number_in(short: &[u8; STEP], len: usize) -> Option<u64> {
    let digits = digits_in(short, len)?;
    are_digits(digits).then(|| value(digits))
}

/// Whether there is such a number.
#[inline(always)]
pub fn is_number_in(short: &[u8; STEP], len: usize) -> bool {
    digits_in(short, len).is_some_and(are_digits)
}

/// What [`thousandths`] gives for the first `len` bytes of `short`.
#[inline(always)]
pub fn thousandths_in(short: &[u8; STEP], len: usize) -> Option<u64> {
    let digits = digits_in(short, len)? ^ POINT;
    if !(are_digits(digits) && len >= 5 && short[len - 4] == b'.') {
        return None;
    }
    // The digits before the point move into its place.
    Some(value(digits << 32 >> 24 | digits >> 40 << 40))
}

/// Whether there are such thousandths.
#[inline(always)]
pub fn are_thousandths_in(short: &[u8; STEP], len: usize) -> bool {
    len >= 5
        && short.get(len - 4) == Some(&b'.')
        && digits_in(short, len).is_some_and(|digits| are_digits(digits ^ POINT))
}

/// A point four bytes from the end, where digits are expected.
const POINT: u64 = ((b'.' ^ b'0') as u64) << 32;

/// What the first `len` of these bytes, one to eight, are worth as digits, the last one in the highest bits.
#[inline(always)]
fn digits_in(short: &[u8; STEP], len: usize) -> Option<u64> {
    let word: &[u8; 8] = short.first_chunk()?;
    let other = 64u32.wrapping_sub(8 * len as u32);
    (other < 64).then(|| (u64::from_le_bytes(*word) ^ ZEROS) << other)
}

/// Whether no byte is above nine.
#[inline(always)]
fn are_digits(bytes: u64) -> bool {
    (bytes.wrapping_add(ABOVE_NINE) | bytes) & HIGH == 0
}

/// Where the last colon stands in the first `len` bytes of `text`, no space among them. `None` for anything else, for more
/// than thirty-one bytes, and near the end of `text`.
#[inline(always)]
pub fn last_colon(text: &[u8], len: usize) -> Option<usize> {
    let window: &[u8; 2 * STEP] = text.first_chunk()?;
    let within = 1u32.checked_shl(len as u32)? - 1;
    let colons = same_in_two(window, u8x16::splat(b':')) & within;
    let spaces = same_in_two(window, u8x16::splat(b' ')) & within;
    (colons != 0 && spaces == 0).then(|| colons.ilog2() as usize)
}

/// Whether any of `bytes` stands in `text` from `from` to `to`.
#[inline]
pub fn has_any(text: &[u8], from: usize, to: usize, bytes: [u8; 3]) -> bool {
    let any = |byte: &u8| bytes.contains(byte);
    let len = to.saturating_sub(from);
    let lanes: Option<&[u8; STEP]> = text.get(from..).and_then(|rest| rest.first_chunk());
    let Some(lanes) = lanes.filter(|_| len <= STEP) else {
        return text.get(from..to).unwrap_or_default().iter().any(any);
    };
    let lanes = u8x16::new(*lanes);
    let same = |byte: u8| lanes.simd_eq(u8x16::splat(byte));
    let same = same(bytes[0]) | same(bytes[1]) | same(bytes[2]);
    same.to_bitmask() & ((1 << len) - 1) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_stands() {
        for len in 0..200 {
            for at in 0..len {
                let mut text = vec![b'x'; len];
                text[at] = b'"';
                let seek = Seek::new(b'"');
                for from in [0, at / 2, at] {
                    assert_eq!(seek.find(&text, from), Some(at), "{from} {at} {len}");
                    assert_eq!(seek.find_far(&text, from), Some(at), "{from} {at} {len}");
                }
                assert_eq!(seek.find(&text, at + 1), None);
                assert_eq!(seek.find_far(&text, at + 1), None);
                let mut found = Vec::new();
                each(b'"', &text, |at| found.push(at));
                assert_eq!(found, [at]);
                assert_eq!((count(b'"', &text), count(b'x', &text)), (1, len - 1));
            }
            assert_eq!(Seek::new(b'"').find(&vec![b'x'; len], 0), None);
            assert_eq!(Seek::new(b'"').find(&vec![b'"'; len], len + 1), None);
            assert_eq!(Seek::new(b'"').find_far(&vec![b'"'; len], len + 1), None);
        }
    }

    #[test]
    fn two_bytes_are_seen_ahead() {
        let text: Vec<u8> = (0..400usize)
            .map(|at| match at % 61 {
                0 | 7 | 40 => b' ',
                3 | 33 => b'/',
                _ => b'x',
            })
            .collect();
        let pair = [Seek::new(b' '), Seek::new(b'/')];
        for step in 1..50 {
            let mut ahead = Ahead::new(&pair, &text);
            for from in (0..text.len()).step_by(step) {
                let rest = &text[from..];
                for (is_second, byte) in [(false, b' '), (true, b'/')] {
                    let there = rest.iter().position(|&other| other == byte);
                    let seen = ahead.find(is_second, rest.len());
                    assert!(seen.is_none() || seen == there, "{from} {step}");
                    let must = there.is_some_and(|at| at < BLOCK);
                    assert!(seen.is_some() || !must, "{from} {step}");
                }
            }
        }
        // A line that is shorter than what is looked at has no block to look at.
        for len in 0..=BLOCK {
            let mut ahead = Ahead::new(&pair, &text[..len]);
            for from in 0..=len {
                let there = text[from..len].iter().position(|&byte| byte == b' ');
                let seen = ahead.find(false, len - from);
                assert_eq!(seen, there.filter(|_| len == BLOCK), "{from} {len}");
            }
        }
    }

    #[test]
    fn short_fields_are_read_as_long_ones() {
        let fields = [
            "",
            "7",
            "007",
            "99999999",
            "123456789",
            "-1",
            "+5",
            "1x",
            "0.026",
            "12.345",
            "9999.999",
            "1.5",
            ".123",
            "1.23x",
            "12345.678",
            "1.2345",
        ];
        for field in fields {
            let text = format!("01234567{field} 0123456789abcdef");
            let bytes = text.as_bytes();
            let short: &[u8; STEP] = bytes[8..].first_chunk().unwrap();
            let (len, end) = (field.len(), 8 + field.len());
            assert_eq!(number_in(short, len), number(bytes, 8, end), "{field}");
            assert_eq!(
                is_number_in(short, len),
                number(bytes, 8, end).is_some(),
                "{field}"
            );
            assert_eq!(thousandths_in(short, len), thousandths(bytes, 8, end), "{field}");
            assert_eq!(
                are_thousandths_in(short, len),
                thousandths(bytes, 8, end).is_some(),
                "{field}"
            );
        }
    }

    #[test]
    fn the_last_colon_is_found_where_there_is_no_space() {
        let text = b"10.0.0.1:80 2001:db8::7:51234 x:y and more bytes than are looked at";
        assert_eq!(last_colon(text, 11), Some(8));
        assert_eq!(last_colon(&text[12..], 17), Some(11));
        assert_eq!(last_colon(text, 15), None, "a space");
        assert_eq!(last_colon(text, 8), None, "no colon");
        assert_eq!(last_colon(&text[12..], 32), None, "too far");
        assert_eq!(last_colon(b"10.0.0.1:80", 11), None, "too near to the end");
    }

    #[test]
    fn hexadecimal_digits_are_told_from_all_other_bytes() {
        for byte in 0..=u8::MAX {
            let is = if byte.is_ascii_hexdigit() { 0xffff } else { 0 };
            assert_eq!(hexadecimals(&[byte; STEP]), is, "{byte}");
        }
        assert_eq!(hexadecimals(b"0123-567z9abcdeg"), 0b0111_1110_1110_1111);
    }

    #[test]
    fn spaces_and_early_signs_are_told_from_all_other_bytes() {
        for byte in 0..=u8::MAX {
            let mut bytes = *b"0123-5:7z9a@c_EF";
            assert!(!has_early_sign(&bytes));
            bytes[usize::from(byte) % STEP] = byte;
            assert_eq!(has_early_sign(&bytes), byte < b'0' && byte != b'-', "{byte}");
        }
    }

    #[test]
    fn every_place_of_several_bytes_is_found() {
        for len in 0..70 {
            let text: Vec<u8> = (0..len).map(|at| b"a|b{c}de\0"[at % 9]).collect();
            let mut found = Vec::new();
            each_of(*b"|{}", &text, |at| found.push(at));
            let want: Vec<usize> = (0..len).filter(|&at| b"|{}".contains(&text[at])).collect();
            assert_eq!(found, want);
        }
    }

    #[test]
    fn places_are_given_as_far_as_there_is_room() {
        for len in 0..300 {
            for every in [1, 2, 7, 19] {
                let text: Vec<u8> = (0..len)
                    .map(|at| if at % every == 0 { b' ' } else { b'x' })
                    .collect();
                let want: Vec<u32> = (0..len as u32).step_by(every).collect();
                let mut out = [0; 107];
                match places(b' ', &text, &mut out) {
                    Some(count) => assert_eq!(out[..count], want, "{len} {every}"),
                    None => assert!(want.len() > 99, "{len} {every}"),
                }
            }
        }
    }

    #[test]
    fn a_path_ends_at_its_query() {
        for len in 0..70 {
            for (at, odd) in (0..len + 1).flat_map(|at| (0..len + 1).map(move |odd| (at, odd))) {
                let mut text = vec![b'a'; len];
                let signs = [(odd, b"%AZ"[at % 3]), (at, b"?#"[odd % 2])];
                for (place, sign) in signs {
                    if let Some(byte) = text.get_mut(place) {
                        *byte = sign;
                    }
                }
                assert_eq!(path_end(&text), (at, odd < at), "{}", text.escape_ascii());
            }
        }
        assert_eq!(path_end(b"/a@[`z{-_.~"), (11, false));
    }

    #[test]
    fn hexadecimal_digits_are_read_and_nothing_else() {
        let of = |text: &str| {
            let bytes: [u8; 16] = text.as_bytes().try_into().unwrap();
            let twice = hexadecimal(bytes, *b"0011223344556677");
            assert_eq!(
                hexadecimal(*b"0011223344556677", bytes),
                twice.map(|(a, b)| (b, a))
            );
            twice
        };
        assert_eq!(
            of("0123456789abcdef"),
            Some((0x0123_4567_89ab_cdef, 0x0011_2233_4455_6677))
        );
        assert_eq!(
            of("FEDCBA9876543210"),
            Some((0xfedc_ba98_7654_3210, 0x0011_2233_4455_6677))
        );
        for other in (0..=127u8).map(char::from).filter(|c| !c.is_ascii_hexdigit()) {
            assert_eq!(of(&format!("0123456{other}89abcdef")), None, "{other:?}");
        }
    }

    #[test]
    fn numbers_are_what_their_digits_say() {
        for text in ["7", "07", "123", "99999999", "00000000", "12345678"] {
            let line = format!("abcdefgh{text} rest");
            let to = 8 + text.len();
            assert_eq!(
                number(line.as_bytes(), 8, to),
                crate::bytes::number(text.as_bytes()),
                "{text}"
            );
        }
        for text in ["", "123456789", "1.2", "-1", "1:", "/1", "1\u{ff}"] {
            let line = format!("abcdefgh{text} rest");
            assert_eq!(number(line.as_bytes(), 8, 8 + text.len()), None, "{text}");
        }
        assert_eq!(number(b"1234567", 0, 7), None, "eight bytes cannot be had");
    }

    #[test]
    fn thousandths_are_what_the_decimal_says() {
        for (text, want) in [
            ("0.026", Some(26)),
            ("12.345", Some(12_345)),
            ("1234.567", Some(1_234_567)),
        ] {
            let line = format!("abcdefgh{text} rest");
            assert_eq!(thousandths(line.as_bytes(), 8, 8 + text.len()), want, "{text}");
        }
        for text in [
            "",
            ".026",
            "1.02",
            "12345",
            "12.34a",
            "a.123",
            "12345.678",
            "1234.5678",
            "1..123",
        ] {
            let line = format!("abcdefgh{text} rest");
            assert_eq!(thousandths(line.as_bytes(), 8, 8 + text.len()), None, "{text}");
        }
    }

    #[test]
    fn bytes_are_looked_for_within_the_bounds_only() {
        for len in [3, 20, 40] {
            let mut text = vec![b'x'; len + 30];
            text[2] = b',';
            text[3 + len] = b' ';
            assert!(!has_any(&text, 3, 3 + len, *b" ,;"));
            assert!(has_any(&text, 2, 3 + len, *b" ,;"));
            assert!(has_any(&text, 3, 4 + len, *b" ,;"));
        }
    }
}
