"""The laptop's process is killed for real, again and again: what it had acknowledged is at headquarters at the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from queueing.rebuild import check
from queueing.store import TicketEvent
from queueing.store_journal import Choice
from tests.van.cast import Machine, Office
from tests.van.proxy import Proxy


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(4))
def test_a_killed_laptop_loses_nothing_that_it_said(
    van: Machine, office: Office, proxy: Proxy, tmp_path: Path, seed: int
) -> None:
    """SIGKILL at ten random moments, in the middle of commits, sealings and exchanges: every request that was answered
    is at headquarters once, and no copy is suspected."""
    queue, desk = office.world.queue_visit_a, office.world.desks_visit_a[0]
    van.laptop.sync(pull=1)
    van.days()
    van.sit(desk)
    van.off()
    chance = random.Random(seed)
    said: set[str] = set()
    for turn in range(10):
        proxy.fate = lambda _n: chance.choice(["ok", "ok", "unanswered", "half"])
        office.clock.advance(minutes=5)
        seconds = (office.clock.now() - type(office.clock)().now()).total_seconds()
        command = [sys.executable, "-m", "tests.van.worker", str(van.folder), van.url, office.token]
        process = subprocess.Popen(
            [*command, str(queue), str(desk), str(seconds), str(seed * 100 + turn)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2], env=dict(os.environ),
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        time.sleep(chance.uniform(0.3, 3.0))
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        said |= {line for line in rest.split("\n")[:-1] if line}
    proxy.fate = lambda _n: "ok"
    van.on()
    van.laptop.sync(keep_trying=3)
    known = office.read(lambda s: list(s.scalars(select(TicketEvent.request_id))))
    assert len(known) == len(set(known))
    assert said and said <= set(known), sorted(said - set(known))[:3]
    assert office.read(lambda s: check(s, [queue])) == []
    assert office.read(lambda s: s.scalar(select(Choice))) is None
