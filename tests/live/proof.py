"""Proof that a truth and a server's log speak of the same failures, one for one."""

import re
import time
from calendar import timegm
from datetime import datetime

from lab import Rejected

SLACK_US = 1_500_000
NGINX_LINE = re.compile(r'\S+ - \S+ \[([^] ]+) [^]]*\] "(\S+) (\S+) [^"]*" (\d+) ')


def errors_agree(rows, logged, slack_us=SLACK_US):
    """Raises `Rejected` unless failures in the truth and in a proxy's access log pair up.

    `rows` are those of the truth which this proxy logged with a status of 500 or more, as
    (method, path, status, end_us); `logged` are the lines of its log of that kind, in the same
    shape. Each needs a partner of equal method, path and status within `slack_us` of its end."""
    keys = {want[:3] for want in rows} | {have[:3] for have in logged}
    for key in sorted(keys):
        wanted = sorted(want[3] for want in rows if want[:3] == key)
        found = sorted(have[3] for have in logged if have[:3] == key)
        # In order of time: the best pairing, if there is one within the slack.
        close = [abs(want - have) <= slack_us for want, have in zip(wanted, found)]
        if len(wanted) != len(found) or not all(close):
            raise Rejected(f"{key}: the truth has {wanted}, the log {found}")


def expected(rows, status=lambda row: row["status"]):
    """The rows of a truth in the shape of `errors_agree`; `status(row)` is what the log has."""
    return [(row["method"], row["path"], status(row), end_us(row)) for row in rows
            if (status(row) or 0) >= 500]


def end_us(row):
    """When a row of the truth ended, in microseconds since the Unix epoch."""
    moment = datetime.strptime(row["end"], "%Y-%m-%dT%H:%M:%S.%fZ")
    return timegm(moment.timetuple()) * 1_000_000 + moment.microsecond


def logged_by_nginx(lines):
    """The failures in an nginx access log whose zone is UTC, in the shape of `errors_agree`."""
    logged = []
    for line in lines:
        match = NGINX_LINE.match(line)
        if not match:
            raise Rejected(f"nginx's line has another shape: {line}")
        moment = timegm(time.strptime(match.group(1), "%d/%b/%Y:%H:%M:%S"))
        if int(match.group(4)) >= 500:
            logged.append((match.group(2), match.group(3), int(match.group(4)), moment * 1_000_000))
    return logged
