"""The truth of a capture: what was done to which request, and proof that it came about."""

import json
from dataclasses import dataclass

from lab import Rejected, now_us, rfc3339


@dataclass(frozen=True)
class Fault:
    """A fault that can be injected, and what a right diagnosis of it is."""

    name: str
    # Cause and subtype; `alternatives` are subtypes just as right, for the reason in the README.
    cause: str
    subtype: str | None
    # The hop that makes the status (None: the client ended it itself).
    issuer: str | None
    # What the client may see; None stands for a connection that ended without a status line.
    statuses: tuple
    # The `X-Lab-Fault` header, for the application.
    directive: str | None = None
    methods: tuple = ("GET",)
    paths: tuple = ("/",)
    count: int = 5
    small: int = 1
    alternatives: tuple = ()
    # A failure that a retry hid: the client saw a good answer.
    near_miss: bool = False
    # The client gives up after so many seconds.
    abort_after: float | None = None
    # Plain requests sent before on the same client connection.
    warm: int = 0
    # For the README: what was done.
    story: str = ""


ABORT = Fault("client_abort", "proxy_timeout", "client_timeout", None, (None, 200, 201, 401, 404),
              abort_after=0.5, story="the client gave up on a slow request after 0.2 to 0.9 s")


def is_failure(sent):
    """Whether the client saw a failure that somebody must explain."""
    return not sent.aborted and (sent.status is None or sent.status >= 500 or sent.short_body)


def row(sent, fault, near_miss=None):
    """One request in the shape of `truth.json`."""
    return {
        "fault": fault.name, "cause": fault.cause, "subtype": fault.subtype,
        "alternatives": list(fault.alternatives), "method": sent.method, "path": sent.path,
        "client": sent.client, "start": rfc3339(sent.start_us), "end": rfc3339(sent.end_us),
        "status": sent.status, "issuer": fault.issuer,
        "near_miss": fault.near_miss if near_miss is None else near_miss, "ids": sent.ids,
    }


def build(lab, explain):
    """The rows of the truth, in order of start.

    `explain(sent)` gives the `Fault` of a failure that was not planned for that very request (a
    background request that met a killed process), or None, which rejects the capture."""
    rows = []
    for sent in sorted(lab.sent, key=lambda one: (one.start_us, one.token)):
        fault = sent.fault
        if fault is None and is_failure(sent):
            fault = explain(sent)
            if fault is None:
                raise Rejected(f"nobody planned {sent}")
        if fault is None:
            continue
        if fault is ABORT and not sent.aborted:
            if not is_failure(sent):
                continue  # The answer came sooner than the client's patience ended.
            fault = explain(sent)
            if fault is None:
                raise Rejected(f"a client that meant to give up failed before: {sent}")
        if sent.status not in fault.statuses:
            raise Rejected(f"{fault.name} was to end in {fault.statuses}: {sent}")
        lab.stories[fault.name] = fault.story
        rows.append(row(sent, fault))
    return rows


def write(lab, sample, rows):
    """Writes `truth.json`, one request a line."""
    head = {"incident": lab.incident, "captured_at": rfc3339(now_us()), "servers": lab.versions}
    lines = ",\n".join("    " + json.dumps(one) for one in rows)
    text = json.dumps(head, indent=2)[:-2] + ',\n  "requests": [\n' + lines + "\n  ]\n}\n"
    text = text.replace('"requests": [\n\n  ]', '"requests": []')
    (sample / "truth.json").write_text(text)


def counts(rows):
    """How many requests of each fault, in order of name: (fault, cause, subtype, status) -> n."""
    found = {}
    for one in rows:
        key = (one["fault"], one["cause"], one["subtype"] or "", str(one["status"]))
        found[key] = found.get(key, 0) + 1
    return dict(sorted(found.items()))
