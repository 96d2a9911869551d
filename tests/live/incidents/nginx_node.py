"""# nginx in front of two Node applications

A shop. nginx (`edge-nginx`) passes most paths to the shop application (`shop-app`), `/orders` to a
small, quiet one (`orders-app`), and a few paths to services which are in a bad way. In three
minutes nearly everything goes wrong that can:

* `orders-app` closes idle connections after 2 s (Node's `keepAliveTimeout` of 1 s, plus the second
  Node adds), nginx keeps its idle ones for 60 s, and tills send their orders in bursts about 2 s
  apart. Some POSTs meet the close and end in 502; GETs meet it too, but nginx tries those again.
* `shop-app` is killed twice while it works on several requests, and is gone for more than a second.
* Single requests are answered too late, dropped, cut, or answered with a header that is too big.
* The recommendation service does not accept connections, the partner's TLS endpoint does not
  answer, the invoice service does not run.

## What can be seen

Every hop carries one request id (`rid=` at nginx, `req.id` in the applications). `access.log` was
rotated once; all clocks are right and UTC. A request that nginx gave up on shows in the
application's log as `request aborted`, and so does one that the application dropped itself.

Lost races of two kinds are in here, and the logs can hardly tell them apart: either the
application was too busy to read the request when its idle timer was due (nginx: `recv() failed
(104...)`), or nginx stood still while request and FIN arrived (nginx: `upstream prematurely closed
connection`). So each of `fin_before_request` and `rst_on_reuse` is right for the other. A process
that was killed and came back may be called `worker_crash` or `backend_restart`; a request that was
refused meanwhile is `refused`, and naming the crash behind it is right as well. Requests in flight
that nginx sent again were refused at the second attempt: `refused` is half of the truth there. The
recommendation service has a full accept queue: nginx can see the timeout only, and `listen_backlog`
is what lies behind it.
"""


from outage import explain_by_outage, kill_while_busy, received_tokens
from peers import deaf_peer, silent_peer
from race import Rounds, run_rounds, settle
from traffic import Plan, background, schedule
from truth import Fault

EDGE, SHOP, ORDERS = ("127.10.10.1", 8080), ("127.10.30.1", 3000), ("127.10.30.2", 3001)
RECOMMEND, PARTNER, INVOICES = ("127.10.40.1", 9200), ("127.10.50.1", 8443), ("127.10.60.1", 9000)
CLIENTS = [f"127.10.100.{i}" for i in range(1, 9)]
TILLS = [f"127.10.101.{i}" for i in range(1, 5)]
NGINX = "edge-nginx"
DOWN_SECONDS = 1.4

CONF = """user nobody nogroup;
worker_processes 1;
pid logs/nginx.pid;
error_log logs/error.log error;

events { worker_connections 1024; }

http {
    log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                     '"$http_user_agent" msec=$msec rt=$request_time uct="$upstream_connect_time" '
                     'uht="$upstream_header_time" urt="$upstream_response_time" us="$upstream_status" '
                     'ua="$upstream_addr" ub="$upstream_bytes_received" '
                     'conn=$connection:$connection_requests rid=$request_id';
    access_log logs/access.log timed;

    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;

    upstream shop { server 127.10.30.1:3000; keepalive 32; }
    upstream orders { server 127.10.30.2:3001; keepalive 16; }
    upstream recommend { server 127.10.40.1:9200; }
    upstream partner { server 127.10.50.1:8443; }
    upstream invoices { server 127.10.60.1:9000; }

    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Request-ID $request_id;
    proxy_connect_timeout 2s;
    proxy_read_timeout 3s;
    proxy_bind 127.10.10.1;

    server {
        listen 127.10.10.1:8080;
        server_name shop.example.com;
        add_header X-Request-ID $request_id always;

        location / { proxy_pass http://shop; }
        location /orders/ { proxy_pass http://orders; }
        location /recommendations/ { proxy_pass http://recommend; }
        location /partner/ { proxy_pass https://partner; }
        location /invoices/ { proxy_pass http://invoices; }
    }
}
"""

FAULTS = (
    Fault("slow_header", "proxy_timeout", "response_header_timeout", NGINX, (504,),
          "slow=3300-5200", ("GET", "POST"), ("/search?q=everything", "/checkout"), 8,
          story="the application answered after 3.3 to 5.2 s, nginx waits 3 s"),
    Fault("connect_timeout", "proxy_timeout", "connect_timeout", NGINX, (504,), None,
          ("GET",), ("/recommendations/for-you", "/recommendations/similar"), 6,
          alternatives=("listen_backlog",),
          story="the accept queue was full, SYNs went unanswered; nginx waits 2 s"),
    Fault("tls_timeout", "proxy_timeout", "tls_handshake_timeout", NGINX, (504,), None,
          ("POST", "GET"), ("/partner/price", "/partner/stock"), 6,
          story="the TLS endpoint accepted and never answered the ClientHello; nginx waits 2 s"),
    Fault("refused", "dropped_connection", "refused", NGINX, (502,), None,
          ("GET",), ("/invoices/2026-10", "/invoices/2026-11"), 8,
          story="nothing listened on the port"),
    Fault("fin", "dropped_connection", "premature_close", NGINX, (502,), "fin=100-400",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          story="the application closed the connection after 100 to 400 ms, before any byte"),
    Fault("rst", "dropped_connection", "reset_before_response", NGINX, (502,), "rst=100-400",
          ("POST", "GET"), ("/checkout", "/api/vouchers"), 8,
          story="the application reset the connection after 100 to 400 ms, before any byte"),
    Fault("partial_header", "dropped_connection", "premature_close", NGINX, (502,),
          "partial=50-300", ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 6,
          story="the application closed in the middle of the response header"),
    Fault("header_too_big", "invalid_response", "header_too_big", NGINX, (502,), "bighdr=9000",
          ("GET", "POST"), ("/account/settings", "/login"), 6,
          story="a cookie of 9 kB; nginx takes 4 kB of header"),
    Fault("own_502", "upstream_502", None, "shop-app", (502,), "status=502",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          story="the application answered 502 itself"),
    Fault("masked_close", "dropped_connection", "premature_close", NGINX, (200,),
          "once:fin=100-300", ("GET",), ("/api/vouchers",), 4, near_miss=True, warm=3,
          story="closed after 100 to 300 ms on a used connection; nginx tried again, with success"),
    Fault("cut_body", "dropped_connection", "reset_mid_response", NGINX, (200,), "cut=80",
          ("GET",), ("/products/export",), 4, story="closed in the middle of the body"),
    Fault("reset_body", "dropped_connection", "reset_mid_response", NGINX, (200,), "cutrst=80",
          ("GET",), ("/products/export",), 4, story="reset in the middle of the body"),
)
CRASH = Fault("killed", "dropped_connection", "worker_crash", NGINX, (502,), "slow=2600",
              ("POST", "GET"), ("/checkout", "/search?q=oak"),
              alternatives=("backend_restart", "refused"),
              story="in flight when the application was killed")
GONE = Fault("gone", "dropped_connection", "refused", NGINX, (502,), None, ("GET", "POST"),
             ("/", "/basket/items"), alternatives=("worker_crash", "backend_restart"),
             story="sent while the killed application was down")
RACE = Fault("race", "keep_alive_race", "fin_before_request", NGINX, (502,),
             alternatives=("rst_on_reuse",),
             story="sent on a connection that the application was closing as idle")
MASKED = Fault("masked_race", "keep_alive_race", "fin_before_request", NGINX, (200, 201),
               alternatives=("rst_on_reuse",), near_miss=True,
               story="the same, but nginx tried again and got an answer")


def run(lab):
    """Runs the incident; returns the explanation of unplanned failures for the truth."""
    lab.node_app("orders-app", {"hostname": "orders-1", "host": ORDERS[0], "port": ORDERS[1],
                                "keepAliveTimeout": 1000, "idHeader": "x-request-id"})
    shop = lab.node_app("shop-app", {"hostname": "shop-1", "host": SHOP[0], "port": SHOP[1],
                                     "idHeader": "x-request-id"})
    edge = start_edge(lab)
    plan, outages = Plan(lab), []
    seconds, kills = lab.pick(170, 17), lab.pick((58.0, 122.0), (10.0,))
    background(lab, plan, EDGE, CLIENTS, seconds, lab.pick(13, 12), abort_share=0.006)
    schedule(lab, plan, EDGE, CLIENTS, FAULTS, lab.pick((3, 160), (0.5, 5.5)),
             [(kill - 7, kill + 5) for kill in lab.pick(kills, ())])
    for kill in kills:
        plan.at(kill, lambda: outages.append(kill_while_busy(
            lab, shop, EDGE, CLIENTS, CRASH, (1.6, 1.1, 0.7, 0.4, 0.15), (GONE, 5), DOWN_SECONDS)))
    plan.at(lab.pick(92, 14), lab.rotate, edge, "access.log")
    rounds = Rounds(EDGE, TILLS, 2.0, [("POST", "/orders/new"), ("POST", "/orders/{n}/payment"),
                                       ("GET", "/orders/{n}"), ("POST", "/orders/new")],
                    RACE, MASKED)
    plan.at(0.5, run_rounds, lab, rounds, lambda: edge.workers()[0],
            lab.pick(["stall", "calm", "pause", "calm"] * 9, ["stall", "pause"] * 2))
    plan.run(seconds)
    settle(lab, "orders-app", rounds, lambda sent: retried(lab, sent))
    received = received_tokens(lab, "shop-app")
    return lambda sent: explain_by_outage(sent, outages, received, CRASH, GONE)


def start_edge(lab):
    """Starts nginx and the services that are in a bad way."""

    deaf_peer(lab, RECOMMEND)
    silent_peer(lab, PARTNER)
    return lab.nginx(NGINX, CONF, [EDGE])


def retried(lab, sent):
    """Whether nginx logged a first attempt that failed and a second that did not."""
    wanted = "rid=" + sent.ids.get("x-request-id", "?")
    return any('us="502, 20' in line for line in lab.log_lines(NGINX, "access.log")
               if wanted in line)
