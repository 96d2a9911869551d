"""# nginx, Edge Microgateway, Node

An API behind nginx and Edge Microgateway's engine. The orders service closes idle connections after
two seconds without having said so, and the gateway keeps them open for ever; the gateway itself is
killed twice under load.

```
clients 127.14.100.x  ->  edge-nginx 127.14.10.1:8080  ->  gateway 127.14.20.1:8000
                                    gateway  ->  api-app 127.14.30.1:3000     (keep-alive)
                                             ->  orders-app 127.14.30.2:3001  (keep-alive, idle 2 s)
                                             ->  127.14.40.1:9200  recommendations, full accept queue
                                             ->  127.14.50.1:8443  partner, TLS, silent
                                             ->  127.14.50.2:8444  stock, plain HTTP on a TLS port
                                             ->  127.14.60.1:9000  invoices, nothing listens
```

nginx's `$request_id` is passed on as `X-Request-ID`; the gateway hands it to the applications but
**does not log it**. Its own log has a correlation id that no other log has: it can be joined by
method, path, time and addresses only. Each start of the gateway opened a log file of its own. The
gateway connects from 127.0.0.1, having no setting for another address.

What is hard about it: the gateway answers 502 to everything but its own timer, GET or POST alike,
and repeats nothing. `socket hang up` with `ECONNRESET` stands for a target that closed after a while,
for its own timeout (a line with 504 follows), and for a used connection that was closed. A target's
own 502 is no error to it, and only its `targetResponse` line has the number. nginx's log shows the
same upstream status 502 for all of them.

The clients of the orders service are tills in bursts; the service's event loop is sometimes busy for
some 200 ms, and the gateway's host at times stands still for 30 ms. Both are ordinary. That a
request lost the race is known because the application never received it and closed that many idle
connections just then.

Alternatives: a lost race is `fin_before_request` or `rst_on_reuse`, which are not told apart from
outside. While the gateway is down requests are `refused`, and naming the crash behind it is right as
well; one in flight on a used connection was tried again by nginx and refused. The gateway logs a
connection that was never accepted, a TLS handshake that was never answered and a response that never
came in the same words (`Gateway timed out trying to reach target`): any timeout's subtype is right
there, and `listen_backlog` as well for a full accept queue. TLS spoken to a plain HTTP port is
`tls_rejected`; `protocol_mismatch` says the same.
"""

from outage import explain_by_outage, kill_while_busy
from peers import deaf_peer, raw_peer, silent_peer
from proof import errors_agree, expected, logged_by_nginx
from race import Rounds, run_rounds, settle
from servers import microgateway
from traffic import SHOP, Plan, background, schedule
from truth import Fault

EDGE, GATE = ("127.14.10.1", 8080), ("127.14.20.1", 8000)
API, ORDERS = ("127.14.30.1", 3000), ("127.14.30.2", 3001)
RECOMMEND, PARTNER, STOCK = ("127.14.40.1", 9200), ("127.14.50.1", 8443), ("127.14.50.2", 8444)
CLIENTS = [f"127.14.100.{i}" for i in range(1, 9)]
TILLS = [f"127.14.101.{i}" for i in range(1, 5)]
NGINX, GATEWAY = "edge-nginx", "gateway"
DOWN_SECONDS = 1.6

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

    upstream gateway { server 127.14.20.1:8000; keepalive 32; }

    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Request-ID $request_id;
    proxy_connect_timeout 2s;
    proxy_read_timeout 10s;
    proxy_bind 127.14.10.1;

    server {
        listen 127.14.10.1:8080;
        server_name api.example.com;
        add_header X-Request-ID $request_id always;

        location / { proxy_pass http://gateway; }
        location /reports/ { proxy_pass http://gateway; proxy_read_timeout 2s; }
    }
}
"""

GATEWAY_CONF = """edgemicro:
  address: 127.14.20.1
  port: 8000
  max_connections: 1000
  request_timeout: 3
  keep_alive_timeout: 75000
  logging:
    level: info
    dir: logs
    stats_log_interval: 20
    rotate_interval: 24
  plugins:
    sequence: []
headers:
  x-forwarded-for: true
  x-forwarded-host: true
  x-request-id: true
  x-response-time: true
  via: true
proxies:
  - name: edgemicro_api
    base_path: /
    url: http://127.14.30.1:3000/
  - name: edgemicro_orders
    base_path: /orders
    url: http://127.14.30.2:3001/orders
  - name: edgemicro_recommendations
    base_path: /recommendations
    url: http://127.14.40.1:9200/recommendations
  - name: edgemicro_partner
    base_path: /partner
    url: https://127.14.50.1:8443/partner
  - name: edgemicro_stock
    base_path: /stock
    url: https://127.14.50.2:8444/stock
  - name: edgemicro_invoices
    base_path: /invoices
    url: http://127.14.60.1:9000/invoices
"""

TIMERS = ("response_header_timeout", "connect_timeout", "tls_handshake_timeout", "total_timeout")
FAULTS = (
    Fault("slow_header", "proxy_timeout", "response_header_timeout", GATEWAY, (504,),
          "slow=3300-5200", ("GET", "POST"), ("/search?q=everything", "/checkout"), 8,
          alternatives=("total_timeout",),
          story="the application answered after 3.3 to 5.2 s; the gateway waits 3 s, nginx 10 s"),
    Fault("slow_at_nginx", "proxy_timeout", "response_header_timeout", NGINX, (504,),
          "slow=2300-2900", ("GET", "POST"), ("/reports/daily", "/reports/stock"), 6,
          story="the application answered after 2.3 to 2.9 s; nginx waits 2 s there, the gateway 3 s"),
    Fault("connect_timeout", "proxy_timeout", "connect_timeout", GATEWAY, (504,), None,
          ("GET",), ("/recommendations/for-you", "/recommendations/similar"), 6,
          alternatives=(*(one for one in TIMERS if one != "connect_timeout"), "listen_backlog"),
          story="the accept queue was full, SYNs went unanswered; the gateway waits 3 s"),
    Fault("tls_timeout", "proxy_timeout", "tls_handshake_timeout", GATEWAY, (504,), None,
          ("POST", "GET"), ("/partner/price", "/partner/stock"), 6,
          alternatives=tuple(one for one in TIMERS if one != "tls_handshake_timeout"),
          story="the TLS endpoint accepted and never answered the ClientHello; "
                "the gateway waited twice 3 s"),
    Fault("plain_port", "dropped_connection", "tls_rejected", GATEWAY, (502,), None,
          ("GET", "POST"), ("/stock/2210", "/stock/reserve"), 5,
          alternatives=("protocol_mismatch",),
          story="TLS was spoken to a port where plain HTTP is served"),
    Fault("refused", "dropped_connection", "refused", GATEWAY, (502,), None,
          ("GET",), ("/invoices/2026-10", "/invoices/2026-11"), 8,
          story="nothing listened on the port"),
    Fault("fin", "dropped_connection", "premature_close", GATEWAY, (502,), "fin=100-400",
          ("GET", "POST"), ("/checkout", "/api/delivery-dates"), 10,
          story="the application closed the connection after 100 to 400 ms, before any byte"),
    Fault("rst", "dropped_connection", "reset_before_response", GATEWAY, (502,), "rst=60-350",
          ("POST", "GET"), ("/checkout", "/api/vouchers"), 8,
          story="the application reset the connection after 60 to 350 ms, before any byte"),
    Fault("header_too_big", "invalid_response", "header_too_big", GATEWAY, (502,), "bighdr=20000",
          ("GET", "POST"), ("/account/settings", "/login"), 6,
          story="a cookie of 20 kB; the gateway takes 16 kB of header"),
    Fault("garbage", "invalid_response", "malformed_header", GATEWAY, (502,), "garbage=40",
          ("GET", "POST"), ("/api/delivery-dates", "/checkout"), 6,
          story="the application sent something that is not HTTP"),
    Fault("own_502", "upstream_502", None, "api-app", (502,), "status=502",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 10,
          story="the application answered 502 itself"),
)
CRASH = Fault("killed", "dropped_connection", "worker_crash", NGINX, (502,), "slow=2600",
              ("POST", "GET"), ("/checkout", "/search?q=oak"),
              alternatives=("backend_restart", "refused"),
              story="in flight when the gateway was killed")
GONE = Fault("gone", "dropped_connection", "refused", NGINX, (502,), None, ("GET", "POST"),
             ("/", "/basket/items"), alternatives=("worker_crash", "backend_restart"),
             story="sent while the killed gateway was down")
RACE = Fault("race", "keep_alive_race", "fin_before_request", GATEWAY, (502,),
             alternatives=("rst_on_reuse",),
             story="sent by the gateway on a connection that the application was closing as idle")

# Only the tills use the orders service: who else met its idle timer would have no proof of it.
BROWSING = tuple(row for row in SHOP if row[2] != "/orders")


def run(lab):
    """Runs the incident; returns the explanation of unplanned failures for the truth."""
    node = {"idHeader": "x-request-id", "noHint": True}
    lab.node_app("api-app", {"hostname": "api-1", "host": API[0], "port": API[1],
                             "keepAliveTimeout": 60000, **node})
    lab.node_app("orders-app", {"hostname": "orders-1", "host": ORDERS[0], "port": ORDERS[1],
                                "keepAliveTimeout": 1000, **node})
    deaf_peer(lab, RECOMMEND)
    silent_peer(lab, PARTNER)
    raw_peer(lab, STOCK, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    gate = microgateway(lab, GATEWAY, GATEWAY_CONF, [GATE])
    edge = lab.nginx(NGINX, CONF, [EDGE])
    plan, outages = Plan(lab), []
    seconds, kills = lab.pick(150, 18), lab.pick((52.0, 108.0), (11.0,))
    background(lab, plan, EDGE, CLIENTS, seconds, lab.pick(3.8, 10), BROWSING, abort_share=0.01)
    schedule(lab, plan, EDGE, CLIENTS, FAULTS, lab.pick((3, 138), (0.5, 3.5)),
             [(kill - 9, kill + 5) for kill in lab.pick(kills, ())])
    for kill in kills:
        plan.at(kill - 1.6, lambda: outages.append(kill_while_busy(
            lab, gate, EDGE, CLIENTS, CRASH, (1.6, 1.1, 0.7, 0.4, 0.15), (GONE, 5), DOWN_SECONDS)))
    plan.at(lab.pick(96, 14), lab.rotate, edge, "access.log")
    rounds = Rounds(EDGE, TILLS, 2.0, [("POST", "/orders/new"), ("GET", "/orders/{n}"),
                                       ("POST", "/orders/{n}/payment")], RACE, None)
    for begin, length in lab.pick(((2.0, 9), (60.0, 9)), ((0.5, 3),)):
        plan.at(begin, run_rounds, lab, rounds, lambda: gate.pid,
                (["stall", "calm", "pause"] * 5)[:length])
    plan.run(seconds)
    settle(lab, "orders-app", rounds, lambda sent: False)
    received = {event["token"] for hop in ("api-app", "orders-app")
                for event in lab.side_events(hop) if event["e"] == "req"}
    return lambda sent: explain_by_outage(sent, outages, received, CRASH, GONE)


def check(lab, rows):
    """Every failure of the truth is one line of nginx's access log, and the other way round."""
    errors_agree(expected(rows), logged_by_nginx(lab.log_lines(NGINX, "access.log")))
