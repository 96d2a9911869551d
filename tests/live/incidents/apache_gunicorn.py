"""# Apache in front of gunicorn

A shop of four synchronous gunicorn workers behind Apache httpd. Monthly reports, which Apache lets
run for 20 s, sometimes keep all four workers busy: short requests then wait in the accept queue,
and Apache gives up on them after 3 s. The export service has one worker with threads, which gets
stuck in native code, or is killed.

```
clients 127.13.100.x  ->  apache 127.13.10.1:8080  ->  shop-app 127.13.30.1:8000     gunicorn, 4 sync workers
                                                   ->  exports-app 127.13.30.2:8001  gunicorn, 1 worker, 8 threads
                                                   ->  127.13.40.1:9200  recommendations, full accept queue
                                                   ->  127.13.50.1:8443  partner, TLS, silent
                                                   ->  127.13.50.2:7000  legacy, closes or talks nonsense; has no log
                                                   ->  127.13.60.1:9000  invoices, nothing listens
```

Apache's host is in India (UTC+5:30), the applications' host in UTC. The access logs say so, but
**Apache's error log has no zone**. Apache's request id (`UNIQUE_ID`, which is `%L` as well) is
passed on as `X-Request-ID` and stands in all logs but gunicorn's error log.

What is hard about it: Apache says 502 for a response that came too late, for a closed connection and
for nonsense alike, 503 for a connection that was refused and for one that timed out, and 500 for a
TLS handshake that timed out. A request that waited in the queue and one that was slow look the same
at Apache, 502 after 3 s; but gunicorn logs the first one *later*, with 200 and a few milliseconds.
When the request was not the first of its client's connection, Apache closes without an answer,
although it logs 502 with `-` bytes (fault `silent_close`).

That a request was `queued` is certain: the application noted, outside these logs, when it received
each request, and only those count that it received after Apache had given up. A request is
`slow_header` only if the application had it at once.

Alternatives: a worker stuck in native code was killed by gunicorn's own time limit, which is a
`worker_crash`; a diagnosis that says `premature_close` or `reset_before_response` names what happened
on the wire, but not why. Both of gunicorn's stories are in its error log. A connect timeout comes
from a full accept queue, so `listen_backlog` is right as well.
"""

import os
import re
import signal
import threading
import time
from calendar import timegm
from dataclasses import replace

from lab import Rejected, now_us
from peers import deaf_peer, scripted_peer, silent_peer
from proof import errors_agree, expected
from servers import apache, gunicorn
from traffic import Client, Plan, background, fault_request, schedule
from truth import ABORT, Fault

EDGE, SHOP, EXPORTS = ("127.13.10.1", 8080), ("127.13.30.1", 8000), ("127.13.30.2", 8001)
RECOMMEND, PARTNER, LEGACY = ("127.13.40.1", 9200), ("127.13.50.1", 8443), ("127.13.50.2", 7000)
CLIENTS = [f"127.13.100.{i}" for i in range(1, 9)]
PARTNERS = [f"127.13.101.{i}" for i in range(1, 3)]
APACHE = "edge-apache"
WORKERS = 4
REPORT_S = 5.5

CONF = """ServerName shop.example.com
Listen 127.13.10.1:8080
PidFile logs/apache2.pid
DefaultRuntimeDir tmp
User www-data
Group www-data

LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule unique_id_module /usr/lib/apache2/modules/mod_unique_id.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so

StartServers 2
ThreadsPerChild 32
MaxRequestWorkers 64
KeepAlive On
KeepAliveTimeout 30
MaxKeepAliveRequests 0

LogLevel warn
ErrorLog logs/error.log
ErrorLogFormat "[%{u}t] [%-m:%l] [pid %P:tid %T] [R:%L] %E: [client\\ %a] %M"
LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\" %D %{UNIQUE_ID}e %X %k %L" timed
CustomLog logs/access.log timed

RequestHeader set X-Request-ID %{UNIQUE_ID}e
Header always set X-Request-ID %{UNIQUE_ID}e

ProxyTimeout 3
ProxySourceAddress 127.13.10.1
SSLProxyEngine on
SSLProxyVerify none
SSLProxyCheckPeerName off

ProxyPass /reports/ http://127.13.30.1:8000/reports/ connectiontimeout=2 retry=0 timeout=20
ProxyPass /exports/ http://127.13.30.2:8001/exports/ connectiontimeout=2 retry=0 timeout=10 disablereuse=On
ProxyPass /recommendations/ http://127.13.40.1:9200/ connectiontimeout=2 retry=0
ProxyPass /partner/ https://127.13.50.1:8443/ connectiontimeout=2 retry=0
ProxyPass /legacy/ http://127.13.50.2:7000/ connectiontimeout=2 retry=0
ProxyPass /invoices/ http://127.13.60.1:9000/ connectiontimeout=2 retry=0
ProxyPass / http://127.13.30.1:8000/ connectiontimeout=2 retry=0
"""

GUNICORN = """bind = "{host}:{port}"
worker_class = "{kind}"
workers = {workers}
{more}
accesslog = "logs/access.log"
access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s %({{x-request-id}}i)s %(p)s'
errorlog = "logs/error.log"
loglevel = "info"
control_socket_disable = True
"""

FAULTS = (
    Fault("slow_header", "proxy_timeout", "response_header_timeout", APACHE, (502,), "slow=4200",
          ("GET", "POST"), ("/search?q=everything", "/checkout"), 8,
          story="the application worked for 4.2 s while other workers were free; Apache waits 3 s"),
    Fault("connect_timeout", "proxy_timeout", "connect_timeout", APACHE, (503,), None,
          ("GET",), ("/recommendations/for-you", "/recommendations/similar"), 6,
          alternatives=("listen_backlog",),
          story="the accept queue was full, SYNs went unanswered; Apache waits 2 s"),
    Fault("tls_timeout", "proxy_timeout", "tls_handshake_timeout", APACHE, (500,), None,
          ("POST", "GET"), ("/partner/price", "/partner/stock"), 6,
          story="the TLS endpoint accepted and never answered the ClientHello; Apache waits 3 s"),
    Fault("refused", "dropped_connection", "refused", APACHE, (503,), None,
          ("GET",), ("/invoices/2026-10", "/invoices/2026-11"), 8,
          story="nothing listened on the port"),
    Fault("fin", "dropped_connection", "premature_close", APACHE, (502,), "fin=100-400",
          ("POST", "GET"), ("/legacy/checkout", "/legacy/delivery-dates"), 8,
          story="the service closed the connection after 100 to 400 ms, before any byte"),
    Fault("silent_close", "dropped_connection", "premature_close", APACHE, (None,), "fin=100-400",
          ("POST", "GET"), ("/legacy/checkout", "/legacy/delivery-dates"), 6, warm=2,
          story="the same, as the third request of its client connection: Apache logs 502 and "
                "closes without an answer"),
    Fault("rst", "dropped_connection", "reset_before_response", APACHE, (502,), "rst=60-350",
          ("POST", "GET"), ("/legacy/checkout", "/legacy/vouchers"), 8,
          story="the service reset the connection after 60 to 350 ms, before any byte"),
    Fault("partial_header", "dropped_connection", "premature_close", APACHE, (502,), "partial=40-300",
          ("POST", "GET"), ("/legacy/checkout", "/legacy/delivery-dates"), 6,
          story="the service closed in the middle of the response header"),
    Fault("garbage", "invalid_response", "malformed_header", APACHE, (502,), "garbage=40",
          ("GET", "POST"), ("/legacy/delivery-dates", "/legacy/checkout"), 6,
          story="the service sent something that is not HTTP"),
    Fault("header_too_big", "invalid_response", "header_too_big", APACHE, (502,), "bighdr=9000",
          ("GET", "POST"), ("/account/settings", "/login"), 6,
          story="a cookie of 9 kB; Apache takes 8 kB (`ResponseFieldSize`)"),
    Fault("own_502", "upstream_502", None, "shop-app", (502,), "status=502",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 10,
          story="the application answered 502 itself"),
)
# At planned moments outside the bursts, in which Apache would go on waiting and log 502.
GIVEN_UP = replace(ABORT, directive="slow=1500", count=12,
                   paths=("/products?page=2", "/products/1003", "/search?q=desk"),
                   story="the client gave up on a slow request after 0.5 s")
QUEUED = Fault("queued", "queueing_delay", "app_queue", APACHE, (502,), None,
               ("GET", "POST"), ("/api/stock/1001", "/basket/items"),
               story="sent while reports kept all workers busy; Apache gave up before one was free")
WIRE = ("premature_close", "reset_before_response")
STUCK = Fault("stuck", "dropped_connection", "worker_crash", APACHE, (502,), "native=60", ("POST",),
              ("/exports/render",), alternatives=WIRE,
              story="got stuck in native code until gunicorn killed the worker (`timeout = 4`)")
STUCK_BESIDE = Fault("stuck_beside", "dropped_connection", "worker_crash", APACHE, (502,),
                     "slow=9000", ("GET", "POST"), ("/exports/orders", "/exports/customers"),
                     alternatives=WIRE, story="in flight in the worker that was stuck and killed")
KILLED = Fault("killed", "dropped_connection", "worker_crash", APACHE, (502,), "slow=6000",
               ("GET", "POST"), ("/exports/orders", "/exports/customers"), alternatives=WIRE,
               story="in flight in a worker that was killed with SIGKILL, as for want of memory")
EXPORT_TRAFFIC = ((3, "GET", "/exports/status"), (2, "GET", "/exports/{n}"),
                  (1, "POST", "/exports/orders"))


def run(lab):
    """Runs the incident; returns the explanation of unplanned failures for the truth."""
    gunicorn(lab, "shop-app", GUNICORN.format(host=SHOP[0], port=SHOP[1], kind="sync",
             workers=WORKERS, more="timeout = 60"), [SHOP])
    exports = gunicorn(lab, "exports-app", GUNICORN.format(
        host=EXPORTS[0], port=EXPORTS[1], kind="gthread", workers=1,
        more="threads = 8\ntimeout = 4"), [EXPORTS])
    deaf_peer(lab, RECOMMEND)
    silent_peer(lab, PARTNER)
    scripted_peer(lab, LEGACY)
    apache(lab, APACHE, CONF, [EDGE], tz="Asia/Kolkata")
    plan, bursts = Plan(lab), []
    seconds = lab.pick(185, 20)
    burst_at, stuck_at = lab.pick((34.0, 88.0, 151.0), (9.0,)), lab.pick((52.0, 128.0), (5.0,))
    kill_at = lab.pick((19.0, 71.0, 112.0), (2.5,))
    background(lab, plan, EDGE, CLIENTS, seconds, 12)
    background(lab, plan, EDGE, PARTNERS, seconds, 1.5, EXPORT_TRAFFIC,
               [(at - 2, at + 9) for at in stuck_at] + [(at - 2, at + 4) for at in kill_at])
    schedule(lab, plan, EDGE, CLIENTS, (*FAULTS, GIVEN_UP), lab.pick((3, 175), (0.5, 4.5)),
             [(at - 6, at + 8) for at in burst_at] if not lab.small else ())
    for at in burst_at:
        plan.at(at, lambda: bursts.append(burst(lab)))
    for at in stuck_at:
        plan.at(at, stick, lab)
    for at in kill_at:
        plan.at(at, kill_worker, lab, exports)
    plan.run(seconds)
    received = {event["token"]: event["t"] for event in lab.side_events("shop-app")
                if event["e"] == "req"}
    lab.received = received
    return lambda sent: explain(sent, bursts, received)


def burst(lab):
    """Keeps all workers busy with reports and sends short requests meanwhile; gives the span."""
    begin = now_us()
    reports = [threading.Thread(target=report, args=(lab, i)) for i in range(WORKERS)]
    queued = [threading.Thread(target=late, args=(lab, i)) for i in range(lab.pick(6, 3))]
    for thread in reports:
        thread.start()
    time.sleep(0.4)
    for thread in queued:
        thread.start()
    for thread in reports + queued:
        thread.join(30)
    return begin, now_us()


def report(lab, turn):
    """Asks for a report, which takes long and is answered."""
    client = Client(lab, CLIENTS[turn], EDGE)
    client.send("GET", f"/reports/2026-{10 - turn:02d}", f"slow={int(REPORT_S * 1000)}")
    client.close()


def late(lab, turn):
    """Sends a short request at most 1.5 s after all workers became busy."""
    time.sleep(0.25 * turn)
    fault_request(lab, EDGE, lab.random.choice(CLIENTS), QUEUED, QUEUED.methods[turn % 2],
                  QUEUED.paths[turn % 2])


def stick(lab):
    """Puts two long requests into the export worker, then one that locks the interpreter."""
    plans = [(0.0, STUCK_BESIDE, 0), (0.3, STUCK_BESIDE, 1), (0.7, STUCK, 0)]
    in_flight(lab, plans)


def kill_worker(lab, exports):
    """Kills the only worker of the export service while it works on four requests."""
    threading.Timer(1.6, lambda: os.kill(exports.workers()[0], signal.SIGKILL)).start()
    in_flight(lab, [(0.0, KILLED, 0), (0.4, KILLED, 1), (0.8, KILLED, 0), (1.3, KILLED, 1)])


def in_flight(lab, plans):
    """Sends requests with delays; `plans` holds (delay in s, fault, which method and path)."""
    threads = [threading.Timer(delay, fault_request, (
        lab, EDGE, PARTNERS[turn], fault, fault.methods[turn], fault.paths[turn]))
        for delay, fault, turn in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def explain(sent, bursts, received):
    """A background request that met a burst was queued, if the application got it too late."""
    in_burst = any(begin <= sent.end_us and sent.start_us <= end for begin, end in bursts)
    if sent.status == 502 and in_burst and received.get(sent.token, 0) > sent.end_us / 1000:
        return QUEUED
    return None


LINE = re.compile(r'\S+ \S+ \S+ \[(\d+)/(\w+)/(\d+):(\d+):(\d+):(\d+) \+0530\] "(\S+) (\S+) \S+" '
                  r'(\d+) (\S+) ".*" (\d+) \S+ \S+ \d+ \S+$')


def logged(lab):
    """What Apache logged with a status of 500 or more: (method, path, status, end in us)."""
    found = []
    for line in lab.log_lines(APACHE, "access.log"):
        match = LINE.match(line)
        if not match:
            raise Rejected(f"Apache's line has another shape: {line}")
        day, month, year, hour, minute, second = match.group(1, 2, 3, 4, 5, 6)
        stamp = time.strptime(f"{day} {month} {year} {hour}:{minute}:{second}", "%d %b %Y %H:%M:%S")
        start_us = (timegm(stamp) - 19_800) * 1_000_000
        if int(match.group(9)) >= 500:
            found.append((match.group(7), match.group(8), int(match.group(9)),
                          start_us + int(match.group(11))))
    return found


def check(lab, rows):
    """Failures pair up with Apache's log, and what was queued reached the application too late."""
    errors_agree(expected(rows, lambda row: 502 if row["fault"] == "silent_close"
                          else row["status"]), logged(lab))
    for sent in lab.sent:
        if sent.fault is QUEUED and lab.received.get(sent.token, 0) <= sent.end_us / 1000:
            raise Rejected(f"the application had it in time, or never: {sent}")
        if sent.fault is not None and sent.fault.name == "slow_header":
            delay_ms = lab.received.get(sent.token, 0) - sent.start_us / 1000
            if not -5 <= delay_ms <= 400:
                raise Rejected(f"it was to be slow, not queued: {delay_ms} ms, {sent}")
