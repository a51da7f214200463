"""One measured run of a planner in a process of its own: what it reached when, in how much memory, and whether the
checkers agree.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from routing import Plan, Problem, check, load
from routing.problem import read_json

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
NATIONAL = SHARED / "instances" / "national"
TOPTW = SHARED / "instances" / "toptw"
CHECKPOINTS = (5, 10, 30, 60, 120, 180, 300)
GAPS = (0.005, 0.001, 0.0005, 0.0)
REFUSALS = {3: "cannot state", 4: "found no plan"}  # exit codes of a baseline
GRACE = 120.0  # seconds beyond its limit after which a process is ended: the time limit of some overshoots

OURS = "routing"
METHODS = {OURS: "ours", "pyvrp": "PyVRP", "ortools": "OR-Tools GLS"}

Row = dict[str, Any]


@dataclass(slots=True)
class Run:
    """What one process said and used."""

    lines: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """(seconds since the process was started, its line)."""
    code: int = 0
    seconds: float = 0.0
    memory: float = 0.0
    """Most resident MiB of the process and its children together, shared pages counted once."""
    errors: str = ""


def command(method: str, problem: Path, out: Path, seconds: float, seed: int) -> list[str]:
    """Return the command that runs `method` with its share of the machine: ours two threads, the others one."""
    common = [str(problem), "--out", str(out), "--seconds", f"{seconds:g}", "--seed", str(seed)]
    if method == OURS:
        return [sys.executable, "-m", "routing", "solve", *common, "--threads", "2", "--progress"]
    return [sys.executable, "-m", "tests.bench.baselines", method, *common]


def watch(commands: Sequence[Sequence[str]], limit: float, until: float | None = None) -> list[Run]:
    """Run the commands side by side, each to its end or `limit` seconds, or until its gap is `until` or less."""
    runs = [Run() for _ in commands]
    with contextlib.ExitStack() as stack:
        workers = []
        for run, words in zip(runs, commands, strict=True):
            errors = stack.enter_context(tempfile.TemporaryFile("w+"))
            worker = threading.Thread(target=_watch_one, args=(run, words, limit, until, errors))
            worker.start()
            workers.append((worker, run, errors))
        for worker, run, errors in workers:
            worker.join()
            errors.seek(0)
            run.errors = errors.read()[-2000:]
    return runs


def _watch_one(run: Run, words: Sequence[str], limit: float, until: float | None, errors: Any) -> None:
    began = time.monotonic()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT) as process:
        done = threading.Event()
        meter = threading.Thread(target=_meter, args=(process, run, began + limit, done))
        meter.start()
        assert process.stdout is not None
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                run.lines.append((time.monotonic() - began, json.loads(line)))
                gap = run.lines[-1][1].get("gap")
                if until is not None and gap is not None and gap <= until:
                    process.send_signal(signal.SIGTERM)  # the engine hands in its plan
                    until = None
        process.wait()
        done.set()
        meter.join()
    run.seconds = time.monotonic() - began
    run.code = process.returncode


def _meter(process: subprocess.Popen[str], run: Run, deadline: float, done: threading.Event) -> None:
    """Note the memory of the process and its children twice a second; end it after the deadline.

    The kernel's own peak of the first process (VmHWM) is taken in, which no interval misses. Not `ru_maxrss`: a child
    inherits it from the process that started it.
    """
    while not done.wait(0.5):
        shared = sum(_kib(pid, "smaps_rollup", "Pss:") for pid in _family(process.pid))
        run.memory = max(run.memory, shared / 1024, _kib(process.pid, "status", "VmHWM:") / 1024)
        if time.monotonic() > deadline:
            process.send_signal(signal.SIGKILL)
            return


def _family(pid: int) -> Iterable[int]:
    """Yield the process and all that descend from it (Linux)."""
    yield pid
    with contextlib.suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _kib(pid: int, file: str, field: str) -> int:
    """Return a field of /proc in KiB (Linux); 0 when the process is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return 0


def measure(
    method: str, path: Path, *, seconds: float, seed: int, processes: int = 1, until: float | None = None
) -> Row:
    """Return the row of one run: the plan checked twice, and what was reached when.

    A baseline of one thread may get `processes` processes at once (PyVRP: two seeds, OR-Tools: two first solutions);
    the better one counts, at every checkpoint.
    """
    problem = load(path)
    row: Row = {"file": name_of(path), "method": method, "seed": seed, "limit": seconds}
    several = processes if method != OURS else 1
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder) / f"plan{i}.json" for i in range(several)]
        seeds = [several * (seed - 1) + 1 + i for i in range(several)]
        commands = [command(method, path, out, seconds, s) for out, s in zip(outs, seeds, strict=True)]
        runs = watch(commands, seconds + GRACE, until if method == OURS else None)
        plans = [Plan.from_json(read_json(out)) if out.exists() else None for out in outs]
    row |= {
        "processes": several,
        "seconds": round(max(run.seconds for run in runs), 2),
        "memory": round(sum(run.memory for run in runs)),
    }
    found = [(verified(problem, path, plan), plan) for plan in plans if plan is not None]
    if not found:
        row["why"] = why_not(runs[0])
        row["failed"] = runs[0].code not in (0, *REFUSALS)
        return row
    objective, plan = max(found, key=lambda pair: pair[0])
    row |= {"objective": objective, "bound": plan.bound, "gap": plan.gap, "referee": referee() is not None}
    row |= progress(runs, seconds)
    row["remarks"] = [line["remark"] for _, line in runs[0].lines if "remark" in line]
    return row


def why_not(run: Run) -> str:
    """Say in words why a run has no plan."""
    last = (run.errors.strip().splitlines() or [""])[-1]
    if run.code in REFUSALS:
        return ": ".join(filter(None, (REFUSALS[run.code], last)))
    return (
        f"no plan {GRACE:g} s after its limit"
        if run.code == -signal.SIGKILL
        else f"failed ({run.code}): {last}"
    )


def progress(runs: Sequence[Run], limit: float) -> Row:
    """Return what was reached when: `first` plan, best objective `at` checkpoints, seconds `to` gaps and proof.

    Seconds are the planner's own, from when its problem is read; `first_wall` counts from the start of the process.
    """
    lines = [
        (line["elapsed"], wall, line["objective"], line.get("gap"))
        for run in runs
        for wall, line in run.lines
        if line.get("objective") is not None and "elapsed" in line
    ]
    lines.sort()
    if not lines:
        return {}
    at = {
        str(point): max(line[2] for line in lines if line[0] <= point)
        for point in CHECKPOINTS
        if lines[0][0] <= point <= limit
    }
    to: dict[str, float] = {}
    for elapsed, _, _, gap in lines:
        for want in GAPS:
            if gap is not None and gap <= want:
                to.setdefault(f"{want:g}", elapsed)
    return {"first": lines[0][0], "first_wall": round(min(line[1] for line in lines), 2), "at": at, "to": to}


def verified(problem: Problem, path: Path, plan: Plan) -> int:
    """Return the plan's objective once our checker and, where it is there, the referee accept the plan and its claims.

    Raises SystemExit with the fault otherwise: a figure of a faulty plan must not reach a table.
    """
    verdict = check(problem, plan)
    if not verdict.feasible:
        raise SystemExit(f"{path}: {verdict.faults[0].text}")
    judge = referee()
    if judge is not None:
        faults, objective = judge.check(read_json(path), plan.to_json())
        if faults or objective != verdict.objective:
            raise SystemExit(f"{path}: the referee says {objective}, {faults[:1]}; ours {verdict.objective}")
    return verdict.objective


@cache
def referee() -> Any:
    """Return the referee's module, None where it is not beside the repository."""
    file = SHARED / "tools" / "check_plan.py"
    spec = importlib.util.spec_from_file_location("check_plan", file) if file.exists() else None
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def machine() -> str:
    """Name what was measured on."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}"


def name_of(path: Path) -> str:
    """Return the instance's name: its file's, without the endings."""
    return path.name.removesuffix(".gz").removesuffix(".json")


@cache
def warm_up(code: str) -> None:
    """Let the engine compile what it compiles once per installation, so that no measured run pays for it: a plain week,
    a rich one, long routes. Once for each version of its `code`."""
    del code
    watch([[sys.executable, "-m", "routing", "warm"]], 3 * GRACE)
    for path in (
        NATIONAL / "EG300d1-s7.json.gz",
        NATIONAL / "EG300d6r-s7.json.gz",
        TOPTW / "r104-m2.json.gz",
    ):
        if path.exists():
            with tempfile.TemporaryDirectory() as folder:
                watch([command(OURS, path, Path(folder) / "plan.json", 3, 1)], 3 + GRACE)
