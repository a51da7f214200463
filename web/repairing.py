"""The repair's child process: asked from the live state, answered within seconds, kept as proposals.

Like the solver of drafts it never runs in a process that serves pages, because it holds Python's lock.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy.orm import Session

from fleet.errors import FleetError, NotFound
from fleet.planning import repair
from fleet.planning.ledger import tell
from fleet.planning.repair_shapes import Disrupted
from fleet.store import Plan, Repair
from web import clock
from web.db import write

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent
GRACE_S = 25.0
"""How much later than promised an answer may come before the child is ended."""
NICE = "2"
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")


def report(disrupted: Disrupted, *, actor: str, reason: str = "") -> int:
    """Note what happened and return the repair's id; raises what `report_disruption` raises."""
    now = clock.now()

    def work(session: Session) -> int:
        made = repair.report_disruption(session, disrupted, actor=actor, now=now, reason=reason)
        return made.id

    return write(work)


def start(disrupted: Disrupted, *, actor: str, reason: str = "") -> int:
    """Note what happened and work out proposals in the background; returns the repair's id at once."""
    repair_id = report(disrupted, actor=actor, reason=reason)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    began = time.time()

    def run() -> None:
        with app.app_context():
            propose(repair_id, began=began)

    threading.Thread(target=run, name=f"repair-{repair_id}", daemon=True).start()
    return repair_id


def propose(
    repair_id: int, *, began: float | None = None, seconds: float = repair.SECONDS, seed: int = 1
) -> str:
    """Work out the proposals of a repair here and return its status, `proposed` or `failed`. The `seconds` count from
    `began` (a clock time), the process's start included."""
    until = (began or time.time()) + seconds
    folder: Path = current_app.extensions["settings"].data_dir / "solving" / f"repair-{repair_id}"
    now = clock.now()
    try:
        _ask(repair_id, folder, now=now)
        answer = _answer(folder, until, seed)

        def keep(session: Session) -> None:
            repair.keep_proposals(session, _get(session, repair_id), answer, now=now)
            _tell(session, repair_id)

        write(keep)
    except FleetError as error:
        _fail(repair_id, f"{error.code}: {error.message}")
    except _Failed as error:
        _fail(repair_id, str(error))
    except Exception as error:
        LOG.exception("repair %s failed", repair_id)
        _fail(repair_id, f"internal: {type(error).__name__}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with Session(current_app.extensions["writer"].engine) as session:
        return _get(session, repair_id).status


class _Failed(Exception):
    """The child gave no answer; the text is `code: detail`."""


def _ask(repair_id: int, folder: Path, *, now: datetime) -> None:
    # From a snapshot, without the write lock that clerks need.
    with Session(current_app.extensions["writer"].engine) as session:
        request = repair.prepare_request(session, _get(session, repair_id), now=now)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "request.json.gz").write_bytes(gzip.compress(json.dumps(request).encode(), 1))


def _answer(folder: Path, until: float, seed: int) -> dict[str, object]:
    threads = current_app.extensions["settings"].solver_threads
    argv = [
        sys.executable, "-m", "routing.repair", str(folder / "request.json.gz"),
        "--out", str(folder / "answer.json"), "--until", f"{until:.3f}", "--seed", str(seed), "--threads", str(threads),
    ]  # fmt: skip
    if nice := shutil.which("nice"):
        argv = [nice, "-n", NICE, *argv]
    kept = {k: v for k, v in os.environ.items() if k in PASSED_ON}
    try:
        done = subprocess.run(
            argv, cwd=ROOT, env=kept, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=max(1.0, until - time.time()) + GRACE_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _Failed("too_long: the repair did not end in time") from error
    if done.returncode != 0:
        raise _Failed(f"solver_ended: code {done.returncode}. {done.stderr.strip()[-400:]}")
    try:
        answer = json.loads((folder / "answer.json").read_bytes())
    except (OSError, ValueError) as error:
        raise _Failed(f"no_plan: {type(error).__name__}") from error
    return dict(answer)


def _get(session: Session, repair_id: int) -> Repair:
    made = session.get(Repair, repair_id)
    if made is None:
        raise NotFound("repair_not_found", "There is no such repair.", repair=repair_id)
    return made


def _fail(repair_id: int, message: str) -> None:
    def work(session: Session) -> None:
        repair.fail_repair(session, _get(session, repair_id), message)
        _tell(session, repair_id)

    write(work)


def _tell(session: Session, repair_id: int) -> None:
    """Let the pages that wait for it hear, in the same transaction."""
    made = _get(session, repair_id)
    plan = session.get_one(Plan, made.plan_id)
    tell(session, plan, "repair", {"repair": made.id, "status": made.status}, clock.now())
