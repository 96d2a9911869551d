"""# HAProxy in front of nginx in front of Node, without any request id

The same shop behind two proxies: HAProxy (`lb-haproxy`) balances, nginx (`web-nginx`) serves, Node
(`shop-app`) works; orders go to a second, quiet Node application (`orders-app`). Nobody passes a
request id, and the hops do not agree about the time:

* `lb-haproxy` logs local time without saying which zone: it runs in Europe/Berlin.
* `web-nginx` runs in America/New_York: its access log says so (`-0500`), its error log does not.
* `shop-app` logs UTC, but its clock is 2.3 s fast. `orders-app` logs UTC and is right.

Four kinds of trouble overlap. The application drops, delays or spoils answers and is killed once
(nginx answers 502 or 504, HAProxy passes it on with `----`). The nginx worker is killed once, and
closes some connections without an answer (HAProxy answers 502 `SH--`). And HAProxy itself gives up:
`/search` may take 2.5 s only, the old server does not run, the mail server does not accept, and of
the reports, which are slow, it lets only one through at a time (503 `sQ--` after 2 s in the queue).
Last, `orders-app` closes idle connections after 2 s, and for most of a minute tills send their
orders in bursts about 2 s apart: some meet the close (502 at nginx, a keep-alive race).

## What can be seen, and what cannot

The numbers in `req.id` are pino's own counter, which starts again at every restart: no other hop
knows them. nginx logs the client's address as HAProxy passed it (`X-Forwarded-For`).

HAProxy 2.6 answers the second and later requests of a client connection with silence, and logs
nothing, when the server closes before it answers (`silent_close`, and some of `nginx_killed`); in
the truth they have the status null. The client sees an empty reply, and nginx's line is the only
trace, if it has one.

An answer that is not HTTP (`garbage`) nginx passes on as it is, with status `009` in its log;
HAProxy refuses it (`PH--`, 502). `/search` answers that came too late for HAProxy are 499 at nginx.
When a process was killed and came back, the logs cannot say if it crashed or was restarted:
`worker_crash` and `backend_restart` are equally right. A request refused while the application was
down is `refused`, and naming the crash behind it is right too; one in flight which nginx tried
again was refused at the second attempt. The mail server's accept queue was full: HAProxy can see
the timeout only, and `listen_backlog` is what lies behind it. In a
race, nginx cannot see whether FIN or RST came first: `fin_before_request` and `rst_on_reuse` are
both right.

The clock of `shop-app` was shifted with libfaketime (`FAKETIME=+2.3s`, monotonic clock left alone,
so that its timers run true). The zones were set with `TZ`.
"""

import os
import signal
import threading
import time

from lab import now_us
from outage import explain_by_outage, kill_while_busy, received_tokens
from peers import deaf_peer
from race import Rounds, run_rounds, settle
from traffic import Plan, background, fault_request, schedule
from truth import Fault

LB, WEB, SHOP = ("127.11.10.1", 8080), ("127.11.20.1", 8081), ("127.11.30.1", 3000)
ORDERS = ("127.11.30.2", 3001)
MAIL, SYSLOG = ("127.11.50.1", 9300), ("127.11.10.1", 5140)
CLIENTS = [f"127.11.100.{i}" for i in range(1, 9)]
HAPROXY, NGINX = "lb-haproxy", "web-nginx"
TILLS = [f"127.11.101.{i}" for i in range(1, 5)]
REPORTS = ("/reports/monthly", "/reports/stock", "/reports/returns")

HAPROXY_CONF = """global
    log 127.11.10.1:5140 local0
    log-send-hostname lb1
    maxconn 2000

defaults
    mode http
    log global
    option httplog
    option dontlognull
    option forwardfor
    retries 1
    timeout connect 2s
    timeout client 30s
    timeout server 6s
    timeout queue 2s
    timeout http-keep-alive 30s

frontend shop
    bind 127.11.10.1:8080
    use_backend reports if { path_beg /reports/ }
    use_backend search if { path_beg /search }
    use_backend legacy if { path_beg /legacy/ }
    use_backend mail if { path_beg /mail/ }
    default_backend web

backend web
    server web1 127.11.20.1:8081 source 127.11.10.1

backend reports
    timeout server 15s
    server web1 127.11.20.1:8081 source 127.11.10.1 maxconn 1

backend search
    timeout server 2500ms
    server web1 127.11.20.1:8081 source 127.11.10.1

backend legacy
    server old1 127.11.60.1:9000 source 127.11.10.1

backend mail
    server mail1 127.11.50.1:9300 source 127.11.10.1
"""

NGINX_CONF = """user nobody nogroup;
worker_processes 1;
pid logs/nginx.pid;
error_log logs/error.log warn;

events { worker_connections 1024; }

http {
    log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                    '"$http_referer" "$http_user_agent" "$http_x_forwarded_for" $request_time '
                    '$upstream_connect_time $upstream_header_time $upstream_response_time '
                    '$upstream_status $upstream_addr';
    access_log logs/access.log main;

    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;

    upstream shop { server 127.11.30.1:3000; keepalive 32; }
    upstream orders { server 127.11.30.2:3001; keepalive 16; }

    server {
        listen 127.11.20.1:8081;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_connect_timeout 2s;
        proxy_read_timeout 3s;
        proxy_bind 127.11.20.1;

        location / { proxy_pass http://shop; }
        location /orders/ { proxy_pass http://orders; }
        location /search { proxy_read_timeout 10s; proxy_pass http://shop; }
        location /reports/ { proxy_read_timeout 10s; proxy_pass http://shop; }
        location /internal/ { return 444; }
    }
}
"""

FAULTS = (
    Fault("slow_at_haproxy", "proxy_timeout", "response_header_timeout", HAPROXY, (504,),
          "slow=2800-4500", ("GET",), ("/search?q=everything", "/search?q=all"), 8,
          story="the application answered after 2.8 to 4.5 s, HAProxy waits 2.5 s there"),
    Fault("slow_at_nginx", "proxy_timeout", "response_header_timeout", NGINX, (504,),
          "slow=3300-5200", ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          story="the application answered after 3.3 to 5.2 s, nginx waits 3 s"),
    Fault("refused_at_haproxy", "dropped_connection", "refused", HAPROXY, (503,), None,
          ("GET",), ("/legacy/catalogue", "/legacy/prices"), 8,
          story="nothing listened on the old server's port"),
    Fault("connect_timeout", "proxy_timeout", "connect_timeout", HAPROXY, (503,), None,
          ("POST",), ("/mail/receipt", "/mail/reminder"), 6, alternatives=("listen_backlog",),
          story="the accept queue was full, SYNs went unanswered: twice 2 s"),
    Fault("fin", "dropped_connection", "premature_close", NGINX, (502,), "fin=100-400",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          story="the application closed the connection after 100 to 400 ms, before any byte"),
    Fault("rst", "dropped_connection", "reset_before_response", NGINX, (502,), "rst=100-400",
          ("POST", "GET"), ("/checkout", "/api/vouchers"), 8,
          story="the application reset the connection after 100 to 400 ms, before any byte"),
    Fault("header_too_big", "invalid_response", "header_too_big", NGINX, (502,), "bighdr=9000",
          ("GET", "POST"), ("/account/settings", "/login"), 6,
          story="a cookie of 9 kB; nginx takes 4 kB of header"),
    Fault("closed_by_nginx", "dropped_connection", "premature_close", HAPROXY, (502,), None,
          ("GET", "POST"), ("/internal/metrics", "/internal/cache"), 8,
          story="nginx closed the connection without an answer (`return 444`)"),
    Fault("silent_close", "dropped_connection", "premature_close", HAPROXY, (None,), None,
          ("GET",), ("/internal/metrics", "/internal/cache"), 5, warm=2,
          story="the same, as the third request of its client connection"),
    Fault("garbage", "invalid_response", "malformed_header", HAPROXY, (502,), "garbage=40",
          ("GET", "POST"), ("/api/delivery-dates", "/checkout"), 6,
          story="the application sent something that is not HTTP"),
    Fault("own_502", "upstream_502", None, "shop-app", (502,), "status=502",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 10,
          story="the application answered 502 itself"),
    Fault("cut_body", "dropped_connection", "reset_mid_response", NGINX, (200,), "cut=80",
          ("GET",), ("/products/export",), 4, story="closed in the middle of the body"),
)
CRASH = Fault("app_killed", "dropped_connection", "worker_crash", NGINX, (502,), "slow=2600",
              ("POST", "GET"), ("/checkout", "/api/delivery-dates"),
              alternatives=("backend_restart", "refused"),
              story="in flight when the application was killed")
GONE = Fault("app_gone", "dropped_connection", "refused", NGINX, (502,), None, ("GET", "POST"),
             ("/", "/basket/items"), alternatives=("worker_crash", "backend_restart"),
             story="sent while the killed application was down")
WORKER = Fault("nginx_killed", "dropped_connection", "worker_crash", HAPROXY, (502, None),
               "slow=2600", ("POST", "GET"), ("/checkout", "/api/delivery-dates"),
               alternatives=("backend_restart",),
               story="in flight when the nginx worker was killed")
RACE = Fault("race", "keep_alive_race", "fin_before_request", NGINX, (502,),
             alternatives=("rst_on_reuse",),
             story="sent on a connection that the orders application was closing as idle")
QUEUED = Fault("queued", "queueing_delay", "proxy_queue_timeout", HAPROXY, (503,), None,
               ("GET",), REPORTS, story="waited 2 s in HAProxy's queue behind a slow report")


def run(lab):
    """Runs the incident; returns the explanation of unplanned failures for the truth."""
    shop = lab.node_app("shop-app", {"hostname": "shop-1", "host": SHOP[0], "port": SHOP[1]},
                        shift="+2.3s")
    lab.node_app("orders-app", {"hostname": "orders-1", "host": ORDERS[0], "port": ORDERS[1],
                                "keepAliveTimeout": 1000})
    web = lab.nginx(NGINX, NGINX_CONF, [WEB], tz="America/New_York")
    deaf_peer(lab, MAIL)
    lab.syslog(HAPROXY, SYSLOG)
    lab.haproxy(HAPROXY, HAPROXY_CONF, [LB], tz="Europe/Berlin")
    plan, outages, worker_kills = Plan(lab), [], []
    seconds = lab.pick(170, 19)
    kill, worker_kill = lab.pick((55.0, 115.0), (11.5, 15.5))
    background(lab, plan, LB, CLIENTS, seconds, lab.pick(12, 12), abort_share=0.006)
    schedule(lab, plan, LB, CLIENTS, FAULTS, lab.pick((3, 160), (0.5, 6.5)),
             lab.pick([(at - 7, at + 5) for at in (kill, worker_kill)], []))
    plan.at(kill, lambda: outages.append(kill_while_busy(
        lab, shop, LB, CLIENTS, CRASH, (1.6, 1.1, 0.7, 0.4, 0.15), (GONE, 5), 1.4)))
    plan.at(worker_kill, lambda: worker_kills.append(
        kill_worker(lab, web, (1.4, 0.9, 0.6, 0.3, 0.1))))
    for at in lab.pick((15, 38, 75, 95, 140), (3,)):
        plan.at(at, crowd, lab)
    plan.at(lab.pick(92, 14), lab.rotate, web, "access.log")
    rounds = Rounds(LB, TILLS, 2.0, [("POST", "/orders/new"), ("POST", "/orders/{n}/payment")],
                    RACE, None)
    plan.at(lab.pick(62, 0.5), run_rounds, lab, rounds, lambda: web.workers()[0],
            lab.pick(["stall", "calm", "pause", "calm"] * 4, ["stall", "pause"]))
    plan.run(seconds)
    settle(lab, "orders-app", rounds, lambda sent: False)
    received = received_tokens(lab, "shop-app")

    def explain(sent):
        if any(sent.start_us <= at <= sent.end_us <= at + 300_000 for at in worker_kills):
            return WORKER
        return explain_by_outage(sent, outages, received, CRASH, GONE)
    return explain


def crowd(lab):
    """One slow report, and three more that wait behind it until HAProxy gives up on them.

    A fourth comes late and waits a little only: queueing that failed nobody."""
    occupant = Fault("report", "", None, None, (200,), "slow=3500")
    late = Fault("report", "", None, None, (200,), "slow=200")
    steps = [(0.0, occupant), (0.3, QUEUED), (0.5, QUEUED), (0.9, QUEUED), (2.95, late)]
    threads = []
    for i, (wait, fault) in enumerate(steps):
        threads.append(threading.Timer(wait, plain_or_fault, (lab, fault, REPORTS[i % 3])))
        threads[-1].start()
    for thread in threads:
        thread.join()


def plain_or_fault(lab, fault, path):
    """Sends a report request; the slow ones carry a directive but are no fault of the truth."""
    sent = fault_request(lab, LB, lab.random.choice(CLIENTS), fault, path=path)
    if not fault.cause:
        sent.fault = None


def kill_worker(lab, web, ages):
    """Kills the nginx worker while requests of different ages are in flight; the master starts
    another at once. Returns the time of it, in microseconds."""
    threads = []
    for i, age in enumerate(ages):
        args = (lab, LB, lab.random.choice(CLIENTS), WORKER, WORKER.methods[i % 2],
                WORKER.paths[i % 2])
        threads.append(threading.Timer(max(ages) - age, fault_request, args))
        threads[-1].start()
    time.sleep(max(ages))
    victim = web.workers()[0]
    at = now_us()
    os.kill(victim, signal.SIGKILL)
    for thread in threads:
        thread.join(10)
    return at
