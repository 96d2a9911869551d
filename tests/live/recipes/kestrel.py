"""A server on .NET's Kestrel with each of the console's formatters, with and without scopes and a time.

The server is one that npm brings ready to run; what it serves does not matter here, what its host logs does."""

import time
import uuid

import servers
from lab import version
from lines import ask

# Formatter, more settings of it, and the port.
KINDS = {
    "kestrel-simple": ("simple", {"IncludeScopes": "true"}, 5001),
    "kestrel-timed": ("simple", {"TimestampFormat": "yyyy-MM-ddTHH:mm:ss.fffzzz ", "IncludeScopes": "true"}, 5002),
    "kestrel-single": ("simple", {"SingleLine": "true", "TimestampFormat": "yyyy-MM-dd HH:mm:ss.fff "}, 5003),
    "kestrel-systemd": ("systemd", {"IncludeScopes": "true"}, 5004),
    "kestrel-json": ("json", {"IncludeScopes": "true", "TimestampFormat": "yyyy-MM-ddTHH:mm:ss.fffZ",
                              "UseUtcTimestamp": "true"}, 5005),
}
HOST = "127.20.4.1"
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def run(lab):
    """One log for each kind."""
    binary = servers.kestrel_program()
    lab.versions["kestrel"] = version([str(binary), "--version"], r"([\d.]+)")
    for name, kind in KINDS.items():
        server = start(lab, name, binary, *kind)
        trace = {"traceparent": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"}
        ask((HOST, kind[2]), "/cart?coupon=a%20b", headers=trace)
        ask((HOST, kind[2]), "/", "POST", JSON | trace, '{"jsonrpc":"2.0","id":1,"method":"ping"}')
        ask((HOST, kind[2]), "/", "POST", JSON, "{no JSON")
        time.sleep(0.3)
        server.stop()
    return {f"{name}.log": (lab.hop(name) / "logs/out.log").read_text() for name in KINDS}


def start(lab, name, binary, formatter, settings, port):
    """Starts the server with a console formatter; what it would collect about its use is off."""
    settings = {"FormatterName": formatter} | {f"FormatterOptions__{key}": value for key, value in settings.items()}
    env = lab.environment() | {f"Logging__Console__{key}": value for key, value in settings.items()} | {
        "ASPNETCORE_URLS": f"http://{HOST}:{port}", "Logging__LogLevel__Default": "Information",
        "AZURE_MCP_COLLECT_TELEMETRY": "false", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
        "DOTNET_BUNDLE_EXTRACT_BASE_DIR": str(lab.hop(name) / "tmp")}
    argv = [str(binary), "server", "start", "--transport", "http", "--dangerously-disable-http-incoming-auth"]
    return lab.spawn(name, argv, [(HOST, port)], env, log=lab.hop(name) / "logs/out.log")
