"""# Two minutes of clean shop traffic: nothing to diagnose

The topology of `nginx-node` (`edge-nginx` in front of `shop-app`, which is Node), and nothing wrong
with it. A diagnosis of these logs must have no finding. What could mislead one is here:

* clients that give up on slow requests (499 at nginx, `request aborted` in the application),
* 404 and 401 answers,
* requests that take up to 2.7 s of the 3 s that nginx waits, and succeed,
* paths, sizes and counters that contain 502,
* a graceful reload of nginx in the middle: the old worker ends its connections, and
* a log rotated a moment later.
"""

import signal

from lab import Rejected
from traffic import Client, Plan, SHOP, background
from incidents.nginx_node import CONF as NGINX_NODE_CONF

EDGE, SHOP_APP = ("127.16.10.1", 8080), ("127.16.30.1", 3000)
CLIENTS = [f"127.16.100.{i}" for i in range(1, 9)]
PATHS = (*SHOP, (3, "GET", "/products/502"), (2, "GET", "/orders/502/status"),
         (2, "GET", "/search?q=error+502+bad+gateway"))


def conf():
    """The configuration of `nginx-node`, without the services that are in a bad way."""
    dropped = ("upstream orders", "upstream recommend", "upstream partner", "upstream invoices",
               "location /orders/", "location /recommendations/", "location /partner/",
               "location /invoices/")
    lines = NGINX_NODE_CONF.replace("127.10.", "127.16.").splitlines(keepends=True)
    return "".join(line for line in lines if not line.strip().startswith(dropped))


def run(lab):
    """Runs the traffic; nothing may fail, so there is nothing to explain."""
    lab.node_app("shop-app", {"hostname": "shop-1", "host": SHOP_APP[0], "port": SHOP_APP[1],
                              "idHeader": "x-request-id"})
    edge = lab.nginx("edge-nginx", conf(), [EDGE])
    plan = Plan(lab)
    seconds = lab.pick(120, 12)
    background(lab, plan, EDGE, CLIENTS, seconds, lab.pick(18, 14), PATHS, abort_share=0.015)
    for _ in range(lab.pick(14, 3)):
        plan.at(lab.random.uniform(1, seconds - 4), slow, lab)
    plan.at(seconds * 0.5, edge.signal, signal.SIGHUP)
    plan.at(seconds * 0.6, lab.rotate, edge, "access.log")
    plan.run(seconds)
    for sent in lab.sent:
        sent.fault = None  # Clients that gave up are no fault of any server.
    return lambda sent: None


def slow(lab):
    """Sends one request that takes most of the time nginx grants, and succeeds."""
    client = Client(lab, lab.random.choice(CLIENTS), EDGE)
    client.send("GET", "/account/history", f"slow={lab.random.randint(1200, 2700)}",
                headers={"Cookie": "sid=1"})
    client.close()


def check(lab, rows):
    """Rejects the capture if any attempt failed, even one that a retry hid."""
    bad = [line for line in lab.log_lines("edge-nginx", "access.log")
           if 'us="5' in line or ", 5" in line or '" 5' in line]
    if rows or bad:
        raise Rejected(f"not clean: {rows or bad[0]}")
    lab.rotate_at_end("shop-app", "app.log")
