"""Jetty as a proxy (its `ProxyServlet`) in front of a service that refuses, is slow, resets and says nonsense.

Twice: with the request log in NCSA format and the milliseconds spent, and with the custom one as it comes.
"""

import shutil
import time
from pathlib import Path

from lab import HERE, Missing, program
from lines import ask
from peers import scripted_peer

HOME = Path("/usr/share/jetty9")
JARS = Path("/usr/share/java")
UPSTREAM = ("127.20.2.2", 3000)
# The module that logs requests, its settings, and where Jetty listens.
KINDS = {
    "jetty-access": ("requestlog", "jetty.requestlog.extended=true\njetty.requestlog.loglatency=true\n", 8080),
    "jetty-custom": ("customrequestlog", "", 8081),
}


def run(lab):
    """Both request logs, and the server's own log."""
    program("java", "apt-get install default-jre-headless")
    if not (HOME / "start.jar").exists():
        raise Missing("jetty9", "apt-get install jetty9")
    servers = [start(lab, name, *kind) for name, kind in KINDS.items()]
    addresses = [("127.20.2.1", port) for _, _, port in KINDS.values()]
    # Nothing listens yet.
    each(addresses, ["/cart", "/orders?id=7"])
    scripted_peer(lab, UPSTREAM)
    each(addresses, ["/", "/products/1?page=2"])
    for fault in ("fin=2500", "fin=90", "rst=90", "partial=90", "garbage=90"):
        each(addresses, ["/checkout"], {"X-Lab-Fault": fault}, "POST")
    time.sleep(0.5)
    for server in servers:
        server.stop()
    logs = {f"{name}.log": access(lab, name) for name in KINDS}
    return logs | {"jetty-server.log": (lab.hop("jetty-access") / "logs/out.log").read_text()}


def start(lab, name, module, settings, port):
    """Starts Jetty with a base directory of its own."""
    home = lab.hop(name)
    root = home / "webapps/ROOT/WEB-INF"
    (root / "lib").mkdir(parents=True)
    shutil.copy(HERE / "apps/jetty/web.xml", root)
    for jar in ("proxy", "client", "http", "io", "util"):
        shutil.copy(JARS / f"jetty9-{jar}.jar", root / "lib")
    (home / "start.ini").write_text(
        f"--module=server,http,deploy,{module}\njetty.http.host=127.20.2.1\njetty.http.port={port}\n{settings}")
    # The laboratory looks for listeners of IPv4.
    argv = ["java", "-Djava.net.preferIPv4Stack=true", "-jar", str(HOME / "start.jar"), f"jetty.home={HOME}", "jetty.base=."]
    # Both of its outputs: the log is on the second.
    command = ["/bin/sh", "-c", 'exec "$@" 2>&1', "jetty", *argv]
    return lab.spawn(name, command, [("127.20.2.1", port)], log=home / "logs/out.log")


def each(addresses, paths, headers=None, method="GET"):
    """Asks every Jetty for every path."""
    for address in addresses:
        for path in paths:
            ask(address, path, method, {"User-Agent": "shop-check/1.0"} | (headers or {}))


def access(lab, name):
    """The request log, whose name has the day."""
    return "".join(path.read_text() for path in sorted((lab.hop(name) / "logs").glob("*.request.log")))
