"""The keep-alive race, made by circumstance and not by the application.

A Node server closes a connection that was idle for `keepAliveTimeout` + 1 s. Bursts of requests
with gaps of just that length meet the close in one of two ways:

* `stall`: the application's event loop is busy when its idle timer is due. Requests arrive
  meanwhile and lie unread in the sockets; then the overdue timer runs first and closes them.
  Closing a socket with unread data sends RST.
* `pause`: the proxy's host stands still for some 30 ms (a virtual machine that was not
  scheduled; here the worker is stopped and continued). A client's request and the application's
  FIN both arrive in that time; the proxy handles the request first, on the closed connection.

That a failed request lost a race is certain by construction: the application, alive throughout,
never received it, and closed that many idle connections at that moment. `verify` checks both.
"""

import os
import signal
import threading
import time
from dataclasses import dataclass

from lab import Rejected
from traffic import Client

SLACK_MS = 120


@dataclass
class Rounds:
    """Where the race is run. `idle_s`: after so long the application closes an idle connection."""

    target: tuple
    sources: list
    idle_s: float
    # (method, path) in turn; the faults for a lost POST, and for a GET that a retry saved.
    paths: list
    surfaced: object
    masked: object
    width: int = 4


def run_rounds(lab, rounds, proxy_worker, kinds):
    """Runs one round for each of `kinds` ("calm", "stall" or "pause"), one after the other.

    `proxy_worker()` gives the process id to pause."""
    clients = [Client(lab, source, rounds.target) for source in rounds.sources[:rounds.width]]
    turn = 0
    for kind in kinds:
        size = lab.random.randint(1, rounds.width)
        warm(lab, rounds, clients, kind)
        answered = time.monotonic()
        if kind == "calm":
            wait_until(answered + lab.random.uniform(0.3, 0.8) * rounds.idle_s)
        elif kind == "stall":
            wait_until(answered + rounds.idle_s - lab.random.uniform(0.02, 0.06))
        else:
            pause(answered + rounds.idle_s, proxy_worker)
        burst(lab, rounds, clients[:size], turn)
        turn += size
    for client in clients:
        client.close()


def warm(lab, rounds, clients, kind):
    """Opens as many upstream connections as there are clients, by concurrent requests."""
    length = lab.random.randint(170, 260)
    before = int(rounds.idle_s * 1000) - 130
    stall = f"stall={before},{length}" if kind == "stall" else "slow=25"

    def one(client, directive):
        client.send("GET", "/orders/health", directive).notes["race"] = rounds
    directives = [stall] + ["slow=25"] * (len(clients) - 1)
    time.sleep(0.1)
    together([lambda c=c, d=d: one(c, d) for c, d in zip(clients, directives)])


def burst(lab, rounds, clients, turn):
    """Sends one request per client at the same time and names the fault each of them met."""
    def one(client, method, path):
        sent = client.send(method, path.format(n=lab.random.randint(52100, 52999)))
        sent.notes["race"] = rounds

    together([lambda c=c, m=m: one(c, *m) for c, m in
              zip(clients, [rounds.paths[(turn + i) % len(rounds.paths)]
                            for i in range(len(clients))])])


def pause(closing, proxy_worker):
    """Stops the proxy's worker shortly before the moment of closing, continues it just after."""
    worker = proxy_worker()
    wait_until(closing - 0.012)
    os.kill(worker, signal.SIGSTOP)
    timer = threading.Timer(0.040, os.kill, (worker, signal.SIGCONT))
    timer.start()


def wait_until(moment):
    """Sleeps until a moment of the monotonic clock."""
    time.sleep(max(0.0, moment - time.monotonic()))


def together(actions):
    """Runs actions at the same time."""
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def settle(lab, hop, rounds, proxy_retried, status=502):
    """Gives each request of the rounds that met the race its fault, and proves it.

    `proxy_retried(sent)` says from the proxy's access log whether a good answer came at the
    second attempt; `status` is what the proxy answers if there was none."""
    events = lab.side_events(hop)
    received = {event.get("token"): event["t"] for event in events if event["e"] == "req"}
    idle = [event for event in events if event["e"] == "close" and event["idle"] is not None
            and rounds.idle_s * 1000 - 5 <= event["idle"] <= rounds.idle_s * 1000 + 400]
    lost = []
    for sent in lab.sent:
        if "race" not in sent.notes:
            continue
        if sent.status == status and sent.token not in received:
            sent.fault = rounds.surfaced
        elif sent.status in (200, 201) and proxy_retried(sent):
            sent.fault = rounds.masked
        else:
            continue
        lost.append(sent)
    verify(lost, idle)


def verify(lost, idle):
    """Every lost race needs an idle close of its own within its span."""
    free = list(idle)
    for sent in sorted(lost, key=lambda one: one.start_us):
        low, high = sent.start_us / 1000 - SLACK_MS, sent.end_us / 1000 + SLACK_MS
        fits = [event for event in free if low <= event["t"] <= high]
        if not fits:
            raise Rejected(f"no idle close fits {sent}")
        free.remove(fits[0])
