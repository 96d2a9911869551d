"""The targets: what is measured for each, and what it must reach."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import answer, cost, peers
from .corpus import Corpus


@dataclass
class Line:
    """One line of the table."""

    what: str
    value: float
    must: float
    aim: float
    remark: str
    unit: str = "×"

    @property
    def verdict(self):
        """Whether it is reached."""
        return "aim" if self.value <= self.aim else "must" if self.value <= self.must else "MISSED"


class Bench:
    """What all measurements share."""

    def __init__(self, binary, generate, directory, rounds, say, largest="16G"):
        self.binary, self.generate, self.rounds, self.say = binary, generate, rounds, say
        self.largest = largest
        self.directory = Path(directory)
        self.scratch = self.directory / "scratch"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.complaints, self.lines = [], []

    def corpus(self, name, size, *options):
        """A corpus, made if need be."""
        self.say(f"\n## {name}")
        return Corpus.make(self.directory, self.generate, name, "--size", size, *options)

    def add(self, *line, **more):
        """Adds a line to the table and says it."""
        self.lines.append(Line(*line, **more))
        last = self.lines[-1]
        self.say(f"-> {last.what}: {last.value:.3f} {last.unit} ({last.verdict})")

    def compare(self, corpus, jobs, rounds=None):
        """Interleaved rounds of `jobs`; prints them."""
        series = cost.interleave(jobs, rounds or self.rounds, self.say)
        cost.table(series, corpus.bytes / 1e6, self.say)
        return series

    def why502(self, corpus, *options):
        """A job: the full diagnosis with further options."""
        peer = peers.Why502(self.binary, options)
        return lambda spent: peer.run(corpus, self.scratch, spent)

    def full(self, corpus, names=None):
        """The full job against peers, answers compared."""
        chosen = [peer for peer in peers.all_peers(self.binary) if names is None or peer.name in names]
        here = peers.present(chosen, self.say)
        jobs = {peer.name: lambda spent, peer=peer: peer.run(corpus, self.scratch, spent) for peer in here}
        series = self.compare(corpus, jobs)
        here = [peer for peer in here if peer.name in series]
        self.complaints += answer.judge(corpus, here[0].findings(self.scratch), self.say)
        self.complaints += answer.compare({peer.name: peer.answer(self.scratch) for peer in here})
        return series


def ratio(series, own, other):
    """CPU of one competitor by that of another."""
    return series[own].median("cpu") / series[other].median("cpu")


def full_job(bench):
    """1 and 4 GB against everything that is installed."""
    for name, size, rate, names in (("1G", "1G", "0.3%", None), ("1G-few", "1G", "0.03%", ("why502", "ripgrep")),
                                    ("4G", "4G", "0.3%", ("why502", "polars", "chdb", "ripgrep"))):
        corpus = bench.corpus(name, size, "--fail-rate", rate)
        series = bench.full(corpus, names)
        engines = [one for one in ("polars", "chdb") if one in series]
        if engines:
            best = min(engines, key=lambda one: series[one].median("cpu"))
            bench.add(f"full job {size}, against {best}", ratio(series, "why502", best), 0.6, 0.25,
                      f"{series['why502'].median('cpu'):.2f} s to {series[best].median('cpu'):.2f} s")
        if "ripgrep" in series and size == "1G":
            must, aim = (0.3, 0.1) if rate == "0.3%" else (0.6, 0.25)
            bench.add(f"against ripgrep two passes, {len(corpus.truth)} ids", ratio(series, "why502", "ripgrep"), must,
                      aim, f"{series['ripgrep'].median('cpu'):.2f} s")
        for other, must, aim in (("mawk", 0.4, 0.15),):
            if other in series:
                bench.add(f"against a {other} script", ratio(series, "why502", other), must, aim,
                          f"{series[other].median('cpu'):.2f} s")
        if size == "4G":
            bench.add("peak memory, 4 GB", series["why502"].peak_mib, 96, 48, f"{len(corpus.truth)} failures", unit="MiB")


def growth(bench):
    """Memory and cost per line from 100 MB to 16 GB, or as far as asked for."""
    measured = []
    sizes = ("100M", "1G", "4G", "16G")
    for size in sizes[:sizes.index(bench.largest) + 1]:
        corpus = bench.corpus(size, size, "--fail-rate", "0.3%")
        rounds = min(bench.rounds, 3) if size == "16G" else bench.rounds
        one = bench.compare(corpus, {"why502": bench.why502(corpus)}, rounds)["why502"]
        measured.append((size, one.median("cpu") / corpus.lines * 1e9, one.peak_mib))
        bench.say(f"{size}: {measured[-1][1]:.1f} ns a line")
    by_size = {size: (ns, peak) for size, ns, peak in measured}
    first, before, last = sizes[0], measured[-2][0], measured[-1][0]
    bench.add(f"memory, {last} by {before}", by_size[last][1] / by_size[before][1], 1.3, 1.1,
              ", ".join(f"{size} {peak:.0f} MiB" for size, _, peak in measured))
    bench.add(f"cost of a line, {last} by {first}", by_size[last][0] / by_size[first][0], 1.1, 1.02,
              ", ".join(f"{size} {ns:.0f} ns" for size, ns, _ in measured))


def window(bench):
    """Ten minutes of a day, three hops, against halog on the edge alone."""
    corpus = bench.corpus("4G", "4G", "--fail-rate", "0.3%")
    since, until = "2026-11-20T14:00:00Z", "2026-11-20T14:10:00Z"
    jobs = {"why502": bench.why502(corpus, "--since", since, "--until", until)}
    if shutil.which("halog") is None:
        bench.say("halog (package haproxy) is not installed; nothing to compare with")
    else:
        def halog(spent):
            stamps = f"-time {epoch(since)}:{epoch(until)}".split()
            with open(corpus.hop("edge")[0], "rb") as log, open(bench.scratch / "halog", "wb") as out:
                spent.command(["halog", "-q", "-hs", "502", *stamps], stdin=log, stdout=out)
        jobs["halog"] = halog
    series = bench.compare(corpus, jobs)
    findings = peers.Why502(bench.binary).findings(bench.scratch)
    bench.complaints += within(corpus, findings, since, until)
    if "halog" in series:
        bench.add("ten minutes of 24 h, 4 GB, against halog on the edge", ratio(series, "why502", "halog"), 0.6, 0.25,
                  f"{series['why502'].median('cpu'):.3f} s to {series['halog'].median('cpu'):.3f} s, "
                  f"{len(findings)} findings")


def epoch(stamp):
    """Seconds since the Unix epoch of an RFC 3339 stamp."""
    done = subprocess.run(["date", "-d", stamp, "+%s"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def within(corpus, findings, since, until):
    """Complaints if the findings are not the failures that ended in the window."""
    wanted = {key for key, row in corpus.truth.items() if since[:19] <= row["end"][:19] < until[:19]}
    found = {one for finding in findings for one in finding["request"]["ids"]}
    # A stamp in whole milliseconds may lie on the other side of the edge.
    missed = wanted - found
    return [f"why502: {len(missed)} of {len(wanted)} failures in the window were not found"] if missed else []


def one_id(bench):
    """One request's lines over 1 GB, against a literal search."""
    corpus = bench.corpus("1G", "1G", "--fail-rate", "0.3%")
    wanted = sorted(corpus.truth)[len(corpus.truth) // 2]

    def explain(spent):
        with open(bench.scratch / "explained", "wb") as out:
            spent.command([bench.binary, "explain", wanted, corpus.logs, "-q", "--server-config", corpus.configs],
                          stdout=out)

    def ripgrep(spent):
        with open(bench.scratch / "rg.one", "wb") as out:
            spent.command(["rg", "-F", wanted, corpus.logs], stdout=out)

    series = bench.compare(corpus, {"explain": explain, "rg -F": ripgrep})
    if "explain" not in series or "rg -F" not in series:
        return
    if wanted.encode() not in (bench.scratch / "explained").read_bytes():
        bench.complaints.append("why502 explain: the request is not in its answer")
    bench.add("one id over 1 GB, against rg -F", ratio(series, "explain", "rg -F"), 3, 1.2,
              f"{series['explain'].median('cpu'):.3f} s to {series['rg -F'].median('cpu'):.3f} s")


def gzipped(bench):
    """The full job on compressed logs, against counting lines in them."""
    corpus = bench.corpus("1G-gz", "1G", "--fail-rate", "0.3%", "--gzip", "--split", "8")

    def ripgrep(spent):
        with open(bench.scratch / "rg.gz", "wb") as out:
            spent.command(["rg", "-z", "-c", " 502 ", corpus.logs], stdout=out)

    series = bench.compare(corpus, {"why502": bench.why502(corpus), "rg -z -c": ripgrep})
    bench.complaints += answer.judge(corpus, peers.Why502(bench.binary).findings(bench.scratch), bench.say)
    if "rg -z -c" in series:
        bench.add("gzip full job, against rg -z -c", ratio(series, "why502", "rg -z -c"), 0.6, 0.37,
                  f"{series['why502'].median('cpu'):.2f} s to {series['rg -z -c'].median('cpu'):.2f} s, "
                  f"{series['why502'].peak_mib:.0f} MiB")


def small(bench):
    """A directory of 1 MB: what starting costs."""
    corpus = bench.corpus("1M", "1M", "--fail-rate", "0.3%")
    series = bench.compare(corpus, {"why502": bench.why502(corpus)}, 40)["why502"]
    bench.add("1 MB directory, wall", series.median("wall") * 1000, 15, 5, f"best {series.least('wall') * 1000:.1f} ms",
              unit="ms")


def threads(bench):
    """Two threads against one."""
    corpus = bench.corpus("1G", "1G", "--fail-rate", "0.3%")
    series = bench.compare(corpus, {"one thread": bench.why502(corpus, "-j1"), "two": bench.why502(corpus, "-j2")})
    one, two = series["one thread"], series["two"]
    bench.add("two threads against one, wall", two.least("wall") / one.least("wall"), 0.6, 0.54,
              f"best of {bench.rounds}: {two.least('wall'):.2f} s to {one.least('wall'):.2f} s")


ALL = {"small": small, "full": full_job, "threads": threads, "id": one_id, "gzip": gzipped, "window": window,
       "growth": growth}
