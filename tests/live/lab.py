"""The laboratory: real servers on loopback, started, watched, stopped, and their logs collected.

A capture is one `Lab`. Each hop (a server that logs) has a directory below a temporary run
directory with `conf/` and `logs/`; whatever lies there at the end becomes `configs/<hop>/` and
`logs/<hop>/` of the sample. What the laboratory itself must know and no log may show (which
request carried which fault, what the application really received) goes to `private/`.

Hosts are distinct loopback addresses, so that hops look like different machines.
"""

import contextlib
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What the applications log with.
NODE_PACKAGES = ["pino@10.4.0", "pino-http@11.0.0"]
# A new machine reads its programs from disk for the first time while others run.
START_SECONDS = 60.0
STOP_SECONDS = 4.0


class Missing(Exception):
    """A server is not installed. Names the program and the package that brings it."""

    def __init__(self, program, package):
        super().__init__(f"{program} not found\nhint: install it with: {package}")


class Unfit(Missing):
    """This machine cannot do what is needed, and no package would help. Says why."""

    def __init__(self, reason):
        Exception.__init__(self, reason)


class Rejected(Exception):
    """The capture does not show what was planned, so its truth would not be certain."""


def now_us():
    """The laboratory's clock: microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000


def rfc3339(time_us):
    """A time of the laboratory's clock, as RFC 3339 with milliseconds, UTC."""
    seconds, micros = divmod(time_us, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micros // 1000:03d}Z"


def program(name, package):
    """The full path of a program, or `Missing` with the command that installs it."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise Missing(name, package)
    return found


def faketime_library():
    """The path of libfaketime, which shifts the clock of one process."""
    for found in sorted(Path("/usr/lib").glob("**/faketime/libfaketime.so.1")):
        return str(found)
    raise Missing("libfaketime", "apt-get install faketime")


class Server:
    """One running process of a hop. `restart` starts it again with the same command."""

    def __init__(self, lab, hop, argv, listen, env, log):
        self.lab, self.hop, self.argv, self.listen, self.env = lab, hop, argv, listen, env
        self.log_path = log
        self.process = None
        self.start()

    def start(self):
        """Starts the process and waits until it listens."""
        home = self.lab.hop(self.hop)
        for address in self.listen:
            if is_listening(address):
                raise Rejected(f"{self.hop} cannot listen on {address}: somebody else does")
        said = self.lab.private / f"{self.hop}.out"
        with open(self.log_path or said, "ab") as out, open(said, "ab") as err:
            self.process = subprocess.Popen(
                self.argv, cwd=home, env=self.env, stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, start_new_session=True)
        try:
            for address in self.listen:
                wait_listening(address, self.process, self.hop)
        except Rejected:
            self.stop()
            raise

    @property
    def pid(self):
        """The process id: of an nginx, the master's."""
        return self.process.pid

    def signal(self, number):
        """Sends a signal to the process itself."""
        self.process.send_signal(number)

    def workers(self):
        """Process ids of the children, lowest first."""
        path = f"/proc/{self.pid}/task/{self.pid}/children"
        return sorted(int(pid) for pid in Path(path).read_text().split())

    def kill(self):
        """Kills the process the hard way and returns the laboratory time of it."""
        at = now_us()
        self.process.kill()
        self.process.wait()
        return at

    def stop(self):
        """Stops the process and everything it started."""
        if self.process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
                return


def is_listening(address):
    """Whether a listening socket is bound to (host, port). Reads the kernel's table: connecting
    would leave traces in the logs."""
    host, port = address
    host_hex = socket.inet_aton(host)[::-1].hex().upper()
    wanted = (f"{host_hex}:{port:04X}", f"00000000:{port:04X}")
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[1] in wanted:
            return True
    return False


def wait_listening(address, process, hop):
    """Returns once somebody listens on the address; raises if the process ends or never does."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Rejected(f"{hop} ended with {process.returncode} before it listened on {address}")
        if is_listening(address):
            return
        time.sleep(0.005)
    raise Rejected(f"{hop} does not listen on {address}")


class Lab:
    """One capture: its run directory, its servers, its seeded randomness, its findings."""

    def __init__(self, incident, seed=1, small=False):
        self.incident, self.small = incident, small
        self.random = random.Random(f"{incident}:{seed}")
        self.run = Path(tempfile.mkdtemp(prefix="lab-"))
        self.run.chmod(0o755)  # nginx workers run as another user.
        self.private = self.run / "private"
        self.private.mkdir()
        self.servers, self.closers, self.versions, self.hops = [], [], {}, []
        self.sent, self.stories, self.lock = [], {}, threading.Lock()
        # Headers that a client adds by itself: (source address, token) -> dict.
        self.client_headers = lambda source, token: {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        if os.environ.get("LAB_KEEP"):
            print(f"kept {self.run}", file=sys.stderr)
        else:
            shutil.rmtree(self.run, ignore_errors=True)

    def stop(self):
        """Stops every server, the outermost hop first, then the peers and listeners."""
        for server in reversed(self.servers):
            server.stop()
        for close in reversed(self.closers):
            close()
        self.servers, self.closers = [], []

    def pick(self, full, small):
        """`small` in a small capture (for the live tests), else `full`."""
        return small if self.small else full

    def hop(self, name):
        """The directory of a hop, with `conf/` and `logs/`; made at first use."""
        home = self.run / name
        if name not in self.hops:
            for part in ("conf", "logs", "tmp"):
                (home / part).mkdir(parents=True, exist_ok=True)
            self.hops.append(name)
        return home

    def config(self, hop, name, text):
        """Writes a configuration file of a hop; it becomes `configs/<hop>/<name>`."""
        path = self.hop(hop) / "conf" / name
        path.write_text(text)
        return path

    def environment(self, tz="UTC", shift=None, **more):
        """The environment of a server: its zone, and its clock's error such as "+2.3s"."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.run), "LANG": "C.UTF-8", "TZ": tz}
        if shift:
            # Timers live on the monotonic clock, which must stay true.
            env |= {"LD_PRELOAD": faketime_library(), "FAKETIME": shift,
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        return env | more

    def spawn(self, hop, argv, listen, env=None, log=None):
        """Starts a server in the hop's directory; `listen` is a list of (host, port) to wait for.

        `log` is the path for its standard output where that is the log (its standard error then
        goes to `private/`)."""
        self.hop(hop)
        server = Server(self, hop, argv, listen, env or self.environment(), log)
        self.servers.append(server)
        return server

    def nginx(self, hop, conf, listen, **clock):
        """Starts nginx with the prefix set to the hop's directory, so that paths are relative."""
        binary = program("nginx", "apt-get install nginx")
        self.versions["nginx"] = version([binary, "-v"], r"nginx/(\S+)")
        self.config(hop, "nginx.conf", conf)
        argv = [binary, "-p", str(self.hop(hop)), "-c", "conf/nginx.conf", "-e", "logs/error.log",
                "-g", "daemon off;"]
        return self.spawn(hop, argv, listen, self.environment(**clock))

    def haproxy(self, hop, conf, listen, **clock):
        """Starts HAProxy in the foreground. Give it a log target with `syslog`."""
        binary = program("haproxy", "apt-get install haproxy")
        self.versions["haproxy"] = version([binary, "-v"], r"version (\S+?)-")
        self.config(hop, "haproxy.cfg", conf)
        argv = [binary, "-db", "-f", "conf/haproxy.cfg"]
        return self.spawn(hop, argv, listen, self.environment(**clock))

    def node_app(self, hop, settings, **clock):
        """Starts the shop application (`apps/shop.js`) with these settings (see there).

        Its log is `logs/app.log`, its settings `configs/<hop>/settings.json`, and what it really
        received goes to the laboratory's side channel, `side_events`."""
        binary = program("node", "apt-get install nodejs")
        modules = node_modules(NODE_PACKAGES)
        self.versions["node"] = version([binary, "-v"], r"v(\S+)")
        self.versions["pino-http"] = json.loads(
            (modules / "pino-http/package.json").read_text())["version"]
        self.config(hop, "settings.json", json.dumps(settings, indent=2) + "\n")
        env = self.environment(**clock, LAB_SIDE=str(self.private / f"{hop}.side"))
        return self.spawn(hop, [binary, str(HERE / "apps/shop.js"), "conf/settings.json"],
                          [(settings["host"], settings["port"])], env,
                          log=self.hop(hop) / "logs/app.log")

    def side_events(self, hop):
        """What the application of a hop noted in the side channel, in order."""
        path = self.private / f"{hop}.side"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def syslog(self, hop, address, name="haproxy.log"):
        """Listens for syslog datagrams and writes them, without the priority, as received."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(address)
        path = self.hop(hop) / "logs" / name
        done = threading.Event()

        def receive():
            listener.settimeout(0.1)
            with open(path, "ab") as log:
                while not done.is_set():
                    with contextlib.suppress(TimeoutError):
                        text = listener.recv(65535)
                        log.write(re.sub(rb"^<\d+>", b"", text).rstrip(b"\n\0") + b"\n")
                        log.flush()

        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        self.closers.append(lambda: (time.sleep(0.2), done.set(), thread.join(), listener.close()))

    def rotate(self, server, name):
        """Rotates an nginx log as logrotate does: rename, USR1, gzip. Gives `<name>.1.gz`."""
        log = self.hop(server.hop) / "logs" / name
        old = log.with_name(name + ".1")
        log.rename(old)
        server.signal(signal.SIGUSR1)
        time.sleep(1.0)  # Workers reopen at once; lines already on their way end in the old file.
        pack(old)

    def rotate_at_end(self, hop, *names):
        """Rotates logs of a hop whose servers have ended, as the night does. Gives `<name>.1.gz`."""
        for name in names:
            log = self.hop(hop) / "logs" / name
            pack(log.rename(log.with_name(name + ".1")))

    def log_lines(self, hop, name):
        """All lines of a log, its rotated parts first."""
        lines = []
        for file in sorted((self.hop(hop) / "logs").glob(name + "*"), reverse=True):
            data = file.read_bytes()
            data = gzip.decompress(data) if file.suffix == ".gz" else data
            lines += data.decode("utf-8", "replace").splitlines()
        return lines

    def collect(self, out):
        """Copies logs and configurations into the sample directory, and checks that nothing in
        them speaks of this machine."""
        sample = Path(out) / self.incident
        for part in ("logs", "configs"):
            shutil.rmtree(sample / part, ignore_errors=True)
        for hop in self.hops:
            for part, source in (("logs", "logs"), ("configs", "conf")):
                files = [f for f in sorted((self.run / hop / source).iterdir())
                         if f.is_file() and f.suffix != ".pid"]
                for file in files:
                    target = sample / part / hop / file.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
        check_neutral(sample, self.run)
        return sample


def pack(log):
    """Compresses a log that nobody writes any more."""
    packed = gzip.GzipFile(str(log) + ".gz", "wb", mtime=0)
    with packed, open(log, "rb") as plain:
        shutil.copyfileobj(plain, packed)
    log.unlink()


def check_neutral(sample, run):
    """Raises `Rejected` if any file of the sample names a path or the name of this machine."""
    words = [str(run), "/tmp/", "/work", "/root", str(HERE), str(Path.home()) + "/"]
    if len(socket.gethostname()) > 3:
        words.append(socket.gethostname())
    for file in sorted(sample.rglob("*")):
        if not file.is_file():
            continue
        data = file.read_bytes()
        text = gzip.decompress(data) if file.suffix == ".gz" else data
        for word in words:
            if word.encode() in text:
                raise Rejected(f"{file.name} speaks of this machine: {word}")


def version(argv, pattern):
    """The version a program states about itself, the first group of the pattern."""
    said = subprocess.run(argv, capture_output=True, text=True, check=False)
    found = re.search(pattern, said.stdout + said.stderr)
    return found.group(1) if found else "unknown"


def node_modules(packages):
    """Installs npm packages beside this file if they are not there yet; gives `node_modules`."""
    modules = HERE / "node_modules"
    names = [package.rsplit("@", 1)[0] for package in packages]
    if all((modules / name / "package.json").exists() for name in names):
        return modules
    npm = program("npm", "apt-get install npm")
    done = subprocess.run(
        [npm, "install", "--prefix", str(HERE), "--no-package-lock", "--no-save", "--no-audit",
         "--no-fund", *packages], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [""]
        raise Missing("node module " + ", ".join(names),
                      f"npm install {' '.join(packages)} ({last[0]})")
    return modules
