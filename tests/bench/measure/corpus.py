"""Corpora: made when they are not there, and what is known of each."""

import json
import subprocess
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
STATUSES = ("502", "504")


class Corpus:
    """A directory made by `generate`."""

    def __init__(self, path):
        self.path = Path(path)

    @classmethod
    def make(cls, directory, generate, name, *options):
        """The corpus `name` below `directory`; generated if it is not there whole."""
        corpus = cls(Path(directory) / name)
        done = corpus.path / "made"
        if not done.exists():
            command = [str(generate), "--out", str(corpus.path), *options]
            made = subprocess.run(command, check=True, capture_output=True, text=True)
            done.write_text(made.stdout, "ascii")
        return corpus

    @property
    def logs(self):
        """The directory of the logs."""
        return self.path / "logs"

    @property
    def configs(self):
        """The directory of the configurations."""
        return self.path / "configs"

    def hop(self, name):
        """The access logs of `edge`, `gateway` or `app`."""
        directory, pattern = {"edge": ("edge-haproxy", "*.log*"), "gateway": ("gateway-nginx", "access*"),
                              "app": ("app-iis", "*.log*")}[name]
        return sorted((self.logs / directory).glob(pattern))

    @cached_property
    def bytes(self):
        """Bytes of all logs on disk."""
        return sum(file.stat().st_size for file in self.logs.rglob("*") if file.is_file())

    @cached_property
    def lines(self):
        """Lines of all logs, as the generator counted them."""
        return int((self.path / "made").read_text("ascii").split(" lines")[0].rsplit(" ", 1)[1])

    @cached_property
    def truth(self):
        """The failed requests: id -> row; near misses are left out."""
        with open(self.path / "truth.jsonl", encoding="utf-8") as file:
            rows = map(json.loads, file)
            return {row["id"]: row for row in rows if not row["near_miss"]}
