"""A system's log by rsyslog: the kernel kills for want of memory and after a bad access, systemd tells of services that
end, and nginx sends access lines without a time of their own, which nobody answers.

Needs root, since it is the kernel that is asked; systemd runs as a user's manager in a mount namespace of its own."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from lab import HERE, Rejected, Unfit, program
from lines import ask

RSYSLOG = """module(load="imuxsock")
module(load="imklog" permitnonkernelfacility="on")
$ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat
*.* {home}/logs/syslog
"""
NGINX = """worker_processes 1;
pid tmp/nginx.pid;
events {{ worker_connections 256; }}
http {{
  log_format untimed '$remote_addr - $remote_user "$request" $status $body_bytes_sent $request_time';
  access_log logs/untimed.log untimed;
  access_log syslog:server=unix:/dev/log,nohostname untimed;
  client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u;
  scgi_temp_path tmp/s;
  server {{
    listen 127.20.6.1:8080;
    location / {{ return 200 "ok"; }}
    location /cart {{ proxy_pass http://127.20.6.2:3000; }}
  }}
}}
"""
EDGE = ("127.20.6.1", 8080)
MEMORY = Path("/sys/fs/cgroup/memory")
LIMIT = 24 << 20
EATER = "x = [bytearray(1 << 20) for _ in range(200)]"


def run(lab):
    """The system's log, and the access log alone as nginx wrote it to a file."""
    daemon = program("rsyslogd", "apt-get install rsyslog")
    program("unshare", "apt-get install util-linux")
    if os.geteuid() != 0 or not os.access(MEMORY / "memory.limit_in_bytes", os.R_OK):
        raise Unfit("the kernel is only asked by root, and where memory is limited by control groups (v1)")
    if Path("/dev/log").exists():
        raise Unfit("the system has a log of its own at /dev/log")
    home = lab.hop("system")
    lab.config("system", "rsyslog.conf", RSYSLOG.format(home=home))
    log = home / "logs/syslog"
    lab.spawn("system", [daemon, "-n", "-f", "conf/rsyslog.conf", "-i", str(home / "tmp/rsyslog.pid")], [])
    end = time.monotonic() + 30
    while not (log.exists() and Path("/dev/log").exists()):
        if time.monotonic() > end:
            raise Rejected("rsyslogd has made no log")
        time.sleep(0.1)
    time.sleep(1)  # What the kernel had said before comes first.
    begun = len(log.read_text().splitlines())
    lab.nginx("edge", NGINX.format(), [EDGE])
    for path in ("/", "/products/1?page=2", "/cart", "/cart?coupon=a"):
        ask(EDGE, path)
    out_of_memory()
    subprocess.run(["python3", "-c", "import ctypes; ctypes.string_at(0)"], check=False, capture_output=True)
    services(lab)
    ask(EDGE, "/cart")
    time.sleep(1)
    lines = log.read_text().splitlines()[begun:]
    lab.stop()
    return {"syslog.log": "\n".join(filter(is_wanted, lines)) + "\n",
            "clf-untimed.log": (lab.hop("edge") / "logs/untimed.log").read_text()}


def out_of_memory():
    """A process that takes more memory than its group may."""
    group = MEMORY / "why502"
    group.mkdir(exist_ok=True)
    try:
        (group / "memory.limit_in_bytes").write_text(str(LIMIT))
        subprocess.run(["sh", "-c", f"echo $$ > {group}/cgroup.procs; exec python3 -c '{EATER}'"],
                       check=False, capture_output=True)
    finally:
        end = time.monotonic() + 30
        while (group / "cgroup.procs").read_text() and time.monotonic() < end:
            time.sleep(0.1)
        group.rmdir()


def services(lab):
    """Services that are killed, that end with an error, and that are stopped."""
    units = lab.hop("system") / "tmp/units/systemd/user"
    units.mkdir(parents=True)
    for unit in (HERE / "apps/system").glob("*.service"):
        shutil.copy(unit, units)
    env = lab.environment(XDG_CONFIG_HOME=str(units.parent.parent))
    subprocess.run(["unshare", "-m", "sh", str(HERE / "apps/system/services.sh")], env=env, check=False,
                   capture_output=True, timeout=60)


def is_wanted(line):
    """Whether a line is of the programs asked for, and not one of the kernel's tables or of this log's own daemon."""
    if " systemd[" in line:
        return ".service" in line
    told = ("oom-kill", "ut of memory", "segfault")
    return " nginx: " in line or " kernel: " in line and any(word in line for word in told)
