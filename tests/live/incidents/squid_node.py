"""# Squid as an accelerator in front of Node

An older shop: Squid stands before the application as a reverse proxy.

```
clients 127.18.100.x -> squid 127.18.10.1:3128
                          -> shop     127.18.30.1:3000  the shop application, Node
                          -> orders   127.18.30.2:3001  Node, closes idle connections after 2 s
                          -> recommend 127.18.40.1:9200 full accept queue
                          -> partner  127.18.50.1:8443  TLS endpoint that never answers
                          -> invoices 127.18.60.1:9000  a service that ended after Squid had started
                          -> legacy   127.18.60.2:9000  nothing ever listened
```

Squid logs its own format with the error's code and the client's `X-Request-ID` behind it; `cache.log`
is local time, and its host lives in Europe/Berlin. Half of the clients (even addresses) name their
requests, the others do not, and the application then makes up an id that no other log knows. Squid
connects from 127.0.0.1.

Squid gives up a connect after 2 s and waits 3 s for an answer; it looks at its timers now and then
only, so that they run out up to a second late. A GET that meets the close of an idle connection is
sent again; a POST is not. The shop is killed once while it is busy, and is gone for more than a second.

What is not HTTP at all, or half a header, Squid takes for the body of an answer in the manner of HTTP/0.9
and passes it on with 200, so nobody can see that.

Squid probes its peers when it starts: `legacy` counts as dead from then on, and is not tried (502,
`HIER_NONE`, and the same `ERR_READ_ERROR` as a reset). Query strings are not logged, which is Squid's default.

Alternatives: a lost race is `fin_before_request` or `rst_on_reuse`. Squid says `ERR_READ_ERROR` of a
reset, `ERR_ZERO_SIZE_OBJECT` of a close without a byte. After some refused connects a peer counts as
dead and is not tried: `no_live_upstream` is right as well as `refused`. While the shop is down, naming
the crash behind it is right too.
"""

import socket
import uuid

from lab import Rejected
from outage import explain_by_outage, kept_down, kill_while_busy, received_tokens
from peers import deaf_peer, silent_peer
from proof import errors_agree, expected
from race import Rounds, run_rounds, settle
from servers import squid
from traffic import Plan, background, schedule
from truth import Fault

EDGE, SHOP, ORDERS = ("127.18.10.1", 3128), ("127.18.30.1", 3000), ("127.18.30.2", 3001)
RECOMMEND, PARTNER = ("127.18.40.1", 9200), ("127.18.50.1", 8443)
INVOICES = ("127.18.60.1", 9000)
CLIENTS = [f"127.18.100.{i}" for i in range(1, 9)]
TILLS = [f"127.18.101.{i}" for i in range(1, 5)]
SQUID = "edge-squid"
DOWN_SECONDS = 1.4
# A peer that is taken for dead is probed again after some seconds.
HOLD_DOWN_US = 12_000_000

CONF = """http_port 127.18.10.1:3128 accel defaultsite=shop.example.com no-vhost
visible_hostname edge1
via off
forwarded_for on
cache deny all
cache_mem 8 MB
pid_filename none
coredump_dir none
shutdown_lifetime 1 second

logformat accel %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt %err_code/%err_detail rid=%{X-Request-ID}>h
access_log stdio:logs/access.log accel
cache_log logs/cache.log
cache_store_log none
netdb_filename none

connect_timeout 2 seconds
peer_connect_timeout 2 seconds
read_timeout 3 seconds
server_idle_pconn_timeout 60 seconds
forward_timeout 8 seconds

cache_peer 127.18.30.1 parent 3000 0 no-query no-digest originserver name=shop
cache_peer 127.18.30.2 parent 3001 0 no-query no-digest originserver name=orders
cache_peer 127.18.40.1 parent 9200 0 no-query no-digest originserver name=recommend
cache_peer 127.18.50.1 parent 8443 0 no-query no-digest originserver name=partner tls sslflags=DONT_VERIFY_PEER
cache_peer 127.18.60.1 parent 9000 0 no-query no-digest originserver name=invoices
cache_peer 127.18.60.2 parent 9000 0 no-query no-digest originserver name=legacy

acl legacy urlpath_regex ^/legacy/
acl orders urlpath_regex ^/orders/
acl recommend urlpath_regex ^/recommendations/
acl partner urlpath_regex ^/partner/
acl invoices urlpath_regex ^/invoices/
cache_peer_access orders allow orders
cache_peer_access recommend allow recommend
cache_peer_access partner allow partner
cache_peer_access invoices allow invoices
cache_peer_access legacy allow legacy
cache_peer_access shop deny legacy
cache_peer_access shop deny orders
cache_peer_access shop deny recommend
cache_peer_access shop deny partner
cache_peer_access shop deny invoices
cache_peer_access shop allow all
never_direct allow all
http_access allow all
"""

FAULTS = (
    Fault("slow_header", "proxy_timeout", "response_header_timeout", SQUID, (504,),
          "slow=4500-6500", ("GET", "POST"), ("/search?q=everything", "/checkout"), 8,
          story="the application answered after 4.5 to 6.5 s, Squid waits 3 s"),
    Fault("connect_timeout", "proxy_timeout", "connect_timeout", SQUID, (503,), None,
          ("GET",), ("/recommendations/for-you", "/recommendations/similar"), 6,
          alternatives=("listen_backlog",),
          story="the accept queue was full, SYNs went unanswered; Squid waits 2 s"),
    Fault("tls_timeout", "proxy_timeout", "tls_handshake_timeout", SQUID, (503, 504), None,
          ("POST", "GET"), ("/partner/price", "/partner/stock"), 6,
          story="the TLS endpoint accepted and never answered the ClientHello"),
    Fault("refused", "dropped_connection", "refused", SQUID, (503,), None,
          ("GET",), ("/invoices/2026-10", "/invoices/2026-11"), 8,
          story="nothing listened on the port any more"),
    Fault("dead_peer", "dropped_connection", "no_live_upstream", SQUID, (502,), None,
          ("GET", "POST"), ("/legacy/price-list", "/legacy/search"), 6,
          story="Squid took the peer for dead and did not try"),
    Fault("fin", "dropped_connection", "premature_close", SQUID, (502,), "fin=100-400",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          story="the application closed the connection after 100 to 400 ms, before any byte"),
    Fault("rst", "dropped_connection", "reset_before_response", SQUID, (502,), "rst=60-350",
          ("POST", "GET"), ("/checkout", "/api/vouchers"), 8,
          story="the application reset the connection after 60 to 350 ms, before any byte"),
    Fault("header_too_big", "invalid_response", "header_too_big", SQUID, (502,), "bighdr=70000",
          ("GET", "POST"), ("/account/settings", "/login"), 6,
          story="a cookie of 70 kB; Squid takes 64 kB of header"),
    Fault("own_502", "upstream_502", None, "shop-app", (502,), "status=502",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          story="the application answered 502 itself"),
    Fault("own_503", "upstream_502", None, "shop-app", (503,), "status=503",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 6,
          story="the application answered 503 itself"),
    Fault("cut_body", "dropped_connection", "reset_mid_response", SQUID, (200,), "cut=80",
          ("GET",), ("/exports/all",), 4, story="closed in the middle of the body"),
)
CRASH = Fault("killed", "dropped_connection", "worker_crash", SQUID, (502, 503), "slow=2600",
              ("POST", "GET"), ("/checkout", "/search?q=oak"),
              alternatives=("backend_restart", "refused", "no_live_upstream"),
              story="in flight when the application was killed")
GONE = Fault("gone", "dropped_connection", "refused", SQUID, (503, 502), None, ("GET", "POST"),
             ("/", "/basket/items"),
             alternatives=("worker_crash", "backend_restart", "no_live_upstream"),
             story="sent while the killed application was down")
RACE = Fault("race", "keep_alive_race", "fin_before_request", SQUID, (502,),
             alternatives=("rst_on_reuse",),
             story="sent on a connection that the application was closing as idle")


def run(lab):
    """Runs the incident; returns the explanation of unplanned failures for the truth."""
    lab.client_headers = some_ids
    node = {"idHeader": "x-request-id", "idFallback": "uuid"}
    lab.node_app("orders-app", {"hostname": "orders-1", "host": ORDERS[0], "port": ORDERS[1],
                                "keepAliveTimeout": 1000, **node})
    shop = lab.node_app("shop-app", {"hostname": "shop-1", "host": SHOP[0], "port": SHOP[1], **node})
    fill = deaf_peer(lab, RECOMMEND, at_once=False)
    silent_peer(lab, PARTNER)
    with socket.create_server(INVOICES):
        edge = squid(lab, SQUID, CONF, EDGE, tz="Europe/Berlin")
    fill()  # Squid has seen them alive.
    plan, outages = Plan(lab), []
    seconds, kills = lab.pick(120, 17), lab.pick((58.0,), (10.0,))
    background(lab, plan, EDGE, CLIENTS, seconds, lab.pick(8, 10), abort_share=0.006)
    schedule(lab, plan, EDGE, CLIENTS, FAULTS, lab.pick((3, 110), (0.5, 5.0)),
             [(kill - 8, kill + 5) for kill in lab.pick(kills, ())])
    for kill in kills:
        plan.at(kill, lambda: outages.append(kept_down(kill_while_busy(
            lab, shop, EDGE, CLIENTS, CRASH, (1.6, 1.1, 0.7, 0.4, 0.15), (GONE, 5), DOWN_SECONDS),
            HOLD_DOWN_US)))
    rounds = Rounds(EDGE, TILLS, 2.0, [("POST", "/orders/new"), ("POST", "/orders/{n}/payment"),
                                       ("GET", "/orders/{n}"), ("POST", "/orders/new")],
                    RACE, None)
    plan.at(0.5, run_rounds, lab, rounds, lambda: edge.pid,
            lab.pick(["stall", "calm", "pause", "calm"] * 6, ["stall", "pause"] * 2))
    plan.run(seconds)
    # A race that Squid's second attempt hid leaves no trace, and is not in the truth.
    settle(lab, "orders-app", rounds, lambda sent: False)
    received = received_tokens(lab, "shop-app")
    return lambda sent: explain_by_outage(sent, outages, received, CRASH, GONE)


def some_ids(source, token):
    """Clients with an even address name their requests."""
    if int(source.rsplit(".", 1)[1]) % 2:
        return {}
    return {"X-Request-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source}/{token}"))}


def check(lab, rows):
    """Every failure of the truth is one line of Squid's log, and the other way round."""
    logged = []
    for line in lab.log_lines(SQUID, "access.log"):
        words = line.split()
        if len(words) < 12:
            raise Rejected(f"Squid's line has another shape: {line}")
        status, path = int(words[3].split("/")[1]), "/" + words[6].split("/", 3)[3].rstrip("?")
        if status >= 500 and "_ABORTED" not in words[3]:
            logged.append((words[5], path, status, int(float(words[0]) * 1e6)))
    errors_agree([(method, path.split("?")[0], status, end) for method, path, status, end
                  in expected(rows)], logged)
    lab.rotate_at_end(SQUID, "access.log")
    for hop in ("shop-app", "orders-app"):
        lab.rotate_at_end(hop, "app.log")
