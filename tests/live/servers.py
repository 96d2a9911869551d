"""More servers for a `Lab`: Caddy.

They live beside `lab.py` and are started the same way: each has a hop directory as its working
directory, so that every path in its configuration and its logs is relative.
"""

from lab import program, version


def caddy(lab, hop, conf, listen, **clock):
    """Starts Caddy with a Caddyfile. Its data and autosave directories lie outside the sample."""
    binary = program("caddy", "apt-get install caddy")
    lab.versions["caddy"] = version([binary, "version"], r"v?(\d\S+)")
    lab.config(hop, "Caddyfile", conf)
    argv = [binary, "run", "--config", "conf/Caddyfile", "--adapter", "caddyfile"]
    env = lab.environment(**clock, XDG_CONFIG_HOME="tmp", XDG_DATA_HOME="tmp")
    return lab.spawn(hop, argv, listen, env)
