"""Captures incidents from real servers: `python3 tests/live/capture.py <incident|all> [--small]`.

Exit codes: 0 captured; 1 a capture was rejected three times; 77 a server is not installed.
"""

import argparse
import importlib
import shutil
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import lab as laboratory  # noqa: E402  pylint: disable=wrong-import-position
import truth  # noqa: E402  pylint: disable=wrong-import-position

MISSING = 77
ATTEMPTS = 3


def incidents():
    """Names of all incidents: one module each in `incidents/`."""
    return sorted(p.stem.replace("_", "-") for p in (HERE / "incidents").glob("[a-z]*.py"))


def capture(name, args, seed):
    """Captures one incident into `<out>/<name>/`; returns the rows of its truth."""
    module = importlib.import_module("incidents." + name.replace("-", "_"))
    with laboratory.Lab(name, seed, args.small) as lab:
        explain = module.run(lab)
        lab.stop()
        rows = truth.build(lab, explain)
        check = getattr(module, "check", None)
        if check:
            check(lab, rows)
        sample = lab.collect(args.out)
        truth.write(lab, sample, rows)
        write_readme(module, lab, sample, rows)
        laboratory.check_neutral(sample, lab.run)
    return rows


def write_readme(module, lab, sample, rows):
    """Writes the sample's README: the module's story, then the table of what was injected."""
    text = [module.__doc__.strip(), "", "## What was injected", ""]
    if rows:
        text += ["| fault | what was done | cause | subtype | the client saw | requests |",
                 "| --- | --- | --- | --- | --- | --- |"]
    for (fault, cause, subtype, status), count in truth.counts(rows).items():
        seen = {"None": "no answer"}.get(status, status)
        text.append(f"| {fault} | {lab.stories[fault]} | {cause} | {subtype} | {seen} | {count} |")
    if not rows:
        text.append("Nothing. `truth.json` has no request, and a diagnosis must have no finding.")
    servers = ", ".join(f"{name} {number}" for name, number in sorted(lab.versions.items()))
    text += ["", f"{len(lab.sent)} requests were sent in all. Servers: {servers}.", "",
             f"Captured with `python3 tests/live/capture.py {lab.incident}"
             f"{' --small' if lab.small else ''}`.", ""]
    (sample / "README.md").write_text("\n".join(text))


def attempt(name, args):
    """Captures an incident, again if what came about was not what was planned.

    Each time with other moments: two faults that meet badly would meet again. (Varnish 7.1 ends with a failed assertion
    if its process is paused while it reads a body.)"""
    for turn in range(1, ATTEMPTS + 1):
        seed = args.seed if turn == 1 else f"{args.seed}.{turn}"
        try:
            rows = capture(name, args, seed)
            print(f"{name}: {len(rows)} requests in the truth, {args.out / name}")
            return True
        except laboratory.Rejected as reason:
            print(f"{name}: rejected ({turn} of {ATTEMPTS}): {reason}", file=sys.stderr)
            shutil.rmtree(args.out / name / "logs", ignore_errors=True)
    return False


def main():
    """Reads the command line and captures what it names."""
    parser = argparse.ArgumentParser(description="capture incidents from real servers")
    parser.add_argument("incident", nargs="?", choices=[*incidents(), "all"])
    parser.add_argument("--list", action="store_true", help="print the names of all incidents")
    parser.add_argument("--small", action="store_true", help="a short one, for the live tests")
    parser.add_argument("--out", type=Path, default=HERE.parent.parent / "samples")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.list:
        print("\n".join(incidents()))
        return 0
    if not args.incident:
        parser.error("name an incident, or all")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Ends the servers on the way out.
    names = incidents() if args.incident == "all" else [args.incident]
    try:
        good = [attempt(name, args) for name in names]
    except laboratory.Missing as missing:
        print(missing)
        return MISSING
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
