"""More servers for a `Lab`: Caddy, Apache httpd, gunicorn, Edge Microgateway.

They live beside `lab.py` and are started the same way: each has a hop directory as its working
directory, so that every path in its configuration and its logs is relative.
"""

import json
import subprocess
import sys

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
    """Installs what `apps/gateway/package.json` names if it is not there; gives `node_modules`."""
    home = HERE / "apps/gateway"
    modules = home / "node_modules"
    if (modules / "microgateway-core/package.json").exists():
        return modules
    npm = program("npm", "apt-get install npm")
    done = subprocess.run([npm, "install", "--no-package-lock", "--no-audit", "--no-fund"],
                          cwd=home, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [""]
        raise Missing("node module microgateway-core",
                      f"npm install in tests/live/apps/gateway ({last[0]})")
    return modules


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
