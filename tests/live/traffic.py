"""The clients: seeded background traffic, and requests that carry a fault.

Every request is kept in `lab.sent` as the client saw it: that is the raw material of the truth.
"""

import contextlib
import http.client
import itertools
import random
import select
import socket
import threading
import time
from dataclasses import dataclass, field

from lab import Rejected, now_us
from truth import ABORT

TOKENS = itertools.count(1)
# Headers that carry a request's id, in a request or an answer.
IDS = ("x-request-id", "x-correlation-id", "traceparent")
AGENTS = (
    "ShopApp/5.2 (iOS 18.1)", "ShopApp/5.1 (Android 15)", "PartnerSync/2.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
)
# (weight, method, path). Mostly repeated paths; `{n}` and `{q}` become a number.
SHOP = (
    (22, "GET", "/"), (14, "GET", "/products?page={p}"), (20, "GET", "/products/{n}"),
    (8, "GET", "/search?q={q}"), (8, "GET", "/basket"), (6, "POST", "/basket/items"),
    (4, "PUT", "/basket/items/{n}"), (5, "GET", "/account"), (3, "POST", "/login"),
    (3, "POST", "/orders"), (4, "GET", "/api/stock/{n}"), (1, "DELETE", "/basket/items/{n}"),
    (1, "GET", "/wp-login.php"), (1, "GET", "/old/catalogue.html"), (1, "HEAD", "/"),
)


@dataclass
class Sent:
    """One request as its client saw it. Times in microseconds since the Unix epoch, UTC."""

    token: str
    method: str
    path: str
    client: str = ""
    start_us: int = 0
    end_us: int = 0
    # What the client got; None when the connection ended without a status line.
    status: int | None = None
    short_body: bool = False
    aborted: bool = False
    # Requests this client connection had carried before.
    reused: int = 0
    error: str = ""
    ids: dict = field(default_factory=dict)
    # The `Fault` it carried, or None for background traffic.
    fault: object = None
    notes: dict = field(default_factory=dict)


class Client:
    """One client connection with its own address; reconnects when the server closed it."""

    def __init__(self, lab, source, target, timeout=20.0, host="shop.example.com"):
        self.lab, self.source, self.target = lab, source, target
        self.timeout, self.host = timeout, host
        self.connection, self.served = None, 0

    def close(self):
        """Closes the connection, if there is one."""
        if self.connection is not None:
            self.connection.close()
        self.connection, self.served = None, 0

    def connect(self):
        """Makes sure there is a connection which the server has not closed meanwhile."""
        one = self.connection
        if one is not None and one.sock is not None:
            if not select.select([one.sock], [], [], 0)[0]:
                return
        self.close()
        self.connection = http.client.HTTPConnection(
            *self.target, timeout=self.timeout, source_address=(self.source, 0))
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, method, path, directive=None, fault=None, body=None, agent=AGENTS[0],
             abort_after=None, keep=True, headers=None):
        """Sends one request and waits for its end. `abort_after` (s): the client gives up then.

        `directive` goes to the application as `X-Lab-Fault`; `fault` is kept for the truth."""
        sent = Sent(str(next(TOKENS)), method, path, fault=fault)
        lines = {"Host": self.host, "User-Agent": agent, "X-Lab-Token": sent.token}
        if directive:
            lines["X-Lab-Fault"] = directive
        if not keep:
            lines["Connection"] = "close"
        if body is None and method in ("POST", "PUT", "PATCH"):
            body = b'{"sku":"A-%d","count":1}' % len(path)
        lines |= self.lab.client_headers(self.source, sent.token) | (headers or {})
        sent.start_us = now_us()
        try:
            self.connect()
        except OSError as error:
            sent.error = type(error).__name__
        else:
            sent.client = "%s:%d" % self.connection.sock.getsockname()
            sent.reused = self.served
            self.served += 1
            sent.start_us = now_us()
            self.exchange(sent, lines, body, abort_after)
        sent.ids = {name.lower(): value for name, value in lines.items()
                    if name.lower() in IDS} | sent.ids
        sent.end_us = now_us()
        if not keep:
            self.close()
        with self.lab.lock:
            self.lab.sent.append(sent)
        return sent

    def exchange(self, sent, lines, body, abort_after):
        """Sends the request and reads the answer into `sent`; whatever goes wrong ends there."""
        try:
            self.connection.request(sent.method, sent.path, body=body, headers=lines)
            if abort_after is not None and not self.readable(abort_after):
                sent.aborted = True
                self.close()
                return
            response = self.connection.getresponse()
            sent.status = response.status
            sent.ids = {name.lower(): value for name, value in response.getheaders()
                        if name.lower() in IDS}
            response.read()
        except http.client.IncompleteRead:
            sent.short_body = True
            self.close()
        except (http.client.HTTPException, OSError) as error:
            sent.error = type(error).__name__
            self.close()

    def readable(self, seconds):
        """Whether an answer begins within so many seconds."""
        return bool(select.select([self.connection.sock], [], [], seconds)[0])


class Plan:
    """Things to do at planned moments, each in a thread of its own."""

    def __init__(self, lab):
        self.lab, self.todo, self.failures = lab, [], []

    def at(self, seconds, action, *args, **more):
        """Calls `action(*args, **more)` so many seconds after the start."""
        self.todo.append((seconds, lambda: action(*args, **more)))

    def run(self, seconds):
        """Runs the plan; returns when everything has ended, at the earliest after `seconds`."""
        start, threads = time.monotonic(), []
        for due, action in sorted(self.todo, key=lambda item: item[0]):
            time.sleep(max(0.0, start + due - time.monotonic()))
            threads.append(threading.Thread(target=self.guard, args=(action,), daemon=True))
            threads[-1].start()
        time.sleep(max(0.0, start + seconds - time.monotonic()))
        for thread in threads:
            thread.join(30)
        if self.failures:
            first = self.failures[0]
            raise Rejected(f"{type(first).__name__}: {first}") from first

    def guard(self, action):
        """Keeps what an action raises, for `run` to raise it again."""
        try:
            action()
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(error)


def background(lab, plan, target, sources, seconds, per_second, paths=SHOP, pause=(),
               abort_share=0.0):
    """Adds shop traffic to the plan: one worker per source address, keep-alive mostly.

    `pause` holds (from, to) spans in seconds in which nobody sends. `abort_share` of the requests
    are slow ones whose client gives up (`client_abort` in the truth)."""
    for source in sources:
        seed = lab.random.random()
        plan.at(0.0, worker, lab, target, source, seed, seconds, per_second / len(sources), paths,
                pause, abort_share)


def worker(lab, target, source, seed, seconds, per_second, paths, pause, abort_share):
    """One background client: sends, thinks, sends, until the time is over."""
    chance = random.Random(seed)
    client = Client(lab, source, target)
    agent = chance.choice(AGENTS)
    start = time.monotonic()
    due = chance.expovariate(per_second)
    while due < seconds:
        time.sleep(max(0.0, start + due - time.monotonic()))
        due = max(due, time.monotonic() - start) + chance.expovariate(per_second)
        at = time.monotonic() - start
        if any(low <= at < high for low, high in pause):
            continue
        if chance.random() < 0.15:
            client.close()  # A new visitor behind the same address.
        method, path = choose(chance, paths)
        if chance.random() < abort_share:
            client.send("GET", path, "slow=1500", ABORT, agent=agent,
                        abort_after=chance.uniform(0.2, 0.9))
            continue
        headers = {"Cookie": "sid=1"} if chance.random() < 0.8 else None
        client.send(method, path, agent=agent, headers=headers)
    client.close()


def choose(chance, paths):
    """Draws a method and a path."""
    _, method, path = chance.choices(paths, weights=[row[0] for row in paths])[0]
    filled = path.format(n=1000 + int(chance.paretovariate(1.1)) % 400, p=chance.randint(1, 6),
                         q=chance.choice(("lamp", "desk", "oak+chair", "rug", "shelf")))
    return method, filled


def fault_request(lab, target, source, fault, method=None, path=None, warm=0):
    """Sends one request with a `Fault` on a fresh client connection (after `warm` plain ones)."""
    client = Client(lab, source, target)
    for _ in range(warm):
        client.send("GET", "/basket", headers={"Cookie": "sid=1"})
    sent = client.send(method or fault.methods[0], path or fault.paths[0], fault.directive, fault,
                       abort_after=fault.abort_after, keep=True)
    with contextlib.suppress(OSError):
        client.close()
    return sent


def schedule(lab, plan, target, sources, faults, span, avoid=()):
    """Spreads each fault's `count` requests over the span (from, to) seconds, at seeded moments,
    methods and paths taken in turn. Moments inside the spans of `avoid` move behind them."""
    low, high = span
    for fault in faults:
        count = lab.pick(fault.count, fault.small)
        for i in range(count):
            step = (high - low) / count
            due = low + step * (i + lab.random.random())
            for closed, opened in avoid:
                if closed <= due < opened:
                    due = opened + lab.random.random()
            plan.at(due, fault_request, lab, target, lab.random.choice(sources), fault,
                    fault.methods[i % len(fault.methods)], fault.paths[i % len(fault.paths)],
                    warm=fault.warm)
