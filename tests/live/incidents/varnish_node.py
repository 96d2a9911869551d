"""# nginx in front of Varnish in front of Node

A shop whose pages Varnish caches. nginx (`edge-nginx`) ends the clients' connections and passes all
to Varnish (`cache-varnish`), which fetches from the shop application, from a small orders service,
and from a few services that are in a bad way.

```
clients 127.17.100.x -> nginx 127.17.10.1:8080 -> varnish 127.17.20.1:6081
                                  -> shop    127.17.30.1:3000  the shop application, Node
                                  -> orders  127.17.30.2:3001  Node, closes idle connections after 2 s
                                  -> reports 127.17.30.1:3000  the shop again, one connection at most
                                  -> recommend 127.17.40.1:9200 full accept queue
                                  -> invoices  127.17.60.1:9000 nothing listens
                                  -> legacy    127.17.60.2:9000 nothing listens, and a probe knows it
```

Whatever a fetch fails of, Varnish answers 503, and nginx passes it on: the reason is in the
`FetchError` of the fetch, which the backend side of varnishncsa (`backend.log`) and varnishlog
(`fetch-errors.log`, failed requests only) show. The applications and nginx share an id
(`X-Request-ID`, `rid=`). Varnish's clock and all others are right; varnishncsa writes whole seconds.

Pages below `/products` are cached for 5 s. The orders service closes idle connections after two
seconds, Varnish keeps them for a minute: a GET that meets the close is fetched again on a new
connection, a POST ends in 503. The application is killed once while it is busy.

Alternatives: a lost race is `fin_before_request` or `rst_on_reuse`, and Varnish says `HTC eof` of
both as of FIN, RST, half a header and something that is not HTTP, so `premature_close` and
`reset_before_response` are both right for those. After a failed connect Varnish does not try again for 10 s or 250 ms and says so with the error of
the first time: `refused`, and `no_live_upstream` is right too.
"""

from outage import explain_by_outage, kept_down, kill_while_busy, received_tokens
from peers import deaf_peer
from proof import errors_agree, expected, logged_by_nginx
from race import Rounds, run_rounds, settle
from servers import varnish
from traffic import Plan, background, fault_request, schedule
from truth import Fault

EDGE, CACHE = ("127.17.10.1", 8080), ("127.17.20.1", 6081)
SHOP, ORDERS, RECOMMEND = ("127.17.30.1", 3000), ("127.17.30.2", 3001), ("127.17.40.1", 9200)
CLIENTS = [f"127.17.100.{i}" for i in range(1, 9)]
TILLS = [f"127.17.101.{i}" for i in range(1, 5)]
NGINX, VARNISH = "edge-nginx", "cache-varnish"
DOWN_SECONDS = 1.4
# So long Varnish does not try a backend again that refused (`backend_remote_error_holddown`).
HOLD_DOWN_US = 300_000

CONF = """user nobody nogroup;
worker_processes 1;
pid logs/nginx.pid;
error_log logs/error.log error;

events { worker_connections 1024; }

http {
    log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                    '"$http_referer" "$http_user_agent" rt=$request_time '
                    'uct="$upstream_connect_time" uht="$upstream_header_time" '
                    'urt="$upstream_response_time" us="$upstream_status" ua="$upstream_addr" '
                    'rid=$request_id';
    access_log logs/access.log main;

    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;

    upstream cache { server 127.17.20.1:6081; keepalive 32; }

    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Request-ID $request_id;
    proxy_connect_timeout 2s;
    proxy_read_timeout 10s;
    proxy_bind 127.17.10.1;

    server {
        listen 127.17.10.1:8080;
        server_name shop.example.com;
        add_header X-Request-ID $request_id always;

        location / { proxy_pass http://cache; }
    }
}
"""

VCL = """vcl 4.1;

backend shop {
    .host = "127.17.30.1";
    .port = "3000";
    .connect_timeout = 2s;
    .first_byte_timeout = 3s;
    .between_bytes_timeout = 2s;
}

backend orders {
    .host = "127.17.30.2";
    .port = "3001";
    .connect_timeout = 2s;
    .first_byte_timeout = 3s;
}

backend reports {
    .host = "127.17.30.1";
    .port = "3000";
    .connect_timeout = 2s;
    .first_byte_timeout = 8s;
    .max_connections = 1;
}

backend recommend {
    .host = "127.17.40.1";
    .port = "9200";
    .connect_timeout = 2s;
}

backend invoices {
    .host = "127.17.60.1";
    .port = "9000";
    .connect_timeout = 2s;
}

backend legacy {
    .host = "127.17.60.2";
    .port = "9000";
    .probe = { .url = "/health"; .interval = 5s; .timeout = 1s; .window = 3; .threshold = 2; .initial = 0; }
}

sub vcl_recv {
    if (req.url ~ "^/orders/") {
        set req.backend_hint = orders;
    } elsif (req.url ~ "^/reports/") {
        set req.backend_hint = reports;
    } elsif (req.url ~ "^/recommendations/") {
        set req.backend_hint = recommend;
    } elsif (req.url ~ "^/invoices/") {
        set req.backend_hint = invoices;
    } elsif (req.url ~ "^/legacy/") {
        set req.backend_hint = legacy;
    } else {
        set req.backend_hint = shop;
    }
    if (req.method == "GET" && req.url ~ "^/products/[0-9]") {
        return (hash);
    }
    return (pass);
}

sub vcl_backend_response {
    set beresp.ttl = 5s;
    set beresp.grace = 0s;
}
"""

FAULTS = (
    Fault("slow_header", "proxy_timeout", "response_header_timeout", VARNISH, (503,),
          "slow=3300-5200", ("GET", "POST"), ("/search?q=everything", "/checkout"), 8,
          story="the application answered after 3.3 to 5.2 s, Varnish waits 3 s for the first byte"),
    Fault("connect_timeout", "proxy_timeout", "connect_timeout", VARNISH, (503,), None,
          ("GET",), ("/recommendations/for-you", "/recommendations/similar"), 6,
          alternatives=("listen_backlog",),
          story="the accept queue was full, SYNs went unanswered; Varnish waits 2 s"),
    Fault("refused", "dropped_connection", "refused", VARNISH, (503,), None, ("GET", "POST"),
          ("/invoices/2026-10", "/invoices/2026-11"), 8, alternatives=("no_live_upstream",),
          story="nothing listened on the port"),
    Fault("sick", "dropped_connection", "no_live_upstream", VARNISH, (503,), None,
          ("GET",), ("/legacy/price-list",), 6,
          story="the backend's probe had failed before, Varnish did not try"),
    Fault("fin", "dropped_connection", "premature_close", VARNISH, (503,), "fin=100-400",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          alternatives=("reset_before_response",),
          story="the application closed the connection after 100 to 400 ms, before any byte"),
    Fault("rst", "dropped_connection", "reset_before_response", VARNISH, (503,), "rst=60-350",
          ("POST", "GET"), ("/checkout", "/api/vouchers"), 8, alternatives=("premature_close",),
          story="the application reset the connection after 60 to 350 ms, before any byte"),
    Fault("partial_header", "dropped_connection", "premature_close", VARNISH, (503,),
          "partial=40-300", ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 6,
          alternatives=("reset_before_response",),
          story="the application closed in the middle of the response header"),
    Fault("garbage", "invalid_response", "malformed_header", VARNISH, (503,), "garbage=40",
          ("GET", "POST"), ("/api/delivery-dates", "/checkout"), 6,
          alternatives=("premature_close", "reset_before_response"),
          story="the application sent something that is not HTTP"),
    Fault("header_too_big", "invalid_response", "header_too_big", VARNISH, (503,), "bighdr=40000",
          ("GET", "POST"), ("/account/settings", "/login"), 6,
          story="a cookie of 40 kB; Varnish takes 32 kB of header"),
    Fault("own_502", "upstream_502", None, "shop-app", (502,), "status=502",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          story="the application answered 502 itself"),
    Fault("own_503", "upstream_502", None, "shop-app", (503,), "status=503",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 6,
          story="the application answered 503 itself"),
    Fault("cut_body", "dropped_connection", "reset_mid_response", VARNISH, (200,), "cut=80",
          ("GET",), ("/exports/all",), 4, story="closed in the middle of the body"),
)
BUSY = Fault("queue_full", "queueing_delay", "proxy_queue_overflow", VARNISH, (503,), None, ("GET",),
             ("/reports/stock", "/reports/returns"),
             story="sent while the one connection that Varnish may open for reports was taken")
HOLDING = Fault("holding", "", None, None, (200,), "slow=1500", ("GET",), ("/reports/monthly",))
CRASH = Fault("killed", "dropped_connection", "worker_crash", VARNISH, (503,), "slow=2600",
              ("POST", "GET"), ("/checkout", "/search?q=oak"),
              alternatives=("backend_restart", "refused", "no_live_upstream"),
              story="in flight when the application was killed")
GONE = Fault("gone", "dropped_connection", "refused", VARNISH, (503,), None, ("GET", "POST"),
             ("/", "/basket/items"),
             alternatives=("worker_crash", "backend_restart", "no_live_upstream"),
             story="sent while the killed application was down")
RACE = Fault("race", "keep_alive_race", "fin_before_request", VARNISH, (503,),
             alternatives=("rst_on_reuse",),
             story="sent on a connection that the application was closing as idle")


def run(lab):
    """Runs the incident; returns the explanation of unplanned failures for the truth."""
    node = {"idHeader": "x-request-id"}
    lab.node_app("orders-app", {"hostname": "orders-1", "host": ORDERS[0], "port": ORDERS[1],
                                "keepAliveTimeout": 1000, **node})
    shop = lab.node_app("shop-app", {"hostname": "shop-1", "host": SHOP[0], "port": SHOP[1], **node})
    deaf_peer(lab, RECOMMEND)
    cache = varnish(lab, VARNISH, VCL, CACHE)
    lab.nginx(NGINX, CONF, [EDGE])
    plan, outages = Plan(lab), []
    seconds, kills = lab.pick(120, 17), lab.pick((58.0,), (10.0,))
    background(lab, plan, EDGE, CLIENTS, seconds, lab.pick(8, 10), abort_share=0.006)
    schedule(lab, plan, EDGE, CLIENTS, FAULTS, lab.pick((3, 110), (0.5, 5.5)),
             [(kill - 7, kill + 5) for kill in lab.pick(kills, ())])
    for moment in lab.pick((12, 31, 44, 75, 90, 104), (1.5,)):
        plan.at(moment, take_the_connection, lab)
    for kill in kills:
        plan.at(kill, lambda: outages.append(kept_down(kill_while_busy(
            lab, shop, EDGE, CLIENTS, CRASH, (1.6, 1.1, 0.7, 0.4, 0.15), (GONE, 5), DOWN_SECONDS),
            HOLD_DOWN_US)))
    rounds = Rounds(EDGE, TILLS, 2.0, [("POST", "/orders/new"), ("POST", "/orders/{n}/payment"),
                                       ("GET", "/orders/{n}"), ("POST", "/orders/new")],
                    RACE, None)
    plan.at(0.5, run_rounds, lab, rounds, lambda: cache.workers()[0],
            lab.pick(["stall", "calm", "pause", "calm"] * 6, ["stall", "pause"] * 2))
    plan.run(seconds)
    settle(lab, "orders-app", rounds, lambda sent: False, status=503)
    for sent in lab.sent:
        if sent.fault is HOLDING:
            sent.fault = None
    received = received_tokens(lab, "shop-app")
    return lambda sent: explain_by_outage(sent, outages, received, CRASH, GONE)


def take_the_connection(lab):
    """One report takes the only connection; two more come meanwhile and find none."""
    plan = Plan(lab)
    plan.at(0.0, fault_request, lab, EDGE, CLIENTS[0], HOLDING)
    for i, path in enumerate(BUSY.paths):
        plan.at(0.5 + 0.3 * i, fault_request, lab, EDGE, CLIENTS[i + 1], BUSY, "GET", path)
    plan.run(1.0)


def check(lab, rows):
    """Every failure of the truth is one line of nginx's access log, and the other way round."""
    errors_agree(expected(rows), logged_by_nginx(lab.log_lines(NGINX, "access.log")))
    lab.rotate_at_end(NGINX, "access.log")
    for hop in ("shop-app", "orders-app"):
        lab.rotate_at_end(hop, "app.log")
    lab.rotate_at_end(VARNISH, "access.log", "backend.log", "fetch-errors.log")
