"""Judges a report by the truth of its capture: who was found, with which cause, and how sure.

Written apart from `tests/common/score.rs`, so that each can show an error of the other."""

from dataclasses import dataclass, field
from datetime import datetime, timezone

# Servers log whole seconds: so far may the time of a finding be from the truth, in microseconds.
NEAR_US = 1_500_000
PASSED_ON = "upstream_502"


@dataclass
class Verdict:
    """What became of one request of the truth."""

    fault: str
    truth: str
    # The hop that made the status.
    issuer: str
    # Cause and subtype of the finding; None if there is none.
    said: str | None = None
    score: float = 0.0
    certainty: str = ""
    cause_right: bool = False
    subtype_right: bool = False
    unexplained: bool = False
    # Without a finding: whether a log that is left shows the failure.
    visible: bool = True
    words: str = ""


@dataclass
class Judged:
    """One report, judged."""

    verdicts: list = field(default_factory=list)
    # Findings about requests that did not fail, in words.
    extra: list = field(default_factory=list)
    # Hop -> (error of its offset in ms, pairs, what the report leaves open of it in ms; None if it states none),
    # against the outermost hop that is left.
    clocks: dict = field(default_factory=dict)


def micros(stamp):
    """An RFC 3339 time in microseconds since the Unix epoch; 0 if there is none."""
    if not stamp:
        return 0
    moment = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    delta = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return delta.days * 86_400_000_000 + delta.seconds * 1_000_000 + delta.microseconds


def judge(truth, report, variant, shifts_us, visible):
    """Judges a report on a variant. `visible(row)`: whether any log left shows that it failed.

    `shifts_us` are the errors that the clock in which the report speaks may have."""
    rows = truth["requests"]
    asked = [row for row in rows if not row["near_miss"] and 500 <= (row["status"] or 0) < 600]
    findings = report["findings"]
    pairs = pair(asked, findings, shifts_us, strict=variant.removed is None)
    judged = Judged()
    for n, row in enumerate(asked):
        verdict = verdict_of(row, findings[pairs[n]] if n in pairs else None, variant)
        verdict.visible = verdict.said is not None or visible(row)
        judged.verdicts.append(verdict)
    taken = set(pairs.values())
    rest = [one for at, one in enumerate(findings) if at not in taken]
    # A finding about a request that failed otherwise (cut short, hidden by a retry) is no error.
    others = [row for row in rows if row not in asked]
    excused = set(pair(others, rest, shifts_us, strict=False).values())
    judged.extra = [say(one) for at, one in enumerate(rest) if at not in excused]
    return judged


def verdict_of(row, finding, variant):
    """The verdict on one request."""
    verdict = Verdict(row["fault"], f"{row['cause']}/{row['subtype'] or ''}", row["issuer"])
    verdict.words = f"{row['fault']} {row['end']} {row['status']} {row['method']} {row['path']} {row['client']}"
    if finding is None:
        return verdict
    cause, subtype = finding["cause"], finding.get("subtype") or ""
    verdict.said, verdict.score = f"{cause}/{subtype}", finding["score"]
    verdict.certainty, verdict.unexplained = finding["certainty"], cause == "unexplained"
    verdict.words += f" | {finding['id']} {verdict.said} {finding['certainty']} {finding['score']}"
    accepted = [row["subtype"], *row["alternatives"]]
    verdict.cause_right = cause == row["cause"] or subtype in row["alternatives"]
    verdict.subtype_right = verdict.cause_right and (row["subtype"] is None or subtype in accepted)
    if row["issuer"] not in variant.hops and cause == PASSED_ON:
        # Whoever is left did get the failure from its upstream: that is all that can be known.
        verdict.cause_right = verdict.subtype_right = True
    return verdict


def say(finding):
    """A finding in words."""
    request = finding["request"]
    return (f"{finding['id']} {finding['time']} {finding['status']} {finding['cause']}/"
            f"{finding.get('subtype')} {request['method']} {request['path']}")


def pair(rows, findings, shifts_us, strict):
    """Pairs requests with findings one to one, the surest first: row number -> finding number."""
    fits = []
    for n, row in enumerate(rows):
        for at, finding in enumerate(findings):
            fit = fit_of(row, finding, shifts_us, strict)
            if fit is not None:
                fits.append((fit, n, at))
    pairs, taken = {}, set()
    for _, n, at in sorted(fits):
        if n not in pairs and at not in taken:
            pairs[n] = at
            taken.add(at)
    return pairs


def fit_of(row, finding, shifts_us, strict):
    """How good a pair is (less is better); None if it is none."""
    request = finding["request"]
    if row["method"] != request["method"] or not same_path(row["path"], request["path"]):
        return None
    at = micros(finding["time"])
    # A log that has only the start of a request cannot say when it ended.
    early = min(max(0, micros(row["start"]) + shift - at, at - micros(row["end"]) - shift)
                for shift in shifts_us)
    apart = min(abs(micros(row["end"]) + shift - at) for shift in shifts_us)
    if at % 1_000_000 == 0:
        # Cut to the second: the true moment lies in the second that began then.
        apart = min(abs(micros(row["end"]) + shift - at - 500_000) for shift in shifts_us)
    if early > NEAR_US:
        return None
    same_id = any(one in request["ids"] for one in row["ids"].values())
    same_status = row["status"] == finding["status"]
    client = request.get("client") or ""
    same_client = client.rsplit(":", 1)[0] == row["client"].rsplit(":", 1)[0]
    if strict and not (same_status and (same_client or same_id)):
        return None
    # nginx logs status 009 of an answer that was no HTTP, whatever the client was told of it.
    garbled = (0 < finding["status"] < 100) == (row["cause"] == "invalid_response")
    return (not same_id, not garbled, not same_status, not same_client, client != row["client"], apart)


def same_path(path, logged):
    """Whether a log means this path: some strip the query string, and may leave its mark."""
    return path == logged or path.split("?")[0] == logged.removesuffix("?")


def stated_offsets(report):
    """Hop -> (offset in ms, pairs, what is left open in ms) as the report states it; of several files
    the one with most pairs."""
    stated = {}
    for one in report["inputs"]:
        clock = one["clock"]
        if clock and clock["pairs"] > stated.get(one["hop"], (0, 0))[1]:
            stated[one["hop"]] = (clock["offset_ms"], clock["pairs"], clock["spread_ms"])
    return stated


def clock_errors(report, hops, known, edge):
    """Hop -> (error in ms, pairs, what is left open in ms) of each clock that is wrong or said to be.

    `known` is what each hop's clock is wrong by (microseconds); only differences can be seen, and
    the report measures them from the outermost hop whose clock it believes."""
    stated = stated_offsets(report)
    believed = [hop for hop in [edge, *hops] if hop in hops and hop not in stated]
    if not believed or edge not in hops:
        return {}
    base = known[believed[0]] / 1000
    errors = {}
    for hop in hops:
        if hop in stated or known[hop] / 1000 != base:
            offset, pairs, spread = stated.get(hop, (0.0, 0, None))
            errors[hop] = (round(known[hop] / 1000 + offset - base, 1), pairs, spread)
    return errors
