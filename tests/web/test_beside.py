"""Group commit on SQLite beside gevent's hub: statements in a native thread, all else among the greenlets, two batches
under way. Everybody gets an answer, nobody is lost, whatever fails in whichever of the two."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
from gevent import monkey; monkey.patch_all()
import collections, fcntl, json, sys, time
import gevent
import sqlalchemy as sa
from sqlalchemy.orm import Session
import fleet.store  # its tables belong to the metadata
from queueing.counter import CallNext, Issue, issue
from queueing.engine import begin_write, make_engine
from queueing.errors import QueueingError
from queueing.rebuild import check
from queueing.store import Base, Ticket
from tests.builders import MORNING, make_place
from web.ahead import Batch
from web.batching import Batcher, beside_hub
from web.db import Turnstile

file = sys.argv[1]
engine = make_engine("sqlite:///" + file)
Base.metadata.create_all(engine)
with Session(engine, expire_on_commit=False) as session:
    begin_write(session)
    place = make_place(session)
    session.commit()
batcher = Batcher(engine, Turnstile(file), lambda: None)
queue = place.queue.id
answers, sizes, ends = collections.Counter(), [], collections.Counter()
store, end = Batch.store, Batch.end
def stored(self):
    sizes.append(len(self.works))
    self.was = "ahead" if self._behind is not None else "alone"
    store(self)
def ended(self):
    try:
        end(self)
    except Exception as error:
        ends[self.was, "overtaken" if "overtaken" in str(error) else "refused"] += 1
        raise
    ends[self.was, "stands"] += 1
Batch.store, Batch.end = stored, ended

class Broken:
    queue_id = queue
    def ask(self, needs, zone):
        return Issue(queue, "id", "never", "kiosk", MORNING).ask(needs, zone)
    def carry_out(self, ledger):
        raise ZeroDivisionError("on purpose, between load and store")

def person(number):
    for turn in range(6):
        name = f"{number}-{turn}"
        command = Issue(queue, "id", name, "kiosk", MORNING)
        if number % 10 == 3:
            command = Issue(queue, "nothing", name, "kiosk", MORNING)
        elif number % 10 == 5 and turn % 3 == 1:
            command = Broken()
        elif number % 10 == 7:  # the database refuses all of these but one, and with them the whole batch at first
            command = Issue(queue, "id", name, "kiosk", MORNING, new_code=lambda: "the same")
        elif number % 10 == 9:
            command = CallNext(queue, place.desks[number // 10 % 2].id, name, "clerk", MORNING)
        try:
            done = batcher(command)
            answers["none" if done is None else done.event.action] += 1
        except Exception as error:
            answers[error.code if isinstance(error, QueueingError) else type(error).__name__] += 1

gevent.joinall([gevent.spawn(person, number) for number in range(20)], raise_error=True)

# They come one by one, at moments of their own; then again, while somebody else writes on a connection of their own.
def comer(number, name):
    for turn in range(5):
        gevent.sleep(0.0007 * (number * 5 % 13))
        batcher(Issue(queue, "id", f"{name}-{number}-{turn}", "kiosk", MORNING))
        if number == 7:  # what cannot even be written down: it breaks the store of everybody it stands with
            try:
                batcher(Issue(queue, "id", f"{name}-object-{turn}", object(), MORNING))
            except TypeError:
                answers["TypeError"] += 1

def other(turn):
    with elsewhere, Session(engine) as session:
        begin_write(session)
        issue(session, place.queue, "id", request_id=f"other-{turn}", actor="elsewhere", now=MORNING)
        session.commit()

def others():
    for turn in range(12):
        gevent.sleep(0.004)
        beside(other, turn)  # never in the hub: whoever has the turn may be waiting for the hub to decide

alone = ends.copy()
elsewhere, beside = Turnstile(file), beside_hub()
comers = [gevent.spawn(comer, number, "quiet") for number in range(12)]
gevent.joinall(comers, raise_error=True)
comers = [gevent.spawn(comer, number, "beside") for number in range(12)]
gevent.joinall([*comers, gevent.spawn(others)], raise_error=True)
ends -= alone

# Another process has the turn: the greenlets go on, the ticket comes when it is given back.
held = open(file + "-turn", "a")
fcntl.flock(held, fcntl.LOCK_EX)
waiting = gevent.spawn(batcher, Issue(queue, "id", "last", "kiosk", MORNING))
ticks = 0
until = time.monotonic() + 0.2
while time.monotonic() < until:
    gevent.sleep(0.005)
    ticks += 1
waited = not waiting.dead
fcntl.flock(held, fcntl.LOCK_UN)
last = waiting.get(timeout=20)
with Session(engine) as session:
    numbers = sorted(session.scalars(sa.select(Ticket.number)))
    print(json.dumps({
        "answers": answers, "waited": waited, "ticks": ticks, "last": last.ticket.number == numbers[-1],
        "gaps": numbers != list(range(1, len(numbers) + 1)), "tickets": len(numbers), "faults": check(session),
        "several": max(sizes) > 1, "ends": {" ".join(key): n for key, n in ends.items()},
    }))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process of its own saw: gevent's patches are for good."""
    pytest.importorskip("gevent", reason="gevent is not installed")
    file = tmp_path_factory.mktemp("beside") / "queues.db"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(file)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_everybody_has_an_answer_and_what_is_wrong_hurts_nobody_else(seen: Any) -> None:
    """120 requests of twenty people: each is answered as it deserves, tickets run without gap, events agree."""
    answers = seen["answers"]
    assert answers.pop("TypeError") == 2 * 5
    assert sum(answers.values()) == 120
    assert answers["unknown_service"] == 12
    assert answers["ZeroDivisionError"] == 4
    assert answers["IntegrityError"] == 11
    assert answers["issue"] == seen["tickets"] - 1 - 2 * 12 * 5 - 12 == 120 - 12 - 4 - 11 - 12
    assert answers.get("call", 0) + answers.get("none", 0) == 12
    assert (seen["gaps"], seen["faults"]) == (False, [])
    assert seen["several"]


def test_the_next_batch_is_decided_on_while_the_one_before_is_flushed(seen: Any) -> None:
    """Such batches stand, but for those before whose commit somebody else wrote: these are seen and done anew (no gap,
    no number twice, nobody without an answer: the test before)."""
    assert seen["ends"].get("ahead stands", 0) > 0
    assert seen["ends"].get("ahead overtaken", 0) > 0
    assert seen["ends"].get("alone refused", 0) == 0


def test_who_waits_for_another_process_stops_nobody(seen: Any) -> None:
    """While another process holds the turn the greenlets run on; then the ticket is there."""
    assert seen["waited"]
    assert seen["ticks"] >= 10
    assert seen["last"]
