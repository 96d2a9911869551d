"""Peers that misbehave at the level of TCP: what no HTTP server can be asked to do."""

import contextlib
import socket
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


def deaf_peer(lab, address):
    """Listens with a full accept queue and never accepts, so that further SYNs go unanswered."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(0)
    fillers = []
    for _ in range(8):
        filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            filler.connect(address)
        fillers.append(filler)
    lab.closers.append(lambda: [close(one) for one in [*fillers, listener]])


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
