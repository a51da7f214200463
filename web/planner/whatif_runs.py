"""Reckonings that take seconds, each in a process of its own; their answers are files, found again by what was asked.

A folder `<data>/whatif/<key>` holds one: what it was given while it works (with the process's number), then the answer
or what went wrong. The key says which plan, as it stood, and which question, so an answer can never be taken for that
of another plan, and every process of the server finds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from fleet.planning.blobs import pack
from fleet.planning.whatif import Material, material, reckon_command, state_of
from fleet.store import Plan

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20.0
"""For both solves of a question together."""
GRACE_S = 100.0
"""What comes on top: reading the country, the last steps of a solve that began in time."""
KEPT_S = 14 * 86_400.0
NICE = "5"


@dataclass(frozen=True, slots=True)
class State:
    """How far a reckoning is: `none`, `working`, `done` (with the answer) or `failed`."""

    name: str
    answer: Any = None
    seconds: int = 0
    """How long it has been working."""


def key_of(state: str, question: Mapping[str, Any] | None) -> str:
    """Return the name of a reckoning."""
    said = json.dumps(question, sort_keys=True, ensure_ascii=False)
    return f"{state}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def look(key: str) -> State:
    """Return how far the reckoning is."""
    folder = _folder() / key
    try:
        return State("done", json.loads((folder / "answer.json").read_bytes()))
    except (OSError, ValueError):
        pass
    begun = _begun(folder)
    if begun is None:
        return State("failed" if (folder / "failed").exists() else "none")
    return State("working", seconds=round(time.time() - begun))


def reckoned(session: Session, plan: Plan, question: Mapping[str, Any] | None, *, now: datetime) -> State:
    """Return how far a question about the plan as it stands is, and begin it when nobody has; without a question the
    estimates. `none` when another question is being reckoned just now."""
    key = key_of(state_of(session, plan), question)
    found = look(key)
    if found.name == "none" and start(key, material(session, plan, now=now), question):
        return look(key)
    return found


def start(key: str, material: Material, question: Mapping[str, Any] | None) -> bool:
    """Begin the reckoning unless it is there already; False when another question is being reckoned just now."""
    if look(key).name in ("working", "done"):
        return True
    if question is not None and _busy():
        return False
    given = {
        "problem.json.gz": material.problem,
        "plan.json.gz": material.plan,
        "regions.json": json.dumps(material.regions).encode(),
    }
    if question is not None:
        given["question.json.gz"] = pack(question)
    threads = max(1, current_app.extensions["settings"].solver_threads - 1)
    launch(key, given, lambda folder: reckon_command(folder, question, seconds=SECONDS, threads=threads))
    return True


def launch(key: str, given: Mapping[str, bytes], command: Callable[[Path], list[str]]) -> None:
    """Begin a reckoning in a process of its own: `command` says its argv for a folder that holds the files `given`;
    it writes answer.json there. Nothing happens when another process of the server was quicker."""
    folder = _folder() / key
    shutil.rmtree(folder, ignore_errors=True)
    _tidy()
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    for name, content in given.items():
        (folder / name).write_bytes(content)
    argv = command(folder)
    if nice := shutil.which("nice"):
        argv = [nice, "-n", NICE, *argv]
    # Only what Python needs: no database address, no key of sessions.
    names = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
    kept = {name: value for name, value in os.environ.items() if name in names}
    with (folder / "errors.txt").open("w") as errors:
        child = subprocess.Popen(
            argv, cwd=ROOT, env=kept, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
    (folder / "pid").write_text(f"{child.pid} {time.time():.0f}")
    # The question stays: `_busy` tells by it which reckonings are heavy.
    cleared = [name for name in given if name != "question.json.gz"]
    threading.Thread(target=_wait, args=(child, folder, cleared), name=f"whatif-{key}", daemon=True).start()


def _wait(child: subprocess.Popen[bytes], folder: Path, cleared: Sequence[str]) -> None:
    """See the child to its end, and clear up what it was given."""
    try:
        child.wait(timeout=SECONDS * 1.5 + GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if not (folder / "answer.json").exists():
        with contextlib.suppress(OSError):
            (folder / "failed").touch()
    for name in ("pid", *cleared):
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def _begun(folder: Path) -> float | None:
    """When the process that works on it was started; None when none does (any more)."""
    try:
        pid, began = (folder / "pid").read_text().split()
        if time.time() - float(began) > SECONDS * 1.5 + 2 * GRACE_S:
            return None
        os.kill(int(pid), 0)
    except (OSError, ValueError):
        return None
    return float(began)


def _busy() -> bool:
    folders = _folder().iterdir() if _folder().exists() else ()
    return any((f / "question.json.gz").exists() and _begun(f) is not None for f in folders)


def _tidy() -> None:
    """Forget what nobody will ask for again."""
    for folder in list(_folder().iterdir()) if _folder().exists() else ():
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > KEPT_S:
                shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    found: Path = current_app.extensions["settings"].data_dir / "whatif"
    return found
