"""Power cuts at any moment: whatever the disk kept of what was under way, every acknowledged ticket is there.

The application runs over SQLite in a process of its own while what SQLite asks of the disk is noted (disk.py). The log
is then cut anywhere, the files are made as a disk might leave them, and the database is opened as the product does it.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from queueing.engine import make_engine
from queueing.rebuild import check
from queueing.store import Ticket, TicketEvent
from tests.bench.bench_tickets_world import ROOT, audit
from tests.crash.disk import Disk, Entry, NoRecorder, _default_vfs

SHORT_CUTS, LONG_CUTS = 20, 240
SHORT_TICKETS, LONG_TICKETS = 150, 900


@pytest.fixture(autouse=True)
def _reachable() -> None:
    try:
        _default_vfs()
    except NoRecorder as reason:
        pytest.skip(str(reason))


def recorded(folder: Path, synchronous: str, tickets: int) -> list[Entry]:
    """The log of one run of the application."""
    (folder / "db").mkdir(parents=True)
    command = [sys.executable, "-m", "tests.crash.workload", str(folder / "db"), synchronous, str(tickets)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=280)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    log: list[Entry] = pickle.loads(done.stdout)  # noqa: S301 - our own process wrote it
    return log


def moments(log: Sequence[Entry], cuts: int, random: Random) -> list[int]:
    """Where to cut: a third right at an answer, the moment that matters most; the others anywhere."""
    ready = log.index(("ready",))
    answers = [n for n, entry in enumerate(log) if entry[0] == "answer"]
    chosen = [random.choice(answers) + 1 for _ in range(cuts // 3)]
    chosen += [random.randrange(ready + 1, len(log) + 1) for _ in range(cuts - len(chosen))]
    return sorted(chosen)


def cut(log: Sequence[Entry], cuts: int, folder: Path, seed: int) -> dict[str, int]:
    """Cut the power so often; how many cuts lost an answer, how many broke the file or the books."""
    random = Random(seed)
    found = {"cuts": 0, "answers": 0, "lost": 0, "broken": 0}
    disk, at = Disk(), 0
    for moment in moments(log, cuts, random):
        for entry in log[at:moment]:
            disk.forward(entry)
        at = moment
        answers = {entry[1]: entry[2] for entry in log[:moment] if entry[0] == "answer"}
        here = folder / str(found["cuts"])
        here.mkdir()
        for name, content in disk.after_a_cut(random).items():
            (here / name).write_bytes(content)
        lost, broken = look(here / "tickets.db", answers)
        found["cuts"] += 1
        found["answers"] = len(answers)
        found["lost"] += bool(lost)
        found["broken"] += bool(broken)
        for file in here.iterdir():
            file.unlink()
    return found


def look(path: Path, answers: dict[str, str]) -> tuple[list[str], list[str]]:
    """Open what is left as the product does: (acknowledged requests that are not there as they were answered, what
    contradicts itself)."""
    url = f"sqlite:///{path}"
    engine = make_engine(url)
    try:
        with Session(engine) as session:
            said = session.execute(text("PRAGMA integrity_check")).scalars().all()
            if said != ["ok"]:
                return [], list(said)
            codes = select(TicketEvent.request_id, Ticket.code).join(
                Ticket, Ticket.id == TicketEvent.ticket_id
            )
            there = {row[0]: row[1] for row in session.execute(codes)}
            lost = [request for request, code in answers.items() if there.get(request) != code]
            broken = [str(one) for one in check(session)]
        broken += [f"{name}: {n}" for name, n in audit(url).items() if name != "tickets" and n]
        return lost, broken
    except DatabaseError as error:
        return [], [str(error)]
    finally:
        engine.dispose()


@pytest.mark.timeout(900)
def test_no_acknowledged_ticket_is_lost_and_without_the_flush_some_are(tmp_path: Path) -> None:
    """Twenty power cuts with the product's settings lose nothing; the same with synchronous=NORMAL, the control, lose
    answers, so this test can fail."""
    log = recorded(tmp_path / "full", "FULL", SHORT_TICKETS)
    found = cut(log, SHORT_CUTS, tmp_path / "full", seed=1)
    assert found["answers"] > SHORT_TICKETS
    assert (found["lost"], found["broken"]) == (0, 0), found
    control = cut(
        recorded(tmp_path / "normal", "NORMAL", SHORT_TICKETS), SHORT_CUTS, tmp_path / "normal", seed=1
    )
    assert control["lost"] > 0, control


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL", "OFF"])
def test_two_hundred_and_forty_cuts(synchronous: str, tmp_path: Path) -> None:
    """FULL loses nothing and breaks nothing. The controls: NORMAL loses answers but keeps the file whole, OFF breaks
    it."""
    log = recorded(tmp_path / "run", synchronous, LONG_TICKETS)
    found = cut(log, LONG_CUTS, tmp_path / "run", seed=2)
    print(synchronous, found)
    if synchronous == "OFF":
        assert found["broken"] > 0, found
        return
    assert found["broken"] == 0, found
    assert (found["lost"] > 0) == (synchronous == "NORMAL"), found
