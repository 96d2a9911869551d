"""Captures some lines of servers that no incident has: `python3 tests/live/lines.py [server...] [--out DIR]`.

Each module of `recipes/` runs one kind of server (its doc string says what is done to it) and gives the
logs by the name of the file. Without `--out` they go to the test data of the parsers. Exit codes: 0 all
captured; 1 a recipe failed; 77 a server is not installed or may not be run here (the others are captured).
"""

import argparse
import contextlib
import http.client
import importlib
import re
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import lab as laboratory  # noqa: E402  pylint: disable=wrong-import-position

DATA = HERE.parent.parent / "parsers/tests/data"
MISSING = 77
# What a machine that is too busy makes of a recipe.
DISTURBED = (laboratory.Rejected, OSError, subprocess.SubprocessError)
# What stands for the directories and for the name of this machine.
HOME, MACHINE = "/srv/shop", "shop-1"


def recipes():
    """Names of all recipes: one module each in `recipes/`."""
    return sorted(path.stem for path in (HERE / "recipes").glob("[a-z]*.py"))


def ask(address, path, method="GET", headers=None, body=None, timeout=8):
    """Sends one request on a connection of its own; the status, or None if no answer came."""
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    return None


def neutral(text, lab):
    """A log without the directories and the name of this machine."""
    text = text.replace(str(lab.run), HOME).replace(str(HERE), HOME)
    return re.sub(rf"(?<=[ \t]){re.escape(socket.gethostname())}(?=[ \t])", MACHINE, text)


def capture(name, out):
    """Runs one recipe and writes its logs; their names."""
    with laboratory.Lab(f"lines-{name}") as lab:
        logs = importlib.import_module(f"recipes.{name}").run(lab)
        for file, text in logs.items():
            if not text.strip():
                raise laboratory.Rejected(f"{file} is empty")
            (out / file).write_text(neutral(text, lab))
    return sorted(logs)


def undisturbed(name, out):
    """Runs one recipe, and once more if the machine got in its way; the names of its logs."""
    try:
        return capture(name, out)
    except DISTURBED as reason:
        print(f"{name}: once more: {reason!r}")
        return capture(name, out)


def main():
    """Reads the command line and captures what it names."""
    parser = argparse.ArgumentParser(description="capture lines of real servers")
    parser.add_argument("server", nargs="*", choices=[[], *recipes()], help="only these")
    parser.add_argument("--out", type=Path, default=DATA)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    code = 0
    for name in args.server or recipes():
        try:
            print(f"{name}: {', '.join(undisturbed(name, args.out))}")
        except laboratory.Missing as missing:
            print(f"{name}: left out: {missing}")
            code = code or MISSING
        except DISTURBED as reason:
            print(f"{name}: {reason!r}", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
