"""Which commands make up a batch."""

from __future__ import annotations

import subprocess
import sys
from queue import SimpleQueue

from web.gathering import MOST, at_once

WRITER = """
from gevent import monkey; monkey.patch_all()
import time, threading, queue
import gevent
from web.gathering import Together

def run(clients, rounds, pause):
    # So many clients that each ask again when they have been answered, and think for `pause` in between.
    asked, gather, sizes = queue.SimpleQueue(), Together(), []
    def client():
        for _ in range(rounds):
            gate = gevent.event.Event()
            asked.put(gate)
            gate.wait()
            gevent.sleep(pause)
    import gevent.event
    people = [gevent.spawn(client) for _ in range(clients)]
    answered = 0
    began = time.perf_counter()
    while answered < clients * rounds:
        batch = [asked.get()]
        gather(asked, batch)
        sizes.append(len(batch))
        gevent.sleep(0.002)  # the transaction
        answered += len(batch)
        for gate in batch:
            gate.set()
    gevent.joinall(people)
    return time.perf_counter() - began, sizes
"""


def run(code: str) -> str:
    """What a process of its own prints: gevent's patches are for good."""
    done = subprocess.run(
        [sys.executable, "-c", WRITER + code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_what_has_queued_up_is_taken_up_to_a_limit() -> None:
    """A batch takes all that is there, never more than `MOST`."""
    asked: SimpleQueue[int] = SimpleQueue()
    for number in range(MOST + 5):
        asked.put(number)
    batch = [-1]
    at_once(asked, batch)
    assert batch == [-1, *range(MOST - 1)]
    assert asked.qsize() == 6


def test_one_client_never_waits_for_others() -> None:
    """Thirty tickets one after the other take thirty transactions, and not thirty waits of 15 ms (450 ms)."""
    took, most = run("took, sizes = run(1, 30, 0.0); print(took, max(sizes))").split()
    assert int(most) == 1
    assert float(took) < 0.3


def test_clients_who_wait_for_their_answers_come_together() -> None:
    """Sixteen clients that think for a moment between two tickets share transactions ten and more at a time."""
    middle = run("took, sizes = run(16, 40, 0.001); print(sorted(sizes)[len(sizes) // 2])")
    assert int(middle) >= 10
