"""A WSGI application for gunicorn: a shop whose answers follow from the path alone.

Two request headers belong to the laboratory; gunicorn's access log does not show them:
`X-Lab-Token` names the request in the side channel (file LAB_SIDE, JSON lines, times in ms), and
`X-Lab-Fault` says what to do with it (see FAULTS).
"""

import itertools
import json
import os
import random
import time
import zlib

SIDE = os.open(os.environ["LAB_SIDE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what, token):
    """Writes one line to the side channel."""
    event = {"t": time.time_ns() // 1_000_000, "pid": os.getpid(), "e": what, "token": token}
    os.write(SIDE, (json.dumps(event) + "\n").encode())


def slow(answer, ms):
    """The answer comes after so many ms."""
    time.sleep(int(ms) / 1000)
    return answer


def native(answer, seconds):
    """Native code that keeps the interpreter locked, and sees no signal, for very long."""
    sum(itertools.repeat(1, int(seconds) * 10**9))
    return answer


def status(answer, code):
    """The application answers with this status itself."""
    return code, answer[1], answer[2]


def bighdr(answer, size):
    """A response header of so many bytes."""
    return answer[0], answer[1], [("Set-Cookie", "basket=" + "a" * int(size))]


FAULTS = {"slow": slow, "native": native, "status": status, "bighdr": bighdr}
REASONS = {"200": "OK", "201": "Created", "401": "Unauthorized", "404": "Not Found",
           "502": "Bad Gateway"}


def usual(environ):
    """The status, the size of the body and the further headers that a request gets."""
    path = environ["PATH_INFO"]
    shape = zlib.crc32(path.encode())
    time.sleep((2 + shape % 25) / 1000 + random.expovariate(1 / 0.008))
    if path.startswith(("/wp-", "/old/")):
        return "404", 22, []
    if path.startswith("/account") and "HTTP_COOKIE" not in environ:
        return "401", 60, []
    return ("201" if environ["REQUEST_METHOD"] == "POST" else "200"), 180 + shape % 9000, []


def application(environ, start_response):
    """The WSGI entry point."""
    token = environ.get("HTTP_X_LAB_TOKEN", "")
    note("req", token)
    environ["wsgi.input"].read()
    answer = usual(environ)
    name, _, value = environ.get("HTTP_X_LAB_FAULT", "").partition("=")
    if name:
        answer = FAULTS[name](answer, value)
    code, size, more = answer
    body = json.dumps({"data": "x" * size}).encode()
    start_response(f"{code} {REASONS[code]}",
                   [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *more])
    note("res", token)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
