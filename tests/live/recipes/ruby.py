"""Puma as a cluster and as one process, and Unicorn: workers that raise, exit, crash and hang."""

import time

from lab import HERE, program
from lines import ask

PUMA, SINGLE, UNICORN = (("127.20.1.1", port) for port in (9292, 9293, 8080))
APP = HERE / "apps/ruby/config.ru"
CLUSTER_CONF = """bind 'tcp://127.20.1.1:9292'
workers 2
threads 1, 2
worker_timeout 6
environment 'production'
log_requests true
"""
UNICORN_CONF = """listen '127.20.1.1:8080'
worker_processes 2
timeout 3
"""


def run(lab):
    """The logs: standard output and error of each, together as a container shows them."""
    puma = program("puma", "apt-get install puma")
    unicorn = program("unicorn", "apt-get install unicorn")
    cluster = start(lab, "puma", [puma, "-C", str(lab.config("puma", "puma.rb", CLUSTER_CONF))], PUMA)
    single = start(lab, "puma-single", [
        puma, "-e", "production", "--log-requests", "-b", "tcp://%s:%d" % SINGLE], SINGLE)
    guarded = start(lab, "unicorn", [
        unicorn, "-E", "production", "-c", str(lab.config("unicorn", "unicorn.rb", UNICORN_CONF))], UNICORN)
    for path in ("/", "/orders?id=7", "/raise"):
        ask(SINGLE, path)
    for address in (PUMA, UNICORN):
        for path in ("/", "/orders?id=7", "/raise", "/exit", "/stuck"):
            ask(address, path, timeout=2)
    time.sleep(15)  # Until the masters have found the worker that hangs, and started another.
    for address in (PUMA, UNICORN):
        ask(address, "/", timeout=2)
        ask(address, "/crash", timeout=2)
    time.sleep(3)
    for server in (cluster, single, guarded):
        server.stop()
    return {f"{name}.log": text(lab, name) for name in ("puma", "puma-single", "unicorn")}


def start(lab, hop, argv, address):
    """Starts one of them with its output and its errors in one file."""
    log = lab.hop(hop) / "logs/all.log"
    command = ["/bin/sh", "-c", 'exec "$@" 2>&1', hop, *argv, str(APP)]
    server = lab.spawn(hop, command, [address], log=log)
    time.sleep(2)  # The workers boot after the socket is there.
    return server


def text(lab, hop):
    """What was logged, the dump of the interpreter's memory cut short."""
    lines, dumped = [], 0
    for line in (lab.hop(hop) / "logs/all.log").read_text().splitlines():
        dumped = 1 if "[BUG]" in line else dumped + 1 if dumped else 0
        is_own = line.startswith(("[", "- ", "I, [", "E, [", "=== ")) and not line.startswith("[NOTE]")
        if is_own:
            dumped = 0
        if dumped < 12:
            lines.append(line)
    return "\n".join(lines) + "\n"
