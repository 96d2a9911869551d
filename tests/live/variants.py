"""Variants of a capture: the same incident as other installations would have logged it.

Each variant is a directory beside the capture in the shape of a sample (`logs/`, `configs/`), made
by rewriting its lines: what a server would have written with another clock, in another zone, with
another log format, without ids, or not at all.
"""

import calendar
import gzip
import random
import re
import shutil
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

MONTHS = {name: i for i, name in enumerate(calendar.month_abbr) if name}
# Foreign zones, in turn: minutes by which a hop's local time moves.
ZONES = (330, -480, 345, 600)


@dataclass
class Variant:
    """One variant of a capture."""

    name: str
    path: Path
    # Hops whose logs are there.
    hops: list
    # Hop -> microseconds by which its clock was moved, at the middle of the capture.
    shifts: dict = field(default_factory=dict)
    configs: bool = True
    # The hop whose logs are gone, if any.
    removed: str | None = None


def hops_of(sample):
    """The names of the hops with logs, in order of name."""
    return sorted(one.name for one in (sample / "logs").iterdir() if one.is_dir())


def make_all(sample, out, edge, seed):
    """Makes every variant of `sample` below `out`; `edge` is its outermost hop."""
    chance = random.Random(f"{sample.name}:{seed}")
    hops = hops_of(sample)
    made = [make(sample, out, "as-is", hops), make(sample, out, "no-configs", hops, configs=False)]
    made.append(make(sample, out, "no-ids", hops, rewrite=without_ids, reconfigure=same))
    made.append(make(sample, out, "stock", hops, rewrite=stock, reconfigure=stock_config))
    inner = [hop for hop in hops if hop != edge]
    shifts = {hop: shift_of(sample, hop, chance) for hop in inner}
    made.append(make(sample, out, "clocks-inner", hops, shifts=shifts))
    made.append(make(sample, out, "clock-edge", hops, shifts={edge: shift_of(sample, edge, chance)}))
    zones = {hop: ZONES[i % len(ZONES)] for i, hop in enumerate(hops)}
    made.append(make(sample, out, "zones", hops, zones=zones))
    both = make(sample, out, "no-ids-clocks", hops, rewrite=without_ids, reconfigure=same,
                shifts={hop: shift_of(sample, hop, chance) for hop in inner})
    made.append(both)
    for hop in hops if len(hops) > 1 else ():
        rest = [one for one in hops if one != hop]
        made.append(make(sample, out, f"without-{hop}", rest, removed=hop))
    return made


def make(sample, out, name, hops, rewrite=None, reconfigure=None, shifts=None, zones=None,
         configs=True, removed=None):
    """Writes one variant and returns it."""
    path = out / name
    shutil.rmtree(path, ignore_errors=True)
    middle_s = middle_of(sample)
    for hop in hops:
        move = mover((shifts or {}).get(hop), (zones or {}).get(hop, 0), middle_s)
        for source in sorted((sample / "logs" / hop).iterdir()):
            text = read(source)
            text = rewrite(text) if rewrite else text
            if text is not None:
                store(path / "logs" / hop / source.name, move(text))
    for source in sorted((sample / "configs").glob("*/*")) if configs else ():
        text = source.read_text()
        store(path / "configs" / source.parent.name / source.name,
              reconfigure(text) if reconfigure else text)
    moved = {hop: int(shift[0] * 1e6) for hop, shift in (shifts or {}).items()}
    return Variant(name, path, hops, moved, configs, removed)


def read(path):
    """The text of a log, unpacked."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "surrogateescape")


def store(path, text):
    """Writes a file, packed if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode("utf-8", "surrogateescape")
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def same(text):
    """A text as it is."""
    return text


# --- clocks and zones -------------------------------------------------------------------------

CLF = re.compile(r"\[(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d)(\.\d+)?(?: ([+-]\d{4}))?\]")
SLASHED = re.compile(r"^(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)()(?= )", re.M)
NAMED = re.compile(r"^\[\w{3} (\w{3}) (\d\d) (\d\d):(\d\d):(\d\d)(\.\d+) (\d{4})\]", re.M)
ISO = re.compile(r"(?<![\d:])(\d{4})-(\d\d)-(\d\d)([T ])(\d\d):(\d\d):(\d\d)(\.\d+)?(Z| [+-]\d{4})")
SYSLOG = re.compile(r"^(\w{3}) ([ \d]\d) (\d\d):(\d\d):(\d\d)(?= )", re.M)
# Seconds since the epoch with a fraction, milliseconds since the epoch.
SECONDS = re.compile(r'(?:(?<=msec=)|(?<="ts":)|(?<=Start: )|^)(\d{10})\.(\d+)(?= |,)', re.M)
# The moments that varnishlog writes into each of its Timestamp records.
STAMPED = re.compile(r"(?<= )(\d{10})\.(\d{6})(?= )")
MILLIS = re.compile(r'(?<="time":)(\d{13})(?=,)')


def shift_of(sample, hop, chance):
    """How a hop's clock is to be wrong: (seconds, drift in seconds per second).

    A log of whole seconds can only be moved by whole seconds, or it would say more than it knows."""
    sign = chance.choice((1, -1))
    whole = chance.randint(3, 90)
    if any(is_coarse(read(one)[:20000]) for one in (sample / "logs" / hop).iterdir()):
        return (sign * whole, 0.0)
    return (sign * (whole / 20 + chance.random()), chance.choice((1, -1)) * 120e-6)


def is_coarse(text):
    """Whether a log has stamps of whole seconds."""
    if SLASHED.search(text) or SYSLOG.search(text):
        return True
    return any(not found.group(group) for pattern, group in ((CLF, 7), (ISO, 8))
               for found in pattern.finditer(text))


def middle_of(sample):
    """About the middle of a capture: its end, as its truth has it, is close enough."""
    said = re.search(r'"captured_at": "([^"]+)"', (sample / "truth.json").read_text()).group(1)
    return calendar.timegm(time.strptime(said, "%Y-%m-%dT%H:%M:%S.%fZ")) - 90


def mover(shift, zone_minutes, middle_s):
    """A function that moves all stamps of a text by a clock's error and to another zone."""
    if shift is None and not zone_minutes:
        return same
    seconds, drift = shift or (0.0, 0.0)

    def moved(at):
        return at + seconds + drift * (at - middle_s)

    def move(text):
        for pattern, change in ((CLF, move_clf), (SLASHED, move_slashed), (NAMED, move_named),
                                (ISO, move_iso), (SYSLOG, move_syslog)):
            text = pattern.sub(partial(change, moved, zone_minutes * 60), text)
        stamps = STAMPED if "Timestamp" in text[:4000] else SECONDS
        text = stamps.sub(lambda m: fraction(moved(float(m.group())), len(m.group(2))), text)
        return MILLIS.sub(lambda m: str(round(moved(int(m.group()) / 1e3) * 1e3)), text)

    return move


def fraction(at, digits):
    """A moment with so many digits behind the point."""
    return f"{at:.{digits}f}"


def broken(at, fine):
    """(struct_time, the fraction with as many digits as `fine` has)."""
    digits = len(fine or "") - 1
    if digits < 1:
        return time.gmtime(round(at)), ""
    text = f"{at:.{digits}f}"
    return time.gmtime(int(text.split(".")[0])), "." + text.split(".")[1]


def move_clf(moved, zone, m):
    """`[20/Nov/2026:18:19:53 +0000]`, also without a zone or with a fraction."""
    day, month, year, hour, minute, second, fine, offset = m.groups()
    at = calendar.timegm((int(year), MONTHS[month], int(day), int(hour), int(minute), int(second)))
    at, fine = broken(moved(at + float(fine or 0)) + zone, fine)
    text = time.strftime("%d/%b/%Y:%H:%M:%S", at) + fine
    return f"[{text} {offset_of(offset, zone)}]" if offset else f"[{text}]"


def offset_of(offset, zone):
    """An offset such as `+0000`, moved by `zone` seconds."""
    minutes = (int(offset[1:3]) * 60 + int(offset[3:])) * (-1 if offset[0] == "-" else 1) + zone // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"


def move_slashed(moved, zone, m):
    """`2026/11/20 18:18:24`, local time."""
    at = calendar.timegm(tuple(int(part) for part in m.groups()[:6]))
    return time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(round(moved(at) + zone)))


def move_named(moved, zone, m):
    """`[Fri Nov 20 23:59:33.627507 2026]`, local time."""
    month, day, hour, minute, second, fine, year = m.groups()
    at = calendar.timegm((int(year), MONTHS[month], int(day), int(hour), int(minute), int(second)))
    at, fine = broken(moved(at + float(fine)) + zone, fine)
    return time.strftime("[%a %b %d %H:%M:%S", at) + fine + time.strftime(" %Y]", at)


def move_iso(moved, zone, m):
    """`2026-11-20T18:31:07.277Z` stays in UTC; `2026-11-20 18:29:33 +0000` moves with the zone."""
    year, month, day, letter, hour, minute, second, fine, offset = m.groups()
    at = calendar.timegm(tuple(map(int, (year, month, day, hour, minute, second))))
    zone = 0 if offset == "Z" else zone
    at, fine = broken(moved(at + float(fine or 0)) + zone, fine)
    ending = offset if offset == "Z" else " " + offset_of(offset.strip(), zone)
    return time.strftime(f"%Y-%m-%d{letter}%H:%M:%S", at) + fine + ending


def move_syslog(moved, zone, m):
    """`Nov 20 19:13:57`, local time without a year: the year of a capture is its own."""
    month, day, hour, minute, second = m.groups()
    year = time.gmtime().tm_year
    at = calendar.timegm((year, MONTHS[month], int(day), int(hour), int(minute), int(second)))
    at = time.gmtime(round(moved(at) + zone))
    return time.strftime("%b ", at) + f"{at.tm_mday:2d}" + time.strftime(" %H:%M:%S", at)


# --- ids --------------------------------------------------------------------------------------

IDS = (
    # nginx, varnishncsa and squid with a field of their own: what they write for an empty one.
    (re.compile(r"(?<= rid=)\S+"), "-"),
    # pino, winston.
    (re.compile(r'"(?:id|reqId|requestId)":(?:"[^"]*"|\d+),'), ""),
    # Headers, as Caddy and varnishlog write them.
    (re.compile(r'"X-Request-Id":\["[^"]*"\],'), ""), (re.compile(r',"X-Request-Id":\["[^"]*"\]'), ""),
    (re.compile(r"^-+ +\w+Header +X-Request-I[dD]:.*\n", re.M), ""),
    # Apache's UNIQUE_ID and whoever took it over.
    (re.compile(r"(?<= )[A-Za-z0-9@_-]{27}(?= |$)", re.M), "-"),
)


def without_ids(text):
    """A log whose server passes no id on and logs none."""
    for pattern, instead in IDS:
        text = pattern.sub(instead, text)
    return text


# --- stock formats ----------------------------------------------------------------------------

CLF_LINE = re.compile(r'^(\S+ \S+ \S+ \[[^]]+\] "[^"\n]*" \d{3} \S+)(?: ("[^"\n]*"))? ("[^"\n]*").*$', re.M)
QUOTED_REFERER = re.compile(r'^(\S+ \S+ \S+ \[[^]]+\] "[^"\n]*" \d{3} \S+) ("[^"\n]*") ("[^"\n]*").*$', re.M)
STOCK_CONFIG = (
    (re.compile(r"(access_log \S+) \w+;"), r"\1 combined;"),
    (re.compile(r"(CustomLog \S+) \w+"), r"\1 combined"),
    (re.compile(r'LogFormat ".*" \w+'),
     r'LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined'),
    (re.compile(r"^access_log_format = .*\n", re.M), ""),
)


def stock(text):
    """A log in the format that the product comes with: combined, without upstream or durations.

    Nothing changes where the capture already ran with the stock format."""
    if "Timestamp" in text[:4000]:
        return None  # Nobody runs varnishlog unless he is looking for something.
    if not CLF_LINE.search(text[:4000]):
        return text
    return QUOTED_REFERER.sub(r"\1 \2 \3", with_referer(text))


def with_referer(text):
    """Puts a `"-"` before the user agent where a format has no referer."""
    first = CLF_LINE.search(text)
    quoted = re.findall(r'"[^"\n]*"', first.group())
    if len(quoted) > 2 and quoted[1].startswith('"-'):
        return text
    return CLF_LINE.sub(lambda m: f'{m.group(1)} "-" {m.group(2) or m.group(3)}', text)


def stock_config(text):
    """A configuration without log formats of its own."""
    for pattern, instead in STOCK_CONFIG:
        text = pattern.sub(instead, text)
    return text
