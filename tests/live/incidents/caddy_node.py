"""# Caddy in front of Node

A shop behind Caddy. The orders service closes idle connections after two seconds while Caddy
keeps them for two minutes; the catalogue is killed twice under load; the recommendation host drops
connections unanswered; the partner's TLS endpoint accepts them and says nothing; the invoice
service is not running.

```
clients 127.12.100.x  ->  caddy 127.12.10.1:8080  ->  shop-app 127.12.30.1:3000   (keep-alive)
                                                  ->  orders-app 127.12.30.2:3001 (keep-alive, idle 2 s)
                                                  ->  127.12.40.1:9200  recommendations, full accept queue
                                                  ->  127.12.50.1:8443  partner, TLS, silent
                                                  ->  127.12.60.1:9000  invoices, nothing listens
```

Caddy forwards the clients' headers. Half of the clients (even addresses) name their requests with
`X-Request-Id`; the others do not, and the applications then make up an id of their own which no
other log knows. **The clock of the applications' host is 1.7 s behind** Caddy's: it shows in the
times of `app.log` (setting `clockOffset`). Caddy connects from 127.0.0.1, having no setting for
another address. Its logs leave out two request headers that belong to the laboratory.

What is hard about it: `EOF` and `connection reset by peer` say both that the application failed on
this very request and that it had closed an idle connection; with half of the requests no id leads
to the application's log; and Caddy repeats a GET whose used connection was closed without a word,
so that most lost races leave no trace at all. Those are not in `truth.json`.

The clients of the orders service are tills in bursts; the service's event loop is sometimes busy for
some 200 ms, and Caddy's host at times stands still for 30 ms. Both are ordinary. That a request lost
the race is known because the application never received it and closed that many idle connections
just then.

Alternatives: a lost race is `fin_before_request` or `rst_on_reuse`, which are not told apart from
outside. While the catalogue is down requests are `refused`, and naming the crash behind it is right
as well. A GET in flight when it was killed was repeated by Caddy and then refused: `refused` is half
of the truth there.
"""

import json
import uuid

from outage import explain_by_outage, kill_while_busy, received_tokens
from peers import deaf_peer, silent_peer
from proof import errors_agree, expected
from race import Rounds, run_rounds, settle
from servers import caddy
from traffic import Plan, background, schedule
from truth import Fault

EDGE, SHOP, ORDERS = ("127.12.10.1", 8080), ("127.12.30.1", 3000), ("127.12.30.2", 3001)
RECOMMEND, PARTNER = ("127.12.40.1", 9200), ("127.12.50.1", 8443)
CLIENTS = [f"127.12.100.{i}" for i in range(1, 9)]
TILLS = [f"127.12.101.{i}" for i in range(1, 5)]
CADDY = "edge-caddy"
DOWN_SECONDS = 1.4

CONF = """{
	admin off
	auto_https off
	log {
		output file logs/caddy.log {
			roll_disabled
		}
		format filter {
			wrap json
			fields {
				request>headers>X-Lab-Fault delete
				request>headers>X-Lab-Token delete
			}
		}
	}
}

(patience) {
	transport http {
		dial_timeout 2s
		response_header_timeout 3s
		keepalive 2m
	}
}

http://:8080 {
	bind 127.12.10.1
	log {
		output file logs/access.log {
			roll_size 1MiB
		}
		format filter {
			wrap json
			fields {
				request>headers>X-Lab-Fault delete
				request>headers>X-Lab-Token delete
			}
		}
	}

	handle /orders/* {
		reverse_proxy 127.12.30.2:3001 {
			import patience
		}
	}
	handle /recommendations/* {
		reverse_proxy 127.12.40.1:9200 {
			import patience
		}
	}
	handle /partner/* {
		reverse_proxy 127.12.50.1:8443 {
			transport http {
				tls
				tls_insecure_skip_verify
				dial_timeout 2s
				response_header_timeout 3s
				tls_timeout 2s
			}
		}
	}
	handle /invoices/* {
		reverse_proxy 127.12.60.1:9000 {
			import patience
		}
	}
	handle {
		reverse_proxy 127.12.30.1:3000 {
			import patience
		}
	}
}
"""

FAULTS = (
    Fault("slow_header", "proxy_timeout", "response_header_timeout", CADDY, (504,), "slow=3800-7000",
          ("GET", "POST"), ("/search?q=everything", "/checkout"), 8,
          story="the application answered after 3.8 to 7 s, Caddy waits 3 s"),
    Fault("connect_timeout", "proxy_timeout", "connect_timeout", CADDY, (502,), None,
          ("GET",), ("/recommendations/for-you", "/recommendations/similar"), 6,
          alternatives=("listen_backlog",),
          story="the accept queue was full, SYNs went unanswered; Caddy waits 2 s"),
    Fault("tls_timeout", "proxy_timeout", "tls_handshake_timeout", CADDY, (504,), None,
          ("POST", "GET"), ("/partner/price", "/partner/stock"), 6,
          story="the TLS endpoint accepted and never answered the ClientHello; Caddy waits 2 s"),
    Fault("refused", "dropped_connection", "refused", CADDY, (502,), None,
          ("GET",), ("/invoices/2026-10", "/invoices/2026-11"), 8,
          story="nothing listened on the port"),
    Fault("fin", "dropped_connection", "premature_close", CADDY, (502,), "fin=100-400",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 8,
          story="the application closed the connection after 100 to 400 ms, before any byte"),
    Fault("rst", "dropped_connection", "reset_before_response", CADDY, (502,), "rst=60-350",
          ("POST", "GET"), ("/checkout", "/api/vouchers"), 8,
          story="the application reset the connection after 60 to 350 ms, before any byte"),
    Fault("partial_header", "dropped_connection", "premature_close", CADDY, (502,), "partial=40-300",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 6,
          story="the application closed in the middle of the response header"),
    Fault("garbage", "invalid_response", "malformed_header", CADDY, (502,), "garbage=40",
          ("GET", "POST"), ("/api/delivery-dates", "/checkout"), 6,
          story="the application sent something that is not HTTP"),
    Fault("own_502", "upstream_502", None, "shop-app", (502,), "status=502",
          ("POST", "GET"), ("/checkout", "/api/delivery-dates"), 10,
          story="the application answered 502 itself"),
    Fault("cut_body", "dropped_connection", "reset_mid_response", CADDY, (200,), "cut=80",
          ("GET",), ("/products/export",), 4, story="closed in the middle of the body"),
)
CRASH = Fault("killed", "dropped_connection", "worker_crash", CADDY, (502,), "slow=2600",
              ("POST", "GET"), ("/checkout", "/search?q=oak"),
              alternatives=("backend_restart", "refused"),
              story="in flight when the application was killed")
GONE = Fault("gone", "dropped_connection", "refused", CADDY, (502,), None, ("GET", "POST"),
             ("/", "/basket/items"), alternatives=("worker_crash", "backend_restart"),
             story="sent while the killed application was down")
RACE = Fault("race", "keep_alive_race", "fin_before_request", CADDY, (502,),
             alternatives=("rst_on_reuse",),
             story="sent on a connection that the application was closing as idle")


def run(lab):
    """Runs the incident; returns the explanation of unplanned failures for the truth."""
    lab.client_headers = some_ids
    node = {"idHeader": "x-request-id", "idFallback": "uuid", "clockOffset": -1700}
    lab.node_app("orders-app", {"hostname": "orders-1", "host": ORDERS[0], "port": ORDERS[1],
                                "keepAliveTimeout": 1000, **node})
    shop = lab.node_app("shop-app", {"hostname": "shop-1", "host": SHOP[0], "port": SHOP[1],
                                     **node})
    deaf_peer(lab, RECOMMEND)
    silent_peer(lab, PARTNER)
    edge = caddy(lab, CADDY, CONF, [EDGE])
    plan, outages = Plan(lab), []
    seconds, kills = lab.pick(175, 17), lab.pick((58.0, 126.0), (10.0,))
    background(lab, plan, EDGE, CLIENTS, seconds, lab.pick(10.6, 12), abort_share=0.006)
    schedule(lab, plan, EDGE, CLIENTS, FAULTS, lab.pick((3, 165), (0.5, 5.5)),
             [(kill - 7, kill + 5) for kill in lab.pick(kills, ())])
    for kill in kills:
        plan.at(kill, lambda: outages.append(kill_while_busy(
            lab, shop, EDGE, CLIENTS, CRASH, (1.6, 1.1, 0.7, 0.4, 0.15), (GONE, 5), DOWN_SECONDS)))
    rounds = Rounds(EDGE, TILLS, 2.0, [("POST", "/orders/new"), ("POST", "/orders/{n}/payment"),
                                       ("GET", "/orders/{n}"), ("POST", "/orders/new")],
                    RACE, None)
    plan.at(0.5, run_rounds, lab, rounds, lambda: edge.pid,
            lab.pick(["stall", "calm", "pause", "calm"] * 9, ["stall", "pause"] * 2))
    plan.run(seconds)
    # A race that Caddy's own repetition hid leaves no trace in any log, and is not in the truth.
    settle(lab, "orders-app", rounds, lambda sent: False)
    received = received_tokens(lab, "shop-app")
    return lambda sent: explain_by_outage(sent, outages, received, CRASH, GONE)


def some_ids(source, token):
    """Clients with an even address name their requests."""
    if int(source.rsplit(".", 1)[1]) % 2:
        return {}
    return {"X-Request-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source}/{token}"))}


def check(lab, rows):
    """Every failure of the truth is one line of Caddy's access log, and the other way round."""
    lines = [json.loads(line) for line in lab.log_lines(CADDY, "access")]
    errors_agree(expected(rows), [(line["request"]["method"], line["request"]["uri"],
                                   line["status"], int(line["ts"] * 1e6))
                                  for line in lines if line["status"] >= 500])
