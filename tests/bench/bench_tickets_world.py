"""What the benchmark of tickets serves: queues with desks and tokens, a real server with our application, the echo
and the control beside it on the same kind of server, and the audit of what they wrote."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

import fleet.store  # noqa: F401  (its tables belong to the metadata that is created)
from queueing import desks
from queueing.counter import Issue
from queueing.engine import begin_write, make_engine
from queueing.store import Base, Desk, Queue, QueueService, Service
from queueing.turn import Done, bank_on, carry_out
from tests.bench.bench_tickets_apps import CONTROL, make_control_table
from web.accounts import new_token

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0


@dataclass(frozen=True)
class Counter:
    """One queue as clients need it: its id, its kiosk's token, and (desk id, token) of its desks."""

    queue: int
    kiosk: str
    desks: tuple[tuple[int, str], ...]


def build(url: str, *, queues: int, desks_each: int) -> list[Counter]:
    """Make the tables and `queues` open queues with desks and tokens; the control's table, too."""
    engine = make_engine(url)
    Base.metadata.create_all(engine)
    make_control_table(engine)
    now = datetime.now(UTC)
    made = []
    with Session(engine) as session:
        begin_write(session)
        services = [_service(code) for code in ("id", "birth", "licence")]
        session.add_all(services)
        session.flush()
        for number in range(queues):
            queue = Queue(name_ar=f"طابور {number}", name_en=f"Queue {number}", last_number=10_000_000)
            session.add(queue)
            session.flush()
            session.add_all(QueueService(queue_id=queue.id, service_id=s.id) for s in services)
            here = [Desk(queue_id=queue.id, name=str(n + 1)) for n in range(desks_each)]
            session.add_all(here)
            session.flush()
            desks.open_queue(session, queue, actor="bench", now=now)
            for desk in here:
                desks.open_desk(session, desk, actor="bench", now=now)
            made.append(
                Counter(
                    queue.id,
                    new_token(session, "kiosk", now=now, queue_id=queue.id),
                    tuple((d.id, new_token(session, "desk", now=now, desk_id=d.id)) for d in here),
                )
            )
        session.commit()
    engine.dispose()
    return made


def stock(url: str, sites: Sequence[Counter], each: int) -> None:
    """Let `each` people stand in every line beforehand, by the product's own commands: calls can then be quicker than
    tickets for a while without finding nobody."""
    engine = make_engine(url)
    held = engine.raw_connection()
    driver: Any = held.driver_connection
    bank = bank_on(engine.dialect.name, driver, commits=True)
    for n in range(each):
        if engine.dialect.name == "sqlite":
            driver.execute("BEGIN IMMEDIATE")
        now = datetime.now(UTC)
        asked = [Issue(one.queue, "id", f"stock-{one.queue}-{n}", "bench", now) for one in sites]
        for answer in carry_out(bank, asked):
            if not isinstance(answer, Done):
                raise RuntimeError(f"nobody could be put in a line: {answer!r}")
    held.close()
    engine.dispose()


def _service(code: str) -> Service:
    return Service(
        code=code, group_code="papers", name_ar=f"خدمة {code}", name_en=f"Service {code}", agency_code="civil",
        agency_ar="الأحوال المدنية", agency_en="Civil status", minutes_low=3.0, minutes_mode=6.0, minutes_high=12.0,
    )  # fmt: skip


@contextlib.contextmanager
def server(
    app: str, *, workers: int, env: Mapping[str, str], name: str, threads: int | None = None
) -> Iterator[int]:
    """Serve `app` ("ours", "echo" or "control") as the product is served, or in `threads` of each worker; the port it
    listens on."""
    port = free_port()
    given = {**os.environ, "PORT": str(port), "WORKERS": str(workers), "SCHEDULER": "0", "DEMO": "0", **env}
    config = ["-c", "python:web.serve"]
    target = "wsgi:app"
    if app != "ours":
        # The same worker, threads and keep-alive, without what our application starts beside its requests.
        import web.serve as shipped

        kind = shipped.worker_class if threads is None else "gthread"
        config = ["-k", kind, "--threads", str(threads or shipped.threads), "-w", str(workers)]
        config += ["--keep-alive", str(shipped.keepalive), "-b", f"127.0.0.1:{port}"]
        target = f"tests.bench.bench_tickets_apps:{app}()"
    command = [sys.executable, "-m", "gunicorn", *config, target]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, env=given, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + START_S
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"{name} did not start:\n{log.read().decode()[-3000:]}")
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(30)


def _listens(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/api/v1/nothing")
        connection.getresponse().read()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """A Redis of our own."""
    port = free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def load(
    port: int, connections: Sequence[dict[str, Any]], *, processes: int = 2, **job: Any
) -> dict[str, Any]:
    """Drive connections from client processes of their own; their answers added up. `rate` is that of all together."""
    shares = [list(connections[n::processes]) for n in range(processes)]
    if job.get("rate"):
        job["rate"] /= processes
    if job.get("most"):
        job["most"] //= processes
    running = []
    for share in shares:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bench_tickets_client"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(json.dumps({"port": port, "connections": share, **job}))
        process.stdin.close()
        running.append(process)
    answers = []
    for process in running:
        assert process.stdout is not None
        text = process.stdout.read()
        if process.wait() != 0:
            raise RuntimeError("a client broke")
        answers.append(json.loads(text))
    status: dict[str, int] = {}
    for answer in answers:
        for code, count in answer["status"].items():
            status[code] = status.get(code, 0) + count
    return {
        "per_second": sum(a["answered"] for a in answers) / max(a["took"] for a in answers),
        "ms": sorted(ms for a in answers for ms in a["ms"]),
        "status": status,
        "said": [one for a in answers for one in a["said"]],
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the sorted `values` do not exceed."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def audit(url: str, acknowledged: Sequence[str] = ()) -> dict[str, int]:
    """What the database says of a run: tickets, gaps and duplicates of numbers, tickets called twice, tickets without
    exactly one issue, acknowledged codes that are not there. All but the first must be 0."""
    engine = make_engine(url)
    with engine.connect() as connection:

        def one(statement: str) -> int:
            return int(connection.scalar(sa.text(statement)) or 0)

        found = {
            "tickets": one("SELECT count(*) FROM ticket"),
            "gaps": one(
                "SELECT coalesce(sum(top - n), 0) FROM (SELECT max(number) AS top, count(DISTINCT number) AS n"
                " FROM ticket GROUP BY queue_id, day) AS days"
            ),
            "duplicates": one(
                "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM ticket"
                " GROUP BY queue_id, day, number) AS numbers"
            ),
            "double calls": one(
                "SELECT count(*) FROM (SELECT ticket_id FROM ticket_event WHERE action = 'call'"
                " GROUP BY ticket_id HAVING count(*) > 1) AS twice"
            ),
            "without one issue": one(
                "SELECT count(*) FROM ticket WHERE (SELECT count(*) FROM ticket_event AS e"
                " WHERE e.ticket_id = ticket.id AND e.action = 'issue') <> 1"
            ),
            "counters that differ": one(
                "SELECT count(*) FROM queue_day AS d WHERE issued <> (SELECT count(*) FROM ticket AS t"
                " WHERE t.queue_id = d.queue_id AND t.day = d.day)"
            ),
            "seq that differ": one(
                "SELECT count(*) FROM queue AS q WHERE seq <> (SELECT count(*) FROM outbox AS o"
                " WHERE o.topic = 'queue:' || q.id)"
            ),
        }
        if acknowledged:
            there = set(connection.scalars(sa.text("SELECT code FROM ticket")))
            found["lost"] = len(set(acknowledged) - there) + len(acknowledged) - len(set(acknowledged))
    engine.dispose()
    return found


def audit_control(url: str) -> dict[str, int]:
    """How many numbers the control gave more than once."""
    engine = make_engine(url)
    with engine.connect() as connection:
        given = int(connection.scalar(sa.text(f"SELECT count(*) FROM {CONTROL}")) or 0)
        kept = int(
            connection.scalar(
                sa.text(f"SELECT count(*) FROM (SELECT DISTINCT queue_id, number FROM {CONTROL}) AS n")
            )
            or 0
        )
    engine.dispose()
    return {"tickets": given, "duplicates": given - kept}
