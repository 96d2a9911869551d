"""Who does the full job: every failing request of the edge, with its records at the gateway and the application.

A peer has a name, `missing()` (why it cannot run, or `None`), `run(corpus, scratch, cost)` and `answer(scratch)`: the
set of rows (id, then status and milliseconds at edge, gateway and application; empty where there is no record).
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from .corpus import ROOT, STATUSES

HERE = ROOT / "tests" / "bench" / "peers"
HOPS = ("edge-haproxy", "gateway-nginx", "app-iis")


def environment():
    """The Python environment that `install-peers` makes."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return Path(os.environ.get("WHY502_PEERS", target / "peers"))


class Peer:
    """A competitor whose answer is written as rows."""

    name = ""
    program = ""

    def missing(self):
        """Why it cannot run; `None` if it can."""
        return None if shutil.which(self.program) else f"{self.program} is not installed"

    def answer(self, scratch):
        """The rows it wrote."""
        text = (scratch / f"{self.name}.rows").read_text("ascii")
        return {row(line.split("\t")) for line in text.splitlines()}


def row(fields):
    """Numbers in one spelling, whatever the peer's arithmetic made of them."""
    plain = [str(round(float(field))) if field not in ("", "\\N") else "" for field in fields[1:]]
    return (fields[0], *plain)


class Why502(Peer):
    """The program itself: besides the rows it names each cause."""

    name = "why502"

    def __init__(self, binary, options=()):
        self.binary = Path(binary)
        self.options = options

    def missing(self):
        return None if self.binary.is_file() else f"{self.binary} has not been built"

    def run(self, corpus, scratch, cost):
        """One diagnosis to a JSON file."""
        with open(os.devnull, "wb") as out:
            cost.command([self.binary, corpus.logs, "--server-config", corpus.configs, "--status", ",".join(STATUSES),
                          "-q", *self.options, "-o", scratch / "findings.json"], stdout=out)

    def findings(self, scratch):
        """What it found."""
        return json.loads((scratch / "findings.json").read_text("utf-8"))["findings"]

    def answer(self, scratch):
        """Its findings as rows."""
        rows = set()
        for finding in self.findings(scratch):
            hops = {hop["hop"]: hop for hop in finding["hops"] if hop.get("status")}
            fields = [finding["request"]["ids"][0] if finding["request"]["ids"] else finding["id"]]
            for name in HOPS:
                hop = hops.get(name)
                fields += [str(hop["status"]), str(hop["duration_ms"])] if hop else ["", ""]
            rows.add(row(fields))
        return rows


class Ripgrep(Peer):
    """Two passes: candidates of the edge by literal search, then every line of all hops with one of the ids.

    Searching is ripgrep's; mawk picks the ids out of the candidates and makes rows of the lines, a few thousand."""

    name = "ripgrep"
    program = "rg"

    def run(self, corpus, scratch, cost):
        """Candidates, ids, lines, rows."""
        literals = [part for status in STATUSES for part in ("-e", f" {status} ")]
        paths = {name: scratch / f"rg.{name}" for name in ("candidates", "ids")}
        with open(paths["candidates"], "wb") as out:
            cost.command(["rg", "-NIF", *literals, *corpus.hop("edge")], accept=(0, 1), stdout=out)
        with open(paths["ids"], "wb") as out:
            cost.command(["mawk", '$11 == "502" || $11 == "504" { print $NF }', paths["candidates"]], stdout=out)
        kept = []
        for hop, directory in (("edge", "edge-haproxy"), ("gateway", "gateway-nginx"), ("app", "app-iis")):
            kept.append(scratch / f"rg.{directory}")
            with open(kept[-1], "wb") as out:
                cost.command(["rg", "-NIF", "-f", paths["ids"], *corpus.hop(hop)], accept=(0, 1), stdout=out)
        with open(scratch / "ripgrep.rows", "wb") as out:
            cost.command(["mawk", "-f", HERE / "failures.awk", *kept], stdout=out)


class Mawk(Peer):
    """One awk script over all hops."""

    name = "mawk"
    program = "mawk"

    def run(self, corpus, scratch, cost):
        """One process."""
        files = [file for hop in ("edge", "gateway", "app") for file in corpus.hop(hop)]
        with open(scratch / "mawk.rows", "wb") as out:
            cost.command(["mawk", "-f", HERE / "failures.awk", *files], stdout=out)


def named_files(corpus):
    """`edge=FILE` and so on, in the order of the hops."""
    return [f"{hop}={file}" for hop in ("edge", "gateway", "app") for file in corpus.hop(hop)]


class Script(Peer):
    """A script in Python without any package."""

    name = "python"
    program = "python3"

    def run(self, corpus, scratch, cost):
        """One process."""
        cost.command(["python3", HERE / "python_script.py", scratch / "python.rows", *named_files(corpus)])


class Engine(Peer):
    """A query engine with a query by hand. What importing it costs is not counted."""

    def __init__(self, name, module):
        self.name = name
        self.module = module

    def missing(self):
        python = environment() / "bin" / "python"
        if not python.is_file():
            return "tests/bench/install-peers has not been run"
        found = subprocess.run([python, "-c", f"import {self.module}"], check=False, capture_output=True)
        return None if found.returncode == 0 else f"{self.module} cannot be imported"

    def run(self, corpus, scratch, cost):
        """One process, its start taken off."""
        begin = scratch / f"{self.name}.begin"
        cost.command([environment() / "bin" / "python", HERE / f"{self.module}_query.py", scratch / f"{self.name}.rows",
                      begin, *named_files(corpus)])
        cost.cpu -= float(begin.read_text("ascii"))


def all_peers(binary):
    """Everything that is compared. A new peer is one class above and one name here."""
    engines = [Engine(name, module) for name, module in
               (("polars", "polars"), ("chdb", "chdb"), ("duckdb", "duckdb"))]
    return [Why502(binary), Ripgrep(), Mawk(), Script(), *engines]


def present(peers, say):
    """Those that can run; says why the others cannot."""
    here = []
    for peer in peers:
        reason = peer.missing()
        if reason:
            say(f"{peer.name}: {reason}, left out")
        else:
            here.append(peer)
    return here
