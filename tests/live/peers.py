"""Peers that misbehave at the level of TCP: what no HTTP server can be asked to do."""

import contextlib
import random
import re
import socket
import struct
import threading


def silent_peer(lab, address):
    """Accepts every connection, reads what comes, never answers: a TLS client waits for ever."""
    listener = socket.create_server(address, backlog=128)
    held = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                held.append(listener.accept()[0])

    threading.Thread(target=serve, daemon=True).start()
    lab.closers.append(lambda: (close(listener), [close(one) for one in held]))


def deaf_peer(lab, address, at_once=True):
    """Listens with a full accept queue and never accepts, so that further SYNs go unanswered.

    Returns what fills the queue, to be called once, unless it is filled `at_once`."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(0)
    fillers = []

    def fill():
        for _ in range(8):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(address)
            fillers.append(filler)

    lab.closers.append(lambda: [close(one) for one in [*fillers, listener]])
    if at_once:
        fill()
    return fill


def raw_peer(lab, address, answer):
    """Accepts, reads one request head, sends `answer` (bytes) as it is, closes."""
    listener = socket.create_server(address, backlog=128)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                one = listener.accept()[0]
                with contextlib.suppress(OSError):
                    one.settimeout(5)
                    one.recv(65536)
                    one.sendall(answer)
                close(one)

    threading.Thread(target=serve, daemon=True).start()
    lab.closers.append(lambda: close(listener))


def close(one):
    """Closes a socket and wakes whoever sleeps in it."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def scripted_peer(lab, address):
    """An HTTP server that does to each request what its `X-Lab-Fault` header says, and keeps no
    connection: `fin=MS`, `rst=MS`, `partial=MS`, `garbage=MS` (MS may be a range, `90-400`);
    without one it answers 200.

    It writes no log, as a service in somebody else's hands."""
    listener = socket.create_server(address, backlog=128)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                one = listener.accept()[0]
                threading.Thread(target=play, args=(one,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    lab.closers.append(lambda: close(listener))


BODY = b'{"state":"ok"}'
SCRIPTS = {
    "": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY),
    "partial": b"HTTP/1.1 200 OK\r\nContent-Type: applica",
    "garbage": b"\x00\x17SESSION=9 READY cluster-2\r\n",
    "fin": b"", "rst": b"",
}


def play(one):
    """Reads one request and plays its script on the connection."""
    with contextlib.suppress(OSError):
        one.settimeout(10)
        name, wait_ms = script_of(read_request(one))
        threading.Event().wait(wait_ms / 1000)
        one.sendall(SCRIPTS[name])
        if name == "rst":
            # A linger time of zero makes close() send RST.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
            return
    close(one)


def read_request(one):
    """The head of a request; its body, of known length, is read and dropped."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = one.recv(65536)
        if not more:
            raise OSError("closed before the request was complete")
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    missing = (int(length.group(1)) if length else 0) - len(body)
    while missing > 0:
        missing -= len(one.recv(65536))
    return head


def script_of(head):
    """The name of the script and its time in ms; without one, a good answer after 15 ms."""
    found = re.search(rb"(?i)\r\nx-lab-fault: *(\w+)=(\d+)(?:-(\d+))?", head)
    if not found:
        return "", 15
    low = int(found.group(2))
    return found.group(1).decode(), random.randint(low, int(found.group(3) or low))
