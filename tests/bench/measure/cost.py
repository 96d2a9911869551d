"""What processes cost: wall time, CPU time, peak memory; and rounds in which competitors take turns."""

import functools
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Cost:
    """What one run cost: seconds, and kilobytes at the peak of its largest process."""

    wall: float = 0.0
    cpu: float = 0.0
    peak_kb: int = 0

    def command(self, arguments, accept=(0,), stdin=None, stdout=None):
        """Runs one process to its end and adds its cost. `stdin` and `stdout` are files with a name."""
        names = {"stdin": stdin, "stdout": stdout}
        answer = started({"arguments": [str(one) for one in arguments],
                          **{name: file and str(file.name) for name, file in names.items()}})
        if "error" in answer:
            raise OSError(answer["error"])
        self.wall += answer["wall"]
        self.cpu += answer["cpu"]
        self.peak_kb = max(self.peak_kb, answer["peak_kb"])
        if answer["code"] not in accept:
            raise Failed(f"{arguments[0]} ended with {answer['code']}")


@functools.cache
def starter():
    """The process that starts all others."""
    return subprocess.Popen([sys.executable, str(Path(__file__).with_name("starter.py"))], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)


def started(task):
    """What the starter says of a task."""
    process = starter()
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


class Failed(Exception):
    """A competitor could not do its job."""


@dataclass
class Series:
    """The rounds of one competitor."""

    name: str
    rounds: list = field(default_factory=list)

    def median(self, what):
        """The median round's `wall`, `cpu` or `peak_kb`."""
        return statistics.median(getattr(cost, what) for cost in self.rounds)

    def least(self, what):
        """The best round's: what a neighbour on the machine cannot have made slower."""
        return min(getattr(cost, what) for cost in self.rounds)

    @property
    def peak_mib(self):
        """The highest peak of any round, in MiB."""
        return max(cost.peak_kb for cost in self.rounds) / 1024


def interleave(jobs, rounds, say):
    """Runs every job (name -> function from Cost) once a round, in turn; the series by name.

    A round before the first warms the page cache and is not counted. A job that fails is left out from then on."""
    series, failed = {name: Series(name) for name in jobs}, set()
    for number in range(rounds + 1):
        for name, job in jobs.items():
            if name in failed:
                continue
            cost = Cost()
            try:
                job(cost)
            except Failed as error:
                say(f"{name}: {error}, left out")
                failed.add(name)
                continue
            if number:
                series[name].rounds.append(cost)
    return {name: one for name, one in series.items() if name not in failed}


def table(series, megabytes, say):
    """Prints medians, the first competitor as the measure."""
    say(f"{'competitor':20} {'CPU s':>8} {'wall s':>8} {'MB/s CPU':>9} {'peak MiB':>9} {'CPU ratio':>10}")
    own = next(iter(series.values()))
    for one in series.values():
        cpu = one.median("cpu")
        ratio = own.median("cpu") / max(cpu, 1e-6)
        say(f"{one.name:20} {cpu:8.3f} {one.median('wall'):8.3f} {megabytes / max(cpu, 1e-6):9.0f} "
            f"{one.peak_mib:9.1f} {ratio:10.3f}")
