//! W3C extended log files: `#Fields:` names the columns, spaces part them.
//!
//! A space inside a value is written `+`, but not by every writer: users, cookies and raw URLs are met
//! with spaces in them, so that a row has more columns than the header. Then one column that may hold
//! spaces takes the surplus, and the row counts as read only if status and client address fall into place.

use std::sync::Arc;

use crate::bytes::{filled, lanes, number};
use crate::entry::{Ids, Stamp, Zone};
use crate::error::LineError;
use crate::format::{Head, LineParser, Prepared};
use crate::glance::Glance;
use crate::time::{self, DAY_US, DayCache};

/// A column that some format uses. All others are [`Column::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The variants are the columns' names.
pub enum Column {
    Date,
    Time,
    ServerIp,
    Method,
    Stem,
    Query,
    Uri,
    ClientIp,
    ClientPort,
    Host,
    Status,
    Substatus,
    Win32Status,
    TimeTaken,
    BytesSent,
    ForwardedFor,
    Reason,
    Queue,
    /// A request or trace id; there may be several.
    Id,
    /// Free text that may hold spaces.
    Loose,
    Other,
}

/// Of longer names of columns only the beginning is looked at.
const LONGEST_NAME: usize = 64;

impl Column {
    /// How many kinds of columns there are.
    pub const COUNT: usize = Self::Other as usize + 1;

    /// The column called `name`.
    pub fn named(name: &[u8]) -> Self {
        let mut lower = [0; LONGEST_NAME];
        let len = name.len().min(LONGEST_NAME);
        lower[..len].copy_from_slice(&name[..len]);
        lower.make_ascii_lowercase();
        match &lower[..len] {
            b"date" => Self::Date,
            b"time" => Self::Time,
            b"s-ip" => Self::ServerIp,
            b"cs-method" => Self::Method,
            b"cs-uri-stem" => Self::Stem,
            b"cs-uri-query" => Self::Query,
            b"cs-uri" => Self::Uri,
            b"c-ip" => Self::ClientIp,
            b"c-port" => Self::ClientPort,
            b"cs-host" | b"cs(host)" => Self::Host,
            b"sc-status" => Self::Status,
            b"sc-substatus" => Self::Substatus,
            b"sc-win32-status" => Self::Win32Status,
            b"time-taken" | b"timetakenms" => Self::TimeTaken,
            b"sc-bytes" => Self::BytesSent,
            b"s-reason" => Self::Reason,
            b"s-queuename" => Self::Queue,
            b"s-port" | b"s-sitename" | b"s-siteid" | b"s-computername" | b"cs-version" | b"cs-bytes"
            | b"streamid" => Self::Other,
            other => Self::named_freely(other),
        }
    }

    /// Custom columns are called what the administrator called them: `X-Request-ID`, `cs(X-Request-ID)`.
    fn named_freely(name: &[u8]) -> Self {
        const IDS: [&[u8]; 9] = [
            b"requestid",
            b"correlationid",
            b"traceparent",
            b"traceid",
            b"arrlogid",
            b"transactionid",
            b"activityid",
            b"cfray",
            b"amznrequest",
        ];
        let (mut letters, mut len) = ([0; LONGEST_NAME], 0);
        for (to, from) in letters
            .iter_mut()
            .zip(name.iter().filter(|byte| byte.is_ascii_alphanumeric()))
        {
            *to = *from;
            len += 1;
        }
        let has = |needle: &[u8]| crate::bytes::find(&letters[..len], needle).is_some();
        if has(b"xforwardedfor") || has(b"sxff") {
            Self::ForwardedFor
        } else if IDS.iter().any(|id| has(id)) {
            Self::Id
        } else {
            Self::Loose
        }
    }

    /// Whether values with unescaped spaces are met in it, and how often compared with others (higher is more often).
    fn looseness(self) -> u8 {
        match self {
            Self::Loose => 4,
            Self::Uri => 3,
            Self::Query | Self::ForwardedFor => 2,
            Self::Stem => 1,
            _ => 0,
        }
    }
}

/// The columns of a file or of a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    list: Vec<Column>,
    /// Places of columns that may take a surplus, likeliest first.
    loose: Vec<usize>,
    /// Where the columns are that a glance shows; `None` if rows have to be read in full.
    shown: Option<Shown>,
}

/// Places of the columns of which a glance is taken; [`MOST_COLUMNS`] where there is no such column.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    /// By [`Column`], the last one of each kind.
    places: [usize; Column::COUNT],
    /// Those of ids.
    ids: Vec<usize>,
}

impl Shown {
    fn of(list: &[Column]) -> Option<Self> {
        let mut places = [MOST_COLUMNS; Column::COUNT];
        for (at, &column) in list.iter().enumerate() {
            places[column as usize] = at;
        }
        let has = |column: Column| places[column as usize] < MOST_COLUMNS;
        // Without a date column the day depends on the rows before.
        let is_dated = has(Column::Date) && has(Column::Time);
        let ids = (0..list.len()).filter(|&at| list[at] == Column::Id).collect();
        is_dated.then_some(Self { places, ids })
    }
}

/// At most this many columns are told apart; the rest of a row is one value.
const MOST_COLUMNS: usize = 96;

impl Columns {
    /// The columns that a `#Fields:` line names; `None` for any other line.
    pub fn from_directive(line: &[u8]) -> Option<Self> {
        let names = line.strip_prefix(b"#Fields:")?;
        Self::from_names(names)
    }

    /// The columns called `names`, parted by spaces or tabs; `None` if there are none.
    pub fn from_names(names: &[u8]) -> Option<Self> {
        let names = names
            .split(u8::is_ascii_whitespace)
            .filter(|name| !name.is_empty());
        let list: Vec<Column> = names.take(MOST_COLUMNS).map(Column::named).collect();
        if list.is_empty() {
            return None;
        }
        let mut loose: Vec<usize> = (0..list.len()).filter(|&at| list[at].looseness() > 0).collect();
        // Of equally loose columns the later one: cookies and referrers stand behind user names.
        loose.sort_by_key(|&at| std::cmp::Reverse((list[at].looseness(), at)));
        let shown = Shown::of(&list);
        Some(Self { list, loose, shown })
    }

    /// The columns of the first `#Fields:` line in `head`, else the first of `layouts` that most rows of
    /// `head` fit, else the first.
    pub fn of_head(head: &Head<'_>, layouts: &[&str]) -> Self {
        if let Some(columns) = head.lines().find_map(Self::from_directive) {
            return columns;
        }
        let fits = |layout: &&str| {
            let mut rows = Rows::new(Self::from_names(layout.as_bytes())?, b"");
            let mut row = Row::default();
            let wanted = rows.columns.list.len();
            // Where the date stands first, a row begins with it.
            let is_dated = layout.starts_with("date ");
            let has_date = |line: &[u8]| matches!(line, [b'0'..=b'9', _, _, _, b'-', _, _, b'-', ..]);
            let may_fit = |line: &&[u8]| line[0] != b'#' && (!is_dated || has_date(line));
            let lines = head.lines().take(Head::LINES).filter(may_fit);
            let fitting = lines.filter(|line| rows.read(line, &mut row).is_ok());
            // A row that fits without stretching a column counts twice.
            Some(
                fitting
                    .map(|line| 1 + usize::from(Cuts::new(line).count == wanted))
                    .sum::<usize>(),
            )
        };
        let best = layouts.iter().rev().max_by_key(|layout| fits(layout));
        best.and_then(|layout| Self::from_names(layout.as_bytes()))
            .unwrap_or(Self {
                list: vec![Column::Other],
                loose: Vec::new(),
                shown: None,
            })
    }

    /// Whether a column of this kind is there.
    pub fn has(&self, column: Column) -> bool {
        self.list.contains(&column)
    }
}

/// The values of one row.
#[derive(Debug, Clone, Default)]
pub struct Row<'a> {
    values: [&'a [u8]; Column::COUNT],
    /// The values of all id columns.
    pub ids: Ids<'a>,
    /// When, UTC.
    pub time: Option<Stamp>,
}

impl<'a> Row<'a> {
    /// The value of `column`; empty if it is `-` or not logged.
    pub fn get(&self, column: Column) -> &'a [u8] {
        crate::bytes::filled(self.values[column as usize])
    }

    /// The value of `column` as a number.
    pub fn number<T: TryFrom<u64>>(&self, column: Column) -> Option<T> {
        T::try_from(crate::bytes::number(self.values[column as usize])?).ok()
    }

    /// Takes in the value of `column`.
    pub fn set(&mut self, column: Column, value: &'a [u8]) {
        if column == Column::Id {
            self.ids.push(value);
        }
        self.values[column as usize] = value;
    }
}

/// A format of rows, ready for one file whose head gave its columns and its date.
pub struct PreparedRows {
    columns: Columns,
    date: [u8; 10],
    parser: fn(Rows) -> Box<dyn LineParser>,
}

impl PreparedRows {
    /// For the file that begins with `head`; where it names no columns they are those of one of `layouts`. `parser` reads
    /// what the rows have.
    pub fn of(
        head: &Head<'_>,
        layouts: &[&str],
        parser: fn(Rows) -> Box<dyn LineParser>,
    ) -> Arc<dyn Prepared> {
        Arc::new(Self {
            columns: Columns::of_head(head, layouts),
            date: head.lines().find_map(date_of).unwrap_or_default(),
            parser,
        })
    }
}

impl Prepared for PreparedRows {
    fn open(&self, preamble: &[u8]) -> Box<dyn LineParser> {
        let columns = Columns::from_directive(preamble).unwrap_or_else(|| self.columns.clone());
        (self.parser)(Rows::new(columns, &self.date))
    }

    fn directive(&self) -> Option<&'static [u8]> {
        Some(b"#Fields:")
    }
}

/// Reads row after row; knows the columns, and the date where rows carry none.
#[derive(Debug, Clone)]
pub struct Rows {
    columns: Columns,
    cache: DayCache,
    ends: Ends,
    last: LastStamp,
    /// Date of the last `#Date:` line, for rows without a date column.
    date: [u8; 10],
    /// Days passed since then, and the time of day seen last.
    days: i64,
    last_clock_us: i64,
}

impl Rows {
    /// A reader of rows of `columns`; `date` (`YYYY-MM-DD`, may be empty) holds until a `#Date:` line says otherwise.
    pub fn new(columns: Columns, date: &[u8]) -> Self {
        Self {
            columns,
            cache: DayCache::default(),
            ends: Ends([0; MOST_COLUMNS + 7]),
            last: LastStamp {
                text: [0; 19],
                stamp: None,
            },
            date: *date.first_chunk().unwrap_or(&[0; 10]),
            days: 0,
            last_clock_us: 0,
        }
    }

    /// Takes in a line that starts with `#`.
    pub fn directive(&mut self, line: &[u8]) {
        if let Some(columns) = Columns::from_directive(line) {
            self.columns = columns;
        }
        if let Some(date) = date_of(line) {
            self.date = date;
            self.days = 0;
            self.last_clock_us = 0;
        }
    }

    /// Takes a glance at a row that has exactly the columns of the header, see [`crate::LineParser::glance`]. Gives the
    /// target and the query as the row has them.
    #[inline]
    pub fn glance<'a>(&mut self, line: &'a [u8], glance: &mut Glance<'a>) -> Option<(&'a [u8], &'a [u8])> {
        let shown = self.columns.shown.as_ref()?;
        let wanted = self.columns.list.len();
        let is_plain = !matches!(line.first(), None | Some(b'"' | b'#' | 0)) && line.last() != Some(&b' ');
        if !is_plain || !self.ends.cut(line, wanted) {
            return None;
        }
        let spans = Spans {
            line,
            ends: &self.ends.0,
            places: &shown.places,
        };
        let (status, client) = (filled(spans.value(Column::Status)), spans.span(Column::ClientIp));
        // What a failure has to tell stands in further columns.
        if status.len() > 3
            || !status.iter().all(u8::is_ascii_digit)
            || status.first().is_some_and(|&digit| digit >= b'5')
        {
            return None;
        }
        if !filled(&line[client.0..client.1]).is_empty()
            && !lanes::has_any(line, client.0, client.1, [b'.', b':', b':'])
        {
            return None;
        }
        glance.time = Some(self.last.stamp(&spans, &mut self.cache)?);
        let taken = spans.span(Column::TimeTaken);
        let taken = lanes::number(line, taken.0, taken.1).or_else(|| number(&line[taken.0..taken.1]));
        glance.duration_us = taken.and_then(|ms| ms.checked_mul(1_000));
        glance.status = number(status).and_then(|status| u16::try_from(status).ok());
        glance.method = filled(spans.value(Column::Method));
        for &place in &shown.ids {
            let (from, to) = spans.at(place);
            glance.ids.push(&line[from..to]);
        }
        let target = match filled(spans.value(Column::Stem)) {
            [] => filled(spans.value(Column::Uri)),
            stem => stem,
        };
        Some((target, filled(spans.value(Column::Query))))
    }

    /// Reads one row.
    ///
    /// # Errors
    /// [`LineError`] if the columns do not fit or there is no time.
    pub fn read<'a>(&mut self, line: &'a [u8], row: &mut Row<'a>) -> Result<(), LineError> {
        *row = Row::default();
        let mut cuts = Cuts::new(line);
        if line.first() == Some(&b'"') {
            cuts.quoted(line);
        }
        let surplus = cuts
            .count
            .checked_sub(self.columns.list.len())
            .ok_or(LineError::new(line.len(), "further column"))?;
        self.fit(line, &mut cuts, surplus, row)?;
        row.time = self.time(row);
        match row.time {
            Some(_) => Ok(()),
            None => Err(LineError::new(0, "date and time")),
        }
    }

    /// Lets the columns that may hold spaces take the surplus, one after the other, until the row makes sense.
    fn fit<'a>(
        &self,
        line: &'a [u8],
        cuts: &mut Cuts,
        surplus: usize,
        row: &mut Row<'a>,
    ) -> Result<(), LineError> {
        if surplus == 0 {
            self.assign(line, cuts, 0, 0, row);
            return makes_sense(line, row);
        }
        if cuts.count > MOST_COLUMNS {
            return Err(LineError::new(line.len(), "end of the row"));
        }
        let solid = cuts.without_empty();
        if solid.count == self.columns.list.len() {
            self.assign(line, &solid, 0, 0, row);
            if makes_sense(line, row).is_ok() {
                return Ok(());
            }
        }
        let mut broken = LineError::new(line.len(), "end of the row");
        for &taker in &self.columns.loose {
            self.assign(line, cuts, taker, surplus, row);
            match makes_sense(line, row) {
                Ok(()) => return Ok(()),
                Err(error) => broken = error,
            }
        }
        Err(broken)
    }

    fn assign<'a>(&self, line: &'a [u8], cuts: &Cuts, taker: usize, surplus: usize, row: &mut Row<'a>) {
        row.ids = Ids::default();
        let mut at = 0;
        for (place, &column) in self.columns.list.iter().enumerate() {
            let last = at + if place == taker { surplus } else { 0 };
            let (start, end) = (cuts.spans[at].0 as usize, cuts.spans[last].1 as usize);
            if column != Column::Other && column != Column::Loose {
                row.set(column, &line[start..end]);
            }
            at = last + 1;
        }
    }

    fn time(&mut self, row: &Row<'_>) -> Option<Stamp> {
        let clock = row.get(Column::Time);
        let date = row.get(Column::Date);
        let mut stamp = if self.columns.has(Column::Date) {
            time::date_and_clock(date, clock, &mut self.cache)?
        } else {
            let mut stamp = time::date_and_clock(&self.date, clock, &mut self.cache)?;
            let clock_us = stamp.us.rem_euclid(DAY_US);
            // Rows are written within minutes of each other's order, so a fall of hours is midnight.
            if clock_us + DAY_US / 2 < self.last_clock_us {
                self.days += 1;
            }
            self.last_clock_us = clock_us;
            stamp.us += self.days * DAY_US;
            stamp
        };
        stamp.zone = Zone::Known;
        Some(stamp)
    }
}

/// The date of a `#Date:` line.
pub fn date_of(line: &[u8]) -> Option<[u8; 10]> {
    line.strip_prefix(b"#Date:")?.trim_ascii().first_chunk().copied()
}

/// Whether status and client address, where logged, look like what they should be.
fn makes_sense(line: &[u8], row: &Row<'_>) -> Result<(), LineError> {
    let at = |value: &[u8]| (value.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
    let status = row.get(Column::Status);
    if !(status.is_empty() || status.len() <= 3 && status.iter().all(u8::is_ascii_digit)) {
        return Err(LineError::new(at(status), "sc-status"));
    }
    let client = row.get(Column::ClientIp);
    if !(client.is_empty() || client.iter().any(|byte| matches!(byte, b'.' | b':'))) {
        return Err(LineError::new(at(client), "c-ip"));
    }
    Ok(())
}

/// Where the values of a row end, used again for every row; with room for what [`lanes::places`] writes beyond.
#[derive(Debug, Clone)]
struct Ends([u32; MOST_COLUMNS + 7]);

impl Ends {
    /// Cuts `line` at every space; whether that gives `wanted` values.
    #[inline]
    fn cut(&mut self, line: &[u8], wanted: usize) -> bool {
        let Some(count) = lanes::places(b' ', line, &mut self.0) else {
            return false;
        };
        let Some(last) = self.0.get_mut(count).filter(|_| count < MOST_COLUMNS) else {
            return false;
        };
        *last = line.len() as u32;
        count + 1 == wanted
    }
}

/// A row that was cut, and the places of its columns.
struct Spans<'a, 'r> {
    line: &'a [u8],
    ends: &'r [u32],
    places: &'r [usize; Column::COUNT],
}

impl<'a> Spans<'a, '_> {
    /// Where the value at `place` begins and ends; both are zero where there is no such column.
    #[inline]
    fn at(&self, place: usize) -> (usize, usize) {
        match place {
            MOST_COLUMNS => (0, 0),
            0 => (0, self.ends[0] as usize),
            _ => (self.ends[place - 1] as usize + 1, self.ends[place] as usize),
        }
    }

    #[inline]
    fn span(&self, column: Column) -> (usize, usize) {
        self.at(self.places[column as usize])
    }

    #[inline]
    fn value(&self, column: Column) -> &'a [u8] {
        let (from, to) = self.span(column);
        &self.line[from..to]
    }
}

/// The date and the clock that a row began with, and when that is: the next row mostly begins so as well.
#[derive(Debug, Clone)]
struct LastStamp {
    text: [u8; 19],
    stamp: Option<Stamp>,
}

impl LastStamp {
    /// When the row was written, UTC.
    #[inline]
    fn stamp(&mut self, spans: &Spans<'_, '_>, cache: &mut DayCache) -> Option<Stamp> {
        let (date, clock) = (spans.span(Column::Date), spans.span(Column::Time));
        let is_first = (date, clock) == ((0, 10), (11, 19));
        let text = spans.line.first_chunk::<19>().filter(|_| is_first);
        if text == Some(&self.text) && self.stamp.is_some() {
            return self.stamp;
        }
        let stamp = time::date_and_clock(spans.value(Column::Date), spans.value(Column::Time), cache)?;
        self.stamp = Some(Stamp {
            zone: Zone::Known,
            ..stamp
        });
        self.text = text.copied().unwrap_or_default();
        self.stamp
    }
}

/// Where the values of a row start and end.
struct Cuts {
    spans: [(u32, u32); MOST_COLUMNS + 1],
    count: usize,
}

impl Cuts {
    /// Cuts at every space.
    fn new(line: &[u8]) -> Self {
        let mut cuts = Self {
            spans: [(0, 0); MOST_COLUMNS + 1],
            count: 0,
        };
        let mut start = 0;
        for end in memchr::memchr_iter(b' ', line) {
            if !cuts.push(start, end) {
                return cuts;
            }
            start = end + 1;
        }
        // A space at the end of a row closes its last column.
        if start < line.len() || cuts.count == 0 {
            cuts.push(start, line.len());
        }
        cuts
    }

    fn push(&mut self, start: usize, end: usize) -> bool {
        let (Some(span), Ok(start), Ok(end)) = (
            self.spans.get_mut(self.count),
            u32::try_from(start),
            u32::try_from(end),
        ) else {
            return false;
        };
        *span = (start, end);
        self.count += 1;
        true
    }

    /// Cuts again, with spaces inside double quotes left alone and the quotes taken off.
    fn quoted(&mut self, line: &[u8]) {
        self.count = 0;
        let mut at = 0;
        while at < line.len() {
            let quoted = line[at] == b'"';
            let start = at + usize::from(quoted);
            let ends_with = if quoted { b'"' } else { b' ' };
            let end = memchr::memchr(ends_with, &line[start..]).map_or(line.len(), |length| start + length);
            if !self.push(start, end) {
                return;
            }
            at = end + 1 + usize::from(quoted);
        }
    }

    /// The same without empty values, for rows with doubled spaces.
    fn without_empty(&self) -> Self {
        let mut solid = Self {
            spans: [(0, 0); MOST_COLUMNS + 1],
            count: 0,
        };
        for &(start, end) in &self.spans[..self.count] {
            if end > start {
                solid.spans[solid.count] = (start, end);
                solid.count += 1;
            }
        }
        solid
    }
}
