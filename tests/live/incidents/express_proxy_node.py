"""# Express with http-proxy-middleware in front of Node

A gateway that somebody wrote: Express, http-proxy-middleware with a keep-alive agent, and an error
handler that answers **502 whatever happened**, also when the application was too slow.

```
clients 127.19.100.x -> express 127.19.10.1:8080
                          -> shop     127.19.30.1:3000  the shop application, Node
                          -> orders   127.19.30.2:3001  Node, closes idle connections after 2 s
                          -> invoices 127.19.60.1:9000  nothing listens
```

`access.log` is morgan's (combined, with the response time and the request's id), written when the
answer has ended, `app.log` is winston's JSON with the error's code of each request that failed.
The gateway gives each request an id, `X-Request-Id`, which the applications log.

The middleware's timeout (`proxyTimeout`, 3 s) and a connection that the application closed end in the
same words, `ECONNRESET socket hang up`: only the elapsed time tells them apart. A lost race ends so
as well, in no time; `reusedSocket` says that the connection was an old one. Node repeats nothing, so
GETs lose races as well as POSTs. The applications do not say for how long they keep an idle connection (no
`Keep-Alive` header), which Node would obey. The shop is killed once while it is busy.

Alternatives: a lost race is `fin_before_request` or `rst_on_reuse`. Node says `socket hang up` of FIN
and `read ECONNRESET` of RST. While the shop is down, naming the crash behind it is right too. A process that was
killed may be called `worker_crash` or `backend_restart`; what was sent in that very instant may have been refused.
"""

import re
from calendar import timegm
from time import strptime

from lab import Rejected
from outage import explain_by_outage, kill_while_busy, received_tokens
from proof import errors_agree, expected
from race import Rounds, run_rounds, settle
from servers import express
from traffic import SHOP as PATHS, Plan, background, schedule
from truth import Fault

EDGE, SHOP, ORDERS = ("127.19.10.1", 8080), ("127.19.30.1", 3000), ("127.19.30.2", 3001)
CLIENTS = [f"127.19.100.{i}" for i in range(1, 9)]
TILLS = [f"127.19.101.{i}" for i in range(1, 5)]
EXPRESS = "edge-express"
DOWN_SECONDS = 1.4
# Only the tills use the orders service: who else met its idle timer would have no proof of it.
SHOP_ONLY = tuple(row for row in PATHS if not row[2].startswith("/orders"))
LINE = re.compile(r'\S+ - \S+ \[([^]]+) \+0000\] "(\S+) (\S+) [^"]+" (\d+|-) ')

FAULTS = (
    Fault("slow_header", "proxy_timeout", "response_header_timeout", EXPRESS, (502,),
          "slow=3300-5200", ("GET", "POST"), ("/search?q=everything", "/checkout"), 8,
          small=3, story="the application answered after 3.3 to 5.2 s, the middleware waits 3 s"),
    Fault("refused", "dropped_connection", "refused", EXPRESS, (502,), None,
          ("GET",), ("/invoices/2026-10", "/invoices/2026-11"), 8,
          story="nothing listened on the port"),
    Fault("fin", "dropped_connection", "premature_close", EXPRESS, (502,), "fin=100-400",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          story="the application closed the connection after 100 to 400 ms, before any byte"),
    Fault("rst", "dropped_connection", "reset_before_response", EXPRESS, (502,), "rst=60-350",
          ("POST", "GET"), ("/checkout", "/api/vouchers"), 8,
          story="the application reset the connection after 60 to 350 ms, before any byte"),
    Fault("partial_header", "dropped_connection", "premature_close", EXPRESS, (502,),
          "partial=40-300", ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 6,
          story="the application closed in the middle of the response header"),
    Fault("garbage", "invalid_response", "malformed_header", EXPRESS, (502,), "garbage=40",
          ("GET", "POST"), ("/api/delivery-dates", "/checkout"), 6,
          story="the application sent something that is not HTTP"),
    Fault("header_too_big", "invalid_response", "header_too_big", EXPRESS, (502,), "bighdr=20000",
          ("GET", "POST"), ("/account/settings", "/login"), 6,
          story="a cookie of 20 kB; Node takes 16 kB of header"),
    Fault("own_502", "upstream_502", None, "shop-app", (502,), "status=502",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          story="the application answered 502 itself"),
    Fault("own_504", "upstream_502", None, "shop-app", (504,), "status=504",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 6,
          story="the application answered 504 itself"),
    Fault("cut_body", "dropped_connection", "reset_mid_response", EXPRESS, (200,), "cut=80",
          ("GET",), ("/exports/all",), 4, story="closed in the middle of the body"),
)
CRASH = Fault("killed", "dropped_connection", "worker_crash", EXPRESS, (502,), "slow=2600",
              ("POST", "GET"), ("/checkout", "/search?q=oak"),
              alternatives=("backend_restart", "refused"),
              story="in flight when the application was killed")
GONE = Fault("gone", "dropped_connection", "refused", EXPRESS, (502,), None, ("GET", "POST"),
             ("/", "/basket/items"), alternatives=("worker_crash", "backend_restart"),
             story="sent while the killed application was down")
RACE = Fault("race", "keep_alive_race", "fin_before_request", EXPRESS, (502,),
             alternatives=("rst_on_reuse",),
             story="sent on a connection that the application was closing as idle")


def run(lab):
    """Runs the incident; returns the explanation of unplanned failures for the truth."""
    node = {"idHeader": "x-request-id", "noHint": True}
    lab.node_app("orders-app", {"hostname": "orders-1", "host": ORDERS[0], "port": ORDERS[1],
                                "keepAliveTimeout": 1000, **node})
    # The shop keeps its connections for long: only the tills shall meet a close.
    shop = lab.node_app("shop-app", {"hostname": "shop-1", "host": SHOP[0], "port": SHOP[1],
                                     "keepAliveTimeout": 120000, **node})
    edge = express(lab, EXPRESS, {
        "host": EDGE[0], "port": EDGE[1], "proxyTimeout": 3000,
        "routes": {"/orders": "http://127.19.30.2:3001", "/invoices": "http://127.19.60.1:9000",
                   "/": "http://127.19.30.1:3000"}})
    plan, outages = Plan(lab), []
    seconds, kills = lab.pick(120, 17), lab.pick((58.0,), (10.0,))
    background(lab, plan, EDGE, CLIENTS, seconds, lab.pick(8, 10), SHOP_ONLY, abort_share=0.006)
    schedule(lab, plan, EDGE, CLIENTS, FAULTS, lab.pick((3, 110), (0.5, 5.5)),
             [(kill - 7, kill + 5) for kill in lab.pick(kills, ())])
    for kill in kills:
        plan.at(kill, lambda: outages.append(kill_while_busy(
            lab, shop, EDGE, CLIENTS, CRASH, (1.6, 1.1, 0.7, 0.4, 0.15), (GONE, 5), DOWN_SECONDS)))
    rounds = Rounds(EDGE, TILLS, 2.0, [("POST", "/orders/new"), ("POST", "/orders/{n}/payment"),
                                       ("GET", "/orders/{n}"), ("POST", "/orders/new")],
                    RACE, None)
    plan.at(0.5, run_rounds, lab, rounds, lambda: edge.pid,
            lab.pick(["stall", "calm", "pause", "calm"] * 6, ["stall", "pause"] * 2))
    plan.run(seconds)
    settle(lab, "orders-app", rounds, lambda sent: False)
    received = received_tokens(lab, "shop-app")
    return lambda sent: explain_by_outage(sent, outages, received, CRASH, GONE)


def check(lab, rows):
    """Every failure of the truth is one line of morgan's log, and the other way round."""
    logged = []
    for line in lab.log_lines(EXPRESS, "access.log"):
        match = LINE.match(line)
        if not match:
            raise Rejected(f"morgan's line has another shape: {line}")
        status = 0 if match.group(4) == "-" else int(match.group(4))
        if status >= 500:
            moment = timegm(strptime(match.group(1), "%d/%b/%Y:%H:%M:%S"))
            logged.append((match.group(2), match.group(3), status, moment * 1_000_000))
    errors_agree(expected(rows), logged)
    lab.rotate_at_end(EXPRESS, "access.log", "app.log")
    for hop in ("shop-app", "orders-app"):
        lab.rotate_at_end(hop, "app.log")
