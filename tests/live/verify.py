"""Checks the truth of samples against their logs: `python3 tests/live/verify.py [DIR...]`.

Shares no code with the program nor with the capture. For the outermost hop, and for the hop that
made each status: every failed request of the truth has exactly one line there, and every line with
a status of 500 or more is some request of the truth.
"""

import gzip
import json
import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

NGINX = re.compile(r'(?P<client>\S+) - \S+ \[(?P<end>[^]]+)\] '
                   r'"(?P<method>\S+) (?P<path>/\S*) [^"]+" (?P<status>\d+) ')
NGINX_ID = re.compile(r" rid=(\w+)")
NGINX_FORWARDED = re.compile(r'"([\d.]+)" [\d.]+ \S+ \S+')
HAPROXY = re.compile(r'\]: (?P<client>[\d.]+:\d+) \[(?P<start>[^]]+)\] \S+ \S+ '
                     r'[-\d/]+?/(?P<total>\d+) (?P<status>-?\d+) .*'
                     r'"(?P<method>\S+) (?P<path>\S+) HTTP')
# Apache's and gunicorn's lines, which end in a duration in microseconds and the request's id.
TIMED = re.compile(r'(?P<client>\S+) \S+ \S+ \[(?P<end>[^]]+)\] '
                   r'"(?P<method>\S+) (?P<path>\S+) [^"]+" (?P<status>\d+) \S+ '
                   r'"[^"]*" "[^"]*" (?P<total>\d+) (?P<id>\S+) (?:<\d+>|[-+X] \d+ \S+)$')
GATEWAY = re.compile(r"(?P<end>\S+Z) \[error\]\[[^]]*\]\[\d+\]\[acme\]\[prod\]\[(?P<path>[^]]*)\]"
                     r"\[[^]]*\]\[\]\[\S+?\]\[microgateway-core\]\[\]\[(?P<method>\w+)\]"
                     r"\[(?P<status>\d+)\]")
VARNISH = re.compile(r'\S+ - - \[(?P<end>[^]]+)\] "(?P<method>\S+) http://[^/]+(?P<path>/\S*) [^"]+" '
                     r'(?P<status>\d+) \S+ "[^"]*" "[^"]*" (?P<total>\d+) [\d.]+ (?!- b)\S+ '
                     r'rid=(?P<id>\S+)$')
SQUID = re.compile(r'(?P<end>\d+\.\d+) +\d+ (?P<client>\S+) (?P<result>\w+)/(?P<status>\d+) \d+ '
                   r'(?P<method>\w+) http://[^/]+(?P<path>/\S*) .* rid=(?P<id>\S+)$')
MORGAN = re.compile(r'(?P<client>\S+) - \S+ \[(?P<end>[^]]+)\] "(?P<method>\S+) (?P<path>\S+) [^"]+" '
                    r'(?P<status>\d+|-) \S+ "[^"]*" "[^"]*" [\d.-]+ ms (?P<id>\S+)$')
# What is known of a hop beside its log: its zone where the log does not say, its clock's error.
ZONES = {("haproxy-nginx-node", "lb-haproxy"): ZoneInfo("Europe/Berlin")}
SHIFTS = {("haproxy-nginx-node", "shop-app"): timedelta(seconds=2.3),
          ("caddy-node", "shop-app"): timedelta(seconds=-1.7),
          ("caddy-node", "orders-app"): timedelta(seconds=-1.7)}
# What a hop logs where its client got no answer.
SILENT = {"edge-apache": 502}


def lines(hop):
    """All lines of a hop's logs."""
    for file in sorted(hop.iterdir()):
        data = file.read_bytes()
        data = gzip.decompress(data) if file.suffix == ".gz" else data
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            yield f"{file.name}:{number}", line


def nginx(line, _zone):
    """A line of an nginx access log, whole seconds."""
    found = NGINX.match(line)
    if not found:
        return None
    record = found.groupdict()
    record["end"] = datetime.strptime(record["end"], "%d/%b/%Y:%H:%M:%S %z")
    identity, forwarded = NGINX_ID.search(line), NGINX_FORWARDED.search(line)
    record["id"] = identity and identity.group(1)
    record["client"] = forwarded.group(1) if forwarded else record["client"]
    return record | {"slack": 0.6, "late": 0.9}


def haproxy(line, zone):
    """A line of HAProxy's HTTP log."""
    found = HAPROXY.search(line)
    if not found:
        return None
    record = found.groupdict()
    start = datetime.strptime(record["start"], "%d/%b/%Y:%H:%M:%S.%f").replace(tzinfo=zone)
    end = start + timedelta(milliseconds=int(record["total"]))
    return record | {"end": end, "id": None, "slack": 0.06, "late": 0}


def timed(line, _zone):
    """A line of Apache or gunicorn, whole seconds; Apache's is the time of the request."""
    found = TIMED.match(line)
    if not found:
        return None
    record = found.groupdict()
    end = datetime.strptime(record["end"], "%d/%b/%Y:%H:%M:%S %z")
    if not line.endswith(">"):
        end += timedelta(microseconds=int(record["total"]))
    return record | {"end": end, "slack": 0.6, "late": 0.9}


def caddy(line, _zone):
    """A line of Caddy's access log."""
    if '"msg":"handled request"' not in line:
        return None
    one = json.loads(line)
    request = one["request"]
    return {"client": f"{request['remote_ip']}:{request['remote_port']}",
            "method": request["method"], "path": request["uri"], "status": str(one["status"]),
            "end": datetime.fromtimestamp(one["ts"], timezone.utc), "slack": 0.06, "late": 0,
            "id": request["headers"].get("X-Request-Id", [None])[0]}


def gateway(line, _zone):
    """The last line of a request that failed at Edge Microgateway; it has no id that others know."""
    found = GATEWAY.match(line)
    if not found:
        return None
    record = found.groupdict()
    end = datetime.fromisoformat(record["end"].replace("Z", "+00:00"))
    return record | {"path": "/" + record["path"], "client": None, "id": None, "end": end,
                     "slack": 0.15, "late": 0}


def pino(line, _zone):
    """A line of pino-http."""
    if not line.startswith("{"):
        return None
    one = json.loads(line)
    if "req" not in one:
        return None
    end = datetime.fromtimestamp(one["time"] / 1000, timezone.utc)
    identity = one["req"].get("id")
    return {"client": None, "method": one["req"]["method"], "path": one["req"]["url"],
            "status": str(one["res"]["statusCode"] or 0), "end": end, "slack": 0.06, "late": 0,
            "id": identity if isinstance(identity, str) else None}


def varnish(line, _zone):
    """A line of varnishncsa about a client's request: the time it came, and how long it took."""
    found = VARNISH.match(line)
    if not found:
        return None
    record = found.groupdict()
    end = datetime.strptime(record["end"], "%d/%b/%Y:%H:%M:%S %z")
    end += timedelta(microseconds=int(record["total"]))
    return record | {"end": end, "client": None, "slack": 0.6, "late": 0.9}


def squid(line, _zone):
    """A line of Squid's own log; it has no query strings."""
    found = SQUID.match(line)
    if not found or "_ABORTED" in found["result"]:
        return None
    record = found.groupdict()
    end = datetime.fromtimestamp(float(record["end"]), timezone.utc)
    return record | {"path": record["path"].removesuffix("?"), "end": end, "slack": 0.06, "late": 0,
                     "id": None if record["id"] == "-" else record["id"]}


def morgan(line, _zone):
    """A line of morgan's, whole seconds, at the end."""
    found = MORGAN.match(line)
    if not found:
        return None
    record = found.groupdict()
    end = datetime.strptime(record["end"], "%d/%b/%Y:%H:%M:%S %z")
    return record | {"end": end, "status": record["status"].replace("-", "0"), "slack": 0.6, "late": 0.9}


PARSERS = (caddy, pino, haproxy, varnish, squid, morgan, timed, gateway, nginx)


def read(sample, hop):
    """The records of a hop that failed."""
    zone = ZONES.get((sample.name, hop), timezone.utc)
    shift = SHIFTS.get((sample.name, hop), timedelta())
    found = []
    for where, line in lines(sample / "logs" / hop):
        record = next(filter(None, (parse(line, zone) for parse in PARSERS)), None)
        if record and int(record["status"]) >= 500:
            found.append(record | {"end": record["end"] - shift, "where": f"{hop}/{where}"})
    return found


def fits(row, record):
    """Whether a line can be the request of the truth."""
    path = row["path"].split("?")[0] if "result" in record else row["path"]
    if (row["method"], path, str(row["status"])) != tuple(
            record[name] for name in ("method", "path", "status")):
        return False
    known = row["ids"].get("x-request-id")
    if known and record["id"]:
        return known == record["id"]
    client = record["client"]
    if client and client not in (row["client"], row["client"].rsplit(":", 1)[0]):
        return False
    end = datetime.fromisoformat(row["end"].replace("Z", "+00:00"))
    return abs((end - record["end"]).total_seconds() - record["late"] / 2) <= record["slack"]


def pair(rows, records, name):
    """Pairs rows with records one to one, in order of end; returns complaints and the rest."""
    free, complaints = sorted(records, key=lambda record: record["end"]), []
    for row in sorted(rows, key=lambda row: row["end"]):
        fitting = [record for record in free if fits(row, record)]
        if not fitting:
            complaints.append(f"{name}: no line for {row['fault']} {row['path']} {row['end']}")
            continue
        free.remove(fitting[0])
    return complaints, free


def verify(sample):
    """Complaints about one sample."""
    rows = json.loads((sample / "truth.json").read_text())["requests"]
    for row in rows:
        row["status"] = SILENT.get(row["issuer"]) if row["status"] is None else row["status"]
    failed = [row for row in rows if (row["status"] or 0) >= 500]
    issuers, complaints = {row["issuer"] for row in failed}, []
    outer = next(hop.name for hop in sorted((sample / "logs").iterdir())
                 if hop.name.startswith(("edge-", "lb-")))
    for hop in sorted(issuers | {outer}):
        made = [row for row in failed if row["issuer"] == hop]
        mine = failed if hop == outer else made
        bad, left = pair(mine, read(sample, hop), hop)
        complaints += bad
        passed = [row for row in failed if row not in made]
        if hop != outer:
            _, left = pair(passed, left, hop)
        complaints += [f"{one['where']}: {one['status']} {one['path']} is in no truth"
                       for one in left]
        print(f"{sample.name}: {hop} made {len(made)} of {len(failed)} failures")
    return complaints


def main():
    """Verifies the named samples, or all."""
    here = Path(__file__).resolve().parent.parent.parent / "samples"
    named = [Path(name) for name in sys.argv[1:]]
    samples = named or sorted(path for path in here.iterdir() if path.is_dir())
    complaints = [complaint for sample in samples for complaint in verify(sample)]
    print("\n".join(complaints) or "every failure has its line, every line its failure")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
