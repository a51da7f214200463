"""The repair's child process: asked from the live state, answered within seconds, kept as proposals.

Like the solver of drafts it never runs in a process that serves pages, because it holds Python's lock.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy.orm import Session

from fleet.errors import FleetError, NotFound
from fleet.planning import repair
from fleet.planning.ledger import tell
from fleet.planning.repair_shapes import Disrupted
from fleet.store import Plan, Repair
from web import clock, roads
from web.db import write

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent
GRACE_S = 25.0
"""How much later than promised an answer may come before the child is ended."""
STEP_S = 0.1
"""When time is up and there is no answer yet, it is looked for this often."""
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
        folder.mkdir(parents=True, exist_ok=True)
        answer = _answer(lambda: _request(repair_id, now=now), folder, until, seed)

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


def _request(repair_id: int, *, now: datetime) -> str:
    # From a snapshot, without the write lock that clerks need.
    with Session(current_app.extensions["writer"].engine) as session:
        made = _get(session, repair_id)
        tiles = str(roads.tiles()) if roads.avoids_closed() else None
        return json.dumps(repair.prepare_request(session, made, now=now, tiles=tiles))


def _answer(request: Callable[[], str], folder: Path, until: float, seed: int) -> dict[str, object]:
    """Return the child's answer. It loads while the request is prepared. When time is up, what it has found by then
    counts; if that is nothing yet, it may take longer."""
    threads = current_app.extensions["settings"].solver_threads
    argv = [
        sys.executable, "-m", "routing.repair", "-",
        "--out", str(folder / "answer.json"), "--until", f"{until:.3f}", "--seed", str(seed), "--threads", str(threads),
    ]  # fmt: skip
    if nice := shutil.which("nice"):
        argv = [nice, "-n", NICE, *argv]
    kept = {k: v for k, v in os.environ.items() if k in PASSED_ON}
    with (
        (folder / "said").open("w+b") as said,
        subprocess.Popen(
            argv, cwd=ROOT, env=kept, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        ) as child,
    ):  # fmt: skip
        try:
            _hand_over(child, request())
            code = _wait(child, folder / "answer.json", until)
        finally:
            child.kill()
        if code is not None and code != 0:
            said.seek(0)
            text = said.read().decode(errors="replace").strip()
            raise _Failed(f"solver_ended: code {code}. {text[-400:]}")
    try:
        answer = json.loads((folder / "answer.json").read_bytes())
    except (OSError, ValueError) as error:
        raise _Failed(f"no_plan: {type(error).__name__}") from error
    return dict(answer)


def _hand_over(child: subprocess.Popen[bytes], request: str) -> None:
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended: its code says why
        child.stdin.write(request.encode())
        child.stdin.close()


def _wait(child: subprocess.Popen[bytes], answer: Path, until: float) -> int | None:
    """Return the child's exit code; None when it is left at work because there is an answer and time is up."""
    give_up = max(time.time(), until) + GRACE_S
    step = until - time.time()
    while True:
        try:
            return child.wait(timeout=max(STEP_S, step))
        except subprocess.TimeoutExpired:
            if answer.exists():
                return None
            if time.time() >= give_up:
                raise _Failed("too_long: the repair did not end in time") from None
        step = STEP_S


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
