"""Tickets are taken and called in this process while the disk is recorded; run as a process of its own:

    python -m tests.crash.workload FOLDER FULL|NORMAL|OFF TICKETS > log.pickle

The whole application over SQLite, asked by eight threads as HTTP would ask it. Written out: what SQLite did with the
disk, in order, and in between ("answer", request id, ticket code) at the moment each answer was there.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import event

from tests.bench.bench_tickets_world import Counter, build
from tests.crash.disk import Entry, record

CLERKS = 2
KIOSKS = 6
QUEUES = 2


def run(folder: Path, synchronous: str, tickets: int) -> list[Entry]:
    """Do it; the log."""
    log: list[Entry] = []
    record(folder, log)
    url = f"sqlite:///{folder / 'tickets.db'}"
    places = build(url, queues=QUEUES, desks_each=CLERKS)
    os.environ |= {"DATABASE_URL": url, "DATA_DIR": str(folder.parent), "SCHEDULER": "0", "DEMO": "0"}
    from web.app import create_app
    from web.settings import from_environment

    app = create_app(from_environment())
    engine = app.extensions["writer"].engine
    if synchronous != "FULL":  # the controls

        @event.listens_for(engine, "connect")
        def _set(connection: Any, _record: Any) -> None:
            connection.execute(f"PRAGMA synchronous = {synchronous}")

        engine.dispose()
    log.append(("ready",))
    share = tickets // KIOSKS
    works = [
        threading.Thread(target=_kiosk, args=(app, places[n % QUEUES], n, share, log)) for n in range(KIOSKS)
    ]
    works += [threading.Thread(target=_clerk, args=(app, places[n], n, share, log)) for n in range(CLERKS)]
    for one in works:
        one.start()
    for one in works:
        one.join()
    return list(log)  # what the closing of connections does comes after


def _ask(app: Any, path: str, token: str, body: dict[str, str], log: list[Entry]) -> None:
    answer = app.test_client().post(path, json=body, headers={"Authorization": f"Bearer {token}"})
    if answer.status_code in (200, 201):
        log.append(("answer", body["request_id"], answer.json["ticket"]))
    elif answer.status_code != 204:
        raise RuntimeError(f"{path}: {answer.status} {answer.text}")


def _kiosk(app: Any, place: Counter, number: int, count: int, log: list[Entry]) -> None:
    for n in range(count):
        body = {"service": "id", "request_id": f"i-{number}-{n}"}
        _ask(app, f"/api/v1/queues/{place.queue}/tickets", place.kiosk, body, log)


def _clerk(app: Any, place: Counter, number: int, count: int, log: list[Entry]) -> None:
    desk, token = place.desks[0]
    for n in range(count):
        _ask(app, f"/api/v1/desks/{desk}/next", token, {"request_id": f"c-{number}-{n}"}, log)


if __name__ == "__main__":
    written = run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    sys.stdout.buffer.write(pickle.dumps(written))
    sys.stdout.flush()
    os._exit(0)
