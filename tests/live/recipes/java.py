"""A service on the JVM that logs with Logback, as JSON (Logstash's encoder) and as text, while the one it asks fails."""

import time
import uuid
from pathlib import Path

from lab import HERE, Missing, program
from lines import ask
from peers import scripted_peer

JARS = Path("/usr/share/java")
WANTED = ("logback-core", "logback-classic", "slf4j-api", "logstash-logback-encoder", "jackson-core",
          "jackson-databind", "jackson-annotations")
ADDRESS, UPSTREAM = ("127.20.3.1", 8080), ("127.20.3.2", 3000)


def run(lab):
    """Both logs of one run."""
    java = program("java", "apt-get install default-jdk-headless")
    program("javac", "apt-get install default-jdk-headless")
    jars = [JARS / f"{name}.jar" for name in WANTED]
    if not all(jar.exists() for jar in jars):
        raise Missing("Logback", "apt-get install liblogback-java liblogstash-logback-encoder-java")
    lab.config("orders", "logback.xml", (HERE / "apps/java/logback.xml").read_text())
    server = lab.spawn("orders", [
        java, "-Djava.net.preferIPv4Stack=true", "-Dlogback.configurationFile=conf/logback.xml",
        "-cp", ":".join(map(str, jars)), str(HERE / "apps/java/Orders.java"), ADDRESS[0],
        str(ADDRESS[1]), "http://%s:%d" % UPSTREAM], [ADDRESS])
    each("/cart", "refused")
    scripted_peer(lab, UPSTREAM)
    each("/orders?id=7", "")
    for fault in ("fin=90", "rst=90", "garbage=90", "fin=2500"):
        each("/checkout", fault)
    time.sleep(0.5)
    server.stop()
    logs = lab.hop("orders") / "logs"
    return {"logback-json.log": (logs / "orders.json.log").read_text(),
            "logback.log": (logs / "orders.log").read_text()}


def each(path, fault):
    """One request with an id of its own."""
    ask(ADDRESS, path, headers={"X-Lab-Fault": fault, "X-Request-ID": str(uuid.uuid4())})
