"""Measures how often the program is right: `python3 tests/live/evaluate.py --binary PATH [options]`.

Captures every incident with a seed (or takes captures that are there), makes the variants of each
(`variants.py`), runs the program on every one and judges its reports (`judge.py`). Exit codes: 0 all
that is required holds; 1 something does not; 77 a server is not installed.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import judge  # noqa: E402  pylint: disable=wrong-import-position
import variants  # noqa: E402  pylint: disable=wrong-import-position
import verify  # noqa: E402  pylint: disable=wrong-import-position

MISSING = 77
# Access logs without upstream fields: shown, but nothing is required of it.
STOCK = "stock"
# How the names of the hops begin that clients speak to.
OUTERMOST = ("edge", "lb")
# What must be reached, with all hops and with one hop missing.
CAUSE, SUBTYPE, PARTIAL, RACE = 0.97, 0.93, 0.90, 0.95
# Offsets: how far off they may be, in ms, where so many pairs exist.
CLOCK_MS, CLOCK_COARSE_MS, CLOCK_PAIRS = 20, 300, 20
# Few stamps of whole seconds leave this much open, if the report says so.
CLOCK_OPEN_MS = 500
BINS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)
# Faults that look like a lost race: the connection ended without a byte of the answer.
LOOKS_LIKE_RACE = ("fin", "rst", "killed", "nginx_killed", "worker_killed", "silent_close")


def main():
    """Reads the command line, measures, prints, and says what falls short."""
    parser = argparse.ArgumentParser(description="measure the diagnosis on real captures")
    parser.add_argument("--binary", type=Path, required=True, help="the program to measure")
    parser.add_argument("--captures", type=Path, help="captures that exist; else they are made")
    parser.add_argument("--out", type=Path, default=Path("target/live"), help="where to work")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="short captures")
    parser.add_argument("--incident", action="append", help="only these; may be repeated")
    parser.add_argument("--variant", action="append", help="only variants that begin so")
    parser.add_argument("--floor", type=float, default=1.0,
                        help="be content with this share of what is required: for short captures")
    parser.add_argument("--misses", action="store_true", help="list every request judged wrongly")
    args = parser.parse_args()
    args.binary = args.binary.resolve()
    samples = args.captures or args.out / "captures"
    if args.captures is None:
        code = make_captures(args, samples)
        if code:
            return code
    results = []
    for sample in sorted(one for one in samples.iterdir() if (one / "truth.json").exists()):
        if not args.incident or sample.name in args.incident:
            results += measure(sample, args)
    return show(results, args)


def make_captures(args, samples):
    """Captures the incidents asked for."""
    for incident in args.incident or ["all"]:
        argv = [sys.executable, str(HERE / "capture.py"), incident, "--out", str(samples),
                "--seed", str(args.seed)] + (["--small"] if args.small else [])
        code = subprocess.run(argv, check=False).returncode
        if code:
            return code
    return 0


class Result:
    """One report and its judgement."""

    def __init__(self, sample, variant, judged):
        self.incident, self.variant, self.judged = sample.name, variant, judged


def measure(sample, args):
    """Runs the program on all variants of a capture."""
    truth = json.loads((sample / "truth.json").read_text())
    hops = variants.hops_of(sample)
    edge = next(hop for hop in hops if hop.startswith(("edge-", "lb-")))
    failed = {hop: verify.read(sample, hop) for hop in hops}
    known = {hop: verify.SHIFTS.get((sample.name, hop), timedelta()) // timedelta(microseconds=1)
             for hop in hops}
    found = []
    for variant in variants.make_all(sample, args.out / "variants" / sample.name, edge, args.seed):
        if args.variant and not variant.name.startswith(tuple(args.variant)):
            continue
        report = run(args.binary, variant)

        def visible(row, rest=variant.hops):
            return any(shows(row, one) for hop in rest for one in failed[hop])

        wrong = {hop: known[hop] + variant.shifts.get(hop, 0) for hop in hops}
        stated = judge.stated_offsets(report)
        shifts = {wrong[hop] for hop in variant.hops if hop not in stated}
        judged = judge.judge(truth, report, variant, shifts, visible)
        judged.clocks = {hop: (*error, is_fine(variant, report, hop)) for hop, error in
                         judge.clock_errors(report, variant.hops, wrong, edge).items()
                         if error[1] or logged(report, hop) >= CLOCK_PAIRS}
        found.append(Result(sample, variant, judged))
    return found


def logged(report, hop):
    """How many lines of a hop were read."""
    return sum(one["entries"] for one in report["inputs"] if one["hop"] == hop)


def is_fine(variant, report, hop):
    """Whether a hop and all before it log fractions of a second, so that offsets can be exact."""
    before = [one["name"] for one in report["hops"] if hop in one["upstreams"] and one["name"] != hop]
    texts = [variants.read(one)[:20_000] for one in sorted((variant.path / "logs" / hop).glob("*"))
             if "error" not in one.name]
    fine = all("msec=" in text or not variants.is_coarse(text) for text in texts)
    return fine and all(is_fine(variant, report, one) for one in before if one in variant.hops)


def shows(row, record):
    """Whether a line of a log may be a request of the truth."""
    if row["method"] != record["method"] or not judge.same_path(row["path"], record["path"]):
        return False
    known = row["ids"].get("x-request-id")
    if known and record["id"]:
        return known == record["id"]
    apart = abs(judge.micros(row["end"]) / 1e6 + record["late"] / 2 - record["end"].timestamp())
    return apart < record["slack"] + 0.15


def run(binary, variant):
    """The program's report on a variant; kept beside it."""
    report = variant.path / "findings.json"
    argv = [str(binary), "--status", "5xx", "-o", str(report)]
    if variant.configs:
        argv += ["--server-config", str(variant.path / "configs")]
    done = subprocess.run([*argv, str(variant.path / "logs")], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}: {done.stderr}")
    return json.loads(report.read_text())


# --- tables -----------------------------------------------------------------------------------


def macro(verdicts, right):
    """A share, averaged over incidents' fault kinds."""
    shares = defaultdict(list)
    for incident, one in verdicts:
        shares[incident, one.fault].append(right(one))
    return sum(sum(one) / len(one) for one in shares.values()) / len(shares) if shares else 1.0


def cause_right(one):
    """Whether the cause was right."""
    return one.cause_right


def subtype_right(one):
    """Whether cause and subtype were right."""
    return one.subtype_right


def right_or_unexplained(one):
    """Whether nothing wrong was said."""
    return one.cause_right or one.unexplained


def verdicts_of(results):
    """(incident, verdict) of all requests that the logs show."""
    return [(one.incident, verdict) for one in results for verdict in one.judged.verdicts
            if verdict.visible]


def show(results, args):
    """Prints every table; returns 1 if something required is missing."""
    whole = [one for one in results if one.variant.removed is None and one.variant.name != STOCK]
    partial = [one for one in results if one.variant.removed is not None]
    faults_table(whole, "with all hops", subtype_right)
    faults_table(partial, "with one hop missing", right_or_unexplained)
    variants_table(results)
    proven = [(one, verdict) for one in whole + partial for verdict in one.judged.verdicts
              if verdict.certainty == "proven" and not verdict.subtype_right]
    # What an inner hop answered and the missing outermost one repeated with success did fail there.
    judged = whole + [one for one in partial if not one.variant.removed.startswith(OUTERMOST)]
    extra = [(one, words) for one in judged for words in one.judged.extra]
    calibration(whole)
    races = race_table(whole)
    clocks = clock_table(whole + partial)
    for title, rows in (("proven but wrong", [(one, v.words) for one, v in proven]),
                        ("findings where nothing failed", extra)):
        print(f"\n{title}: {len(rows)}")
        for one, words in rows[:40]:
            print(f"  {one.incident} {one.variant.name}: {words}")
    if args.misses:
        misses(results)
    all_whole, all_partial = verdicts_of(whole), verdicts_of(partial)
    checks = [
        ("right cause, all hops", macro(all_whole, cause_right), CAUSE),
        ("right subtype, all hops", macro(all_whole, subtype_right), SUBTYPE),
        ("right or unexplained, one hop missing", macro(all_partial, right_or_unexplained), PARTIAL),
        ("race and crash told apart", races, RACE),
        ("offsets close enough", clocks, 1.0),
    ]
    print()
    checks = [(name, value, wanted * args.floor) for name, value, wanted in checks]
    for name, value, wanted in checks:
        print(f"{name:<40} {value:.4f}  wanted {wanted:.2f}  {'ok' if value >= wanted else 'SHORT'}")
    wrong = [one for one, verdict in proven if one.variant.removed is None or not verdict.cause_right]
    good = all(value >= wanted for _, value, wanted in checks) and not wrong and not extra
    return 0 if good else 1


def faults_table(results, title, last):
    """Per incident and fault: asked, found, right, unexplained."""
    print(f"\n{title}\n{'incident':<22}{'fault':<20}{'asked':>7}{'found':>7}{'cause':>7}"
          f"{'subtype':>8}{'unexpl':>7}{'wrong':>6}{'unseen':>7}")
    rows = defaultdict(list)
    for one in results:
        for verdict in one.judged.verdicts:
            rows[one.incident, verdict.fault].append(verdict)
    for (incident, fault), all_rows in sorted(rows.items()):
        seen = [one for one in all_rows if one.visible]
        wrong = sum(not right_or_unexplained(one) for one in seen)
        mark = "" if all(last(one) for one in seen) else " <"
        print(f"{incident:<22}{fault:<20}{len(all_rows):>7}{sum(one.said is not None for one in seen):>7}"
              f"{sum(map(cause_right, seen)):>7}{sum(map(subtype_right, seen)):>8}"
              f"{sum(one.unexplained for one in seen):>7}{wrong:>6}{len(all_rows) - len(seen):>7}{mark}")


def variants_table(results):
    """Per incident and variant: the macro averages."""
    print(f"\n{'incident':<22}{'variant':<24}{'asked':>7}{'cause':>8}{'subtype':>8}{'ok|un':>8}"
          f"{'proven!':>8}{'extra':>6}")
    for one in results:
        rows = verdicts_of([one])
        proven = sum(v.certainty == "proven" and not v.subtype_right for v in one.judged.verdicts)
        print(f"{one.incident:<22}{one.variant.name:<24}{len(rows):>7}{macro(rows, cause_right):>8.3f}"
              f"{macro(rows, subtype_right):>8.3f}{macro(rows, right_or_unexplained):>8.3f}"
              f"{proven:>8}{len(one.judged.extra):>6}")
    for name in sorted({kind(one) for one in results}):
        rows = verdicts_of([one for one in results if kind(one) == name])
        print(f"{'all':<22}{name:<24}{len(rows):>7}{macro(rows, cause_right):>8.3f}"
              f"{macro(rows, subtype_right):>8.3f}{macro(rows, right_or_unexplained):>8.3f}")


def kind(result):
    """The name of a variant, whichever hop it lacks."""
    return "without a hop" if result.variant.removed else result.variant.name


def calibration(results):
    """Score against share of right causes."""
    print("\nscore        findings  right cause")
    rows = [verdict for _, verdict in verdicts_of(results) if verdict.said is not None]
    for low, high in zip(BINS, BINS[1:]):
        inside = [one for one in rows if low <= one.score < high and not one.unexplained]
        if inside:
            share = sum(map(cause_right, inside)) / len(inside)
            print(f"{low:.2f}-{min(high, 1.0):.2f}  {len(inside):>9}  {share:>11.3f}")


def race_table(results):
    """How often a race and a crash were told apart; of those where something was said."""
    table, shares = Counter(), defaultdict(list)
    for incident, one in verdicts_of(results):
        truth = "race" if one.fault == "race" else "crash" if one.fault in LOOKS_LIKE_RACE else None
        if truth is None or one.said is None:
            continue
        said = one.said.split("/")[0]
        said = "race" if said == "keep_alive_race" else "ambiguous" if one.unexplained else "crash"
        table[incident, truth, said] += 1
        if said != "ambiguous":
            shares[truth].append(truth == said)
    print(f"\n{'race against crash':<24}{'truth':<8}{'race':>7}{'crash':>7}{'ambiguous':>10}")
    for incident, truth in sorted({key[:2] for key in table}):
        print(f"{incident:<24}{truth:<8}" + "".join(
            f"{table[incident, truth, said]:>{width}}"
            for said, width in (("race", 7), ("crash", 7), ("ambiguous", 10))))
    return min((sum(one) / len(one) for one in shares.values()), default=1.0)


def clock_table(results):
    """Errors of the offsets; returns the share of those that are close enough."""
    print(f"\n{'clocks':<22}{'variant':<24}{'hop':<16}{'error ms':>12}{'pairs':>7}")
    good, count = 0, 0
    for one in results:
        for hop, (error, pairs, spread, fine) in sorted(one.judged.clocks.items()):
            open_ms = min(spread or 0, CLOCK_OPEN_MS)
            close = abs(error) <= (CLOCK_MS if fine else max(CLOCK_COARSE_MS, open_ms))
            if pairs >= CLOCK_PAIRS or not close:
                count += 1
                good += close
            if pairs >= CLOCK_PAIRS or not close:
                print(f"{one.incident:<22}{one.variant.name:<24}{hop:<16}{error:>12}{pairs:>7}"
                      f"{'' if close else ' <'}")
    return good / count if count else 1.0


def misses(results):
    """What was judged wrongly: per incident, truth and answer how often, in which variants, and one
    example."""
    groups = defaultdict(list)
    for one in results:
        for verdict in one.judged.verdicts:
            good = right_or_unexplained(verdict) if one.variant.removed else verdict.subtype_right
            if verdict.visible and not good:
                key = one.incident, verdict.fault, verdict.truth, verdict.said or "nothing"
                groups[key].append((one.variant.name, verdict.words))
    print("\nmisses")
    for (incident, fault, true, said), rows in sorted(groups.items()):
        names = ", ".join(f"{name} {count}" for name, count in Counter(name for name, _ in rows).items())
        print(f"  {incident} {fault}: {true} taken for {said}: {names}\n      {rows[0][1]}")


if __name__ == "__main__":
    sys.exit(main())
