"""More servers for a `Lab`: Caddy, Apache httpd, gunicorn, Edge Microgateway, Varnish, Squid, Express.

They live beside `lab.py` and are started the same way: each has a hop directory as its working
directory, so that every path in its configuration and its logs is relative.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from lab import HERE, Missing, program, version

GUNICORN = "gunicorn==27.0.1"


def caddy(lab, hop, conf, listen, **clock):
    """Starts Caddy with a Caddyfile. Its data and autosave directories lie outside the sample."""
    binary = program("caddy", "apt-get install caddy")
    lab.versions["caddy"] = version([binary, "version"], r"v?(\d\S+)")
    lab.config(hop, "Caddyfile", conf)
    argv = [binary, "run", "--config", "conf/Caddyfile", "--adapter", "caddyfile"]
    env = lab.environment(**clock, XDG_CONFIG_HOME="tmp", XDG_DATA_HOME="tmp")
    return lab.spawn(hop, argv, listen, env)


def apache(lab, hop, conf, listen, **clock):
    """Starts Apache httpd in the foreground with the hop's directory as ServerRoot."""
    binary = program("apache2", "apt-get install apache2")
    lab.versions["apache"] = version([binary, "-v"], r"Apache/(\S+)")
    lab.config(hop, "apache2.conf", conf)
    argv = [binary, "-d", ".", "-f", "conf/apache2.conf", "-D", "FOREGROUND"]
    return lab.spawn(hop, argv, listen, lab.environment(**clock))


def gunicorn(lab, hop, conf, listen, app="ledger:application", **clock):
    """Starts gunicorn with an application of `apps/`; the workers are children of the process.

    What the application received goes to the laboratory's side channel, `lab.side_events`."""
    python = virtual_environment([GUNICORN])
    lab.versions["gunicorn"] = version([str(python), "-m", "gunicorn", "--version"],
                                       r"version (\S+?)\)")
    lab.config(hop, "gunicorn.conf.py", conf)
    argv = [str(python), "-m", "gunicorn", "-c", "conf/gunicorn.conf.py", app]
    env = lab.environment(**clock, PYTHONPATH=str(HERE / "apps"), PYTHONDONTWRITEBYTECODE="1",
                          LAB_SIDE=str(lab.private / f"{hop}.side"))
    return lab.spawn(hop, argv, listen, env)


def microgateway(lab, hop, conf, listen, name="gw-1", **clock):
    """Starts Edge Microgateway's engine; each start writes a log file of its own, as it does.

    `name` is the host name in the names of its logs. Organisation "acme", environment "prod"."""
    binary = program("node", "apt-get install nodejs")
    core = gateway_modules() / "microgateway-core/package.json"
    lab.versions["node"] = version([binary, "-v"], r"v(\S+)")
    lab.versions["microgateway-core"] = json.loads(core.read_text())["version"]
    lab.config(hop, "acme-prod-cache-config.yaml", conf)
    argv = [binary, str(HERE / "apps/gateway/gateway.js"), "conf/acme-prod-cache-config.yaml",
            "acme", "prod", name]
    return lab.spawn(hop, argv, listen, lab.environment(**clock))


def gateway_modules():
    """The modules of Edge Microgateway's engine, installed if they are not there."""
    return installed(HERE / "apps/gateway", "microgateway-core")


def express_modules():
    """The modules of the Express proxy, installed if they are not there."""
    return installed(HERE / "apps/express", "http-proxy-middleware")


def kestrel_program():
    """The path of a server on .NET that brings its own runtime, installed if it is not there."""
    name = "@azure/mcp-linux-x64"
    return installed(HERE / "apps/kestrel", name) / name / "dist/azmcp"


def installed(home, package):
    """Installs what `package.json` in `home` names if `package` is not there; gives its
    `node_modules`."""
    modules = home / "node_modules"
    if (modules / package / "package.json").exists():
        return modules
    npm = program("npm", "apt-get install npm")
    done = subprocess.run([npm, "install", "--no-package-lock", "--no-audit", "--no-fund"],
                          cwd=home, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [""]
        raise Missing(f"node module {package}",
                      f"npm install in tests/live/apps/{home.name} ({last[0]})")
    return modules


def express(lab, hop, settings, **clock):
    """Starts the proxy made of Express and http-proxy-middleware (`apps/express/proxy.js`)."""
    binary = program("node", "apt-get install nodejs")
    modules = express_modules()
    lab.versions["node"] = version([binary, "-v"], r"v(\S+)")
    for name in ("express", "http-proxy-middleware", "morgan", "winston"):
        lab.versions[name] = json.loads((modules / name / "package.json").read_text())["version"]
    lab.config(hop, "settings.json", json.dumps(settings, indent=2) + "\n")
    argv = [binary, str(HERE / "apps/express/proxy.js"), "conf/settings.json"]
    return lab.spawn(hop, argv, [(settings["host"], settings["port"])], lab.environment(**clock))


# What varnishncsa writes of a client's request and of a fetch, and what varnishlog leaves out.
NCSA = '%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-agent}i" %D %{Varnish:time_firstbyte}x '
CLIENT_FORMAT = NCSA + "%{Varnish:handling}x rid=%{X-Request-ID}i"
BACKEND_FORMAT = NCSA + "- b rid=%{X-Request-ID}i %{VSL:FetchError}x"
NOT_LOGGED = "^X-Lab-"


def varnish(lab, hop, vcl, listen, **clock):
    """Starts varnishd, varnishncsa for both sides, and varnishlog for the requests that failed.

    The process that serves is a child of the server's process."""
    daemon = program("varnishd", "apt-get install varnish")
    ncsa, log = (program(name, "apt-get install varnish") for name in ("varnishncsa", "varnishlog"))
    lab.versions["varnish"] = version([daemon, "-V"], r"varnish-(\S+)")
    conf = lab.config(hop, "default.vcl", vcl)
    home, env = lab.hop(hop) / "tmp/varnish", lab.environment(**clock)
    server = lab.spawn(hop, [
        daemon, "-F", "-a", "%s:%d" % listen, "-f", str(conf), "-n", str(home), "-j", "none",
        "-i", "cache1", "-s", "malloc,32m", "-T", "none", "-p", "timeout_idle=75",
        "-p", "thread_pool_min=20"], [listen], env)
    for argv in ([ncsa, "-c", "-F", CLIENT_FORMAT, "-w", "logs/access.log"],
                 [ncsa, "-b", "-F", BACKEND_FORMAT, "-w", "logs/backend.log"],
                 [log, "-g", "request", "-q", "FetchError or BerespStatus >= 500",
                  "-X", NOT_LOGGED, "-A", "-w", "logs/fetch-errors.log"]):
        lab.spawn(hop, [*argv, "-n", str(home)], [], env)
    time.sleep(0.5)  # They begin with what comes after they have found the log.
    return server


def squid(lab, hop, conf, listen, **clock):
    """Starts Squid in the foreground as one process."""
    binary = program("squid", "apt-get install squid")
    lab.versions["squid"] = version([binary, "-v"], r"Version (\S+)")
    lab.config(hop, "squid.conf", conf)
    home = lab.hop(hop)
    (home / "logs").chmod(0o777)  # Squid writes as another user.
    (home / "tmp").chmod(0o777)
    name = f"lab{os.getpid()}"  # Of its shared memory, which is left behind if it must be killed.
    argv = [binary, "-N", "-n", name, "-f", "conf/squid.conf"]
    lab.closers.append(lambda: [one.unlink() for one in Path("/dev/shm").glob(f"{name}-*.shm")])
    server = lab.spawn(hop, argv, [listen], lab.environment(**clock))
    time.sleep(0.5)
    # What it said while starting names directories of this machine: rotated away, with copytruncate.
    (home / "logs/cache.log").write_bytes(b"")
    return server


def virtual_environment(packages):
    """The Python of a virtual environment beside this file that has these packages."""
    python = HERE / ".venv/bin/python"
    wanted = [package.split("==")[0] for package in packages]
    if python.exists() and have(python, wanted):
        return python
    for argv in ([sys.executable, "-m", "venv", str(HERE / ".venv")],
                 [str(python), "-m", "pip", "install", "--quiet", *packages]):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or [""]
            raise Missing(", ".join(wanted), f"apt-get install python3-venv; "
                          f"pip install {' '.join(packages)} ({last[0]})")
    return python


def have(python, modules):
    """Whether a Python can import all these modules."""
    argv = [str(python), "-c", "import " + ", ".join(modules)]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0
