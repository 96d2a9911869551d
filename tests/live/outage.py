"""Processes that die while they work: kill, wait, restart, and the truth about who was hit."""

import threading
import time
from dataclasses import dataclass

from lab import now_us
from traffic import fault_request


@dataclass
class Outage:
    """One span in which a process was gone. Times in microseconds, laboratory clock."""

    kill_us: int
    up_us: int
    # When the killed process had been reaped, its sockets closed: shortly after `kill_us`.
    dead_us: int = 0


def kill_while_busy(lab, server, target, sources, fault, ages, refused, down):
    """Sends requests of different ages (seconds before the kill, `fault.directive` makes them
    last), kills the process, sends `refused` more while it is down, restarts after `down` s.

    Returns the `Outage`. `fault` is for those in flight; `refused` is (fault, count)."""
    threads = []
    longest = max(ages)
    for i, age in enumerate(sorted(ages, reverse=True)):
        args = (lab, target, lab.random.choice(sources), fault,
                fault.methods[i % len(fault.methods)], fault.paths[i % len(fault.paths)])
        threads.append(threading.Timer(longest - age, fault_request, args))
        threads[-1].start()
    time.sleep(longest)
    kill_us = server.kill()
    dead_us = now_us()
    refused_fault, count = refused
    for i in range(count):
        time.sleep(down / (count + 1))
        fault_request(lab, target, lab.random.choice(sources), refused_fault,
                      refused_fault.methods[i % len(refused_fault.methods)],
                      refused_fault.paths[i % len(refused_fault.paths)])
    time.sleep(down / (count + 1))
    server.start()
    for thread in threads:
        thread.join(10)
    return Outage(kill_us, now_us(), dead_us)


def kept_down(outage, hold_us):
    """The outage, as a proxy lived it that does not try again for so long after a failure."""
    outage.up_us += hold_us
    return outage


def explain_by_outage(sent, outages, received, in_flight, refused):
    """The fault of an unplanned failure that met an outage, or None.

    `received` holds the tokens that reached the application: a request that it had when it was
    killed, or that was on its way until its sockets were closed, was `in_flight`; one that was
    sent while it was down was `refused`."""
    for outage in outages:
        dead_us = max(outage.kill_us, outage.dead_us)
        if sent.start_us <= dead_us and outage.kill_us <= sent.end_us:
            return in_flight
        during = outage.kill_us - 5_000 <= sent.end_us and sent.start_us <= outage.up_us
        if sent.token not in received and during:
            return refused
    return None


def received_tokens(lab, hop):
    """Tokens of all requests that reached the application of a hop."""
    return {event.get("token") for event in lab.side_events(hop) if event["e"] == "req"}
