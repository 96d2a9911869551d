"""Starts processes for others and says what they cost, a line of JSON for each: run by `cost.py`.

It stays small: the kernel counts what a process was before it began another program towards that program's peak, so
those that start from a large process would be said to be as large.
"""

import contextlib
import json
import os
import subprocess
import sys
import time


def cost(task):
    """Runs a process to its end: its exit code, seconds of wall and CPU time, and kilobytes at its peak."""
    with contextlib.ExitStack() as files:
        stdin = files.enter_context(open(task["stdin"] or os.devnull, "rb"))
        # Its own output is the answer that is waited for. A file has been emptied by who named it.
        stdout = files.enter_context(open(task["stdout"], "ab")) if task["stdout"] else sys.stderr
        begun = time.monotonic()
        child = subprocess.Popen(task["arguments"], stdin=stdin, stdout=stdout)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        return {"code": child.returncode, "wall": time.monotonic() - begun, "cpu": usage.ru_utime + usage.ru_stime,
                "peak_kb": usage.ru_maxrss}


def main():
    """Serves until nobody asks any more."""
    for line in sys.stdin:
        try:
            answer = cost(json.loads(line))
        except OSError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
