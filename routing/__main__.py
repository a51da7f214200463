"""The commands of planning files: `python -m routing solve`, `check`, `matrix` and `warm`.

Exit codes: 0 a plan was written, or the plan is feasible; 1 the plan breaks rules; 2 the files or arguments
are wrong. SIGTERM and SIGINT end a solve early: the best plan so far is written and the exit code is 0.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from routing.check import check
from routing.engine.warm import warm
from routing.errors import PlanError, ProblemError, RouterError
from routing.problem import Problem, load, read_json
from routing.solution import Plan, save
from routing.solve import DEFAULT_SECONDS, solve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "warm":
        warm()
        return 0
    try:
        began = time.monotonic()
        if options.command != "check":
            _writable(options.out)
        problem = load(options.problem)
        if options.command == "solve" and options.seconds is not None:
            options.seconds = max(0.1, options.seconds - (time.monotonic() - began))
        return {"solve": _solve, "check": _check, "matrix": _matrix}[options.command](problem, options)
    except (ProblemError, PlanError, RouterError) as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m routing", description=__doc__.splitlines()[0] if __doc__ else None
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("solve", help="plan a fleet-problem/1 file")
    one.add_argument("problem")
    one.add_argument("--out", required=True, help="where the fleet-plan/1 file goes")
    one.add_argument(
        "--seconds", type=_seconds, help=f"wall limit of the whole solve (default {DEFAULT_SECONDS:g})"
    )
    one.add_argument(
        "--iterations", type=_count(0), help="limit in pricing rounds: the same seed gives the same plan"
    )
    one.add_argument("--seed", type=_count(0), default=1)
    one.add_argument("--threads", type=_count(1), default=2)
    one.add_argument("--start", help="a fleet-plan/1 file to begin from")
    one.add_argument("--progress", action="store_true", help="one JSON object a line on stdout as it goes")
    two = commands.add_parser("check", help="say what a fleet-plan/1 file breaks and what it is worth")
    two.add_argument("problem")
    two.add_argument("plan")
    three = commands.add_parser("matrix", help="replace the road formula of a problem by a router's table")
    three.add_argument("problem")
    three.add_argument("--out", required=True, help="where the new problem goes, gzipped when it ends in .gz")
    router = three.add_mutually_exclusive_group(required=True)
    router.add_argument("--osrm", metavar="URL", help="ask an OSRM server, as http://localhost:5000")
    router.add_argument(
        "--valhalla", metavar="FILE", help="an .osm.pbf file, or a folder of Valhalla's road tiles"
    )
    three.add_argument(
        "--tiles", help="keep the tiles built of FILE in this folder, and use those that are there"
    )
    three.add_argument("--profile", help="OSRM's profile (driving) or Valhalla's costing (auto)")
    three.add_argument("--timeout", type=_seconds, default=30.0, help="seconds to wait for each answer (30)")
    three.add_argument(
        "--unreachable",
        action="store_true",
        help="write pairs that no road joins as too far, instead of refusing",
    )
    commands.add_parser("warm", help="compile the inner loops once, which the first solve would do else")
    return parser


def _count(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` on."""

    def whole_number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more, is {value}")
        return value

    return whole_number


def _seconds(text: str) -> float:
    """Read a positive number of seconds; `inf` is one."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be positive, is {text}")
    return value


def _writable(path: str) -> None:
    """Raise OSError when `path` cannot be written: before a search of minutes, not after it."""
    folder = Path(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    if Path(path).is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)


def _read_plan(path: str) -> Plan:
    try:
        return Plan.from_json(read_json(path))
    except ValueError as error:
        raise PlanError([f"plan: not a JSON file ({error})"]) from error


def _say(line: dict[str, Any]) -> None:
    """Print one line at once; a reader who left must not stop the plan from being written."""
    try:
        print(json.dumps(line), flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123


def _solve(problem: Problem, options: argparse.Namespace) -> int:
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    plan = solve(
        problem,
        seconds=options.seconds,
        iterations=options.iterations,
        seed=options.seed,
        threads=options.threads,
        start=_read_plan(options.start) if options.start else None,
        progress=_say if options.progress else None,
        stop=asked.is_set,
    )
    save(plan, options.out)
    if not options.progress:
        gap = "" if plan.gap is None else f" bound={plan.bound} gap={100 * plan.gap:.3f}%"
        _say_text(f"objective={plan.objective}{gap} routes={len(plan.routes)} unserved={len(plan.unserved)}")
    return 0


def _say_text(text: str) -> None:
    print(text, flush=True)


def _check(problem: Problem, options: argparse.Namespace) -> int:
    plan = _read_plan(options.plan)
    verdict = check(problem, plan)
    for fault in verdict.faults:
        print(f"{fault.code}: {fault.text}")
    if verdict.faults:
        print(f"INFEASIBLE faults={len(verdict.faults)} objective={verdict.objective}")
        return 1
    gap = ""
    if plan.bound is not None:
        gap = (
            f" bound={plan.bound} gap={100 * (plan.bound - verdict.objective) / max(1, abs(plan.bound)):.3f}%"
        )
    print(f"feasible objective={verdict.objective}{gap}")
    return 0


def _matrix(problem: Problem, options: argparse.Namespace) -> int:
    from routing.routers.command import write_matrix

    _say_text(write_matrix(problem, options))
    return 0


def keep_stdout() -> None:
    """Keep standard output to ourselves. The solvers' C++ code prints lines of its own there, between ours that a
    program reads as JSON; from here on they go to standard error."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(own, "w", buffering=1, encoding="utf-8")


if __name__ == "__main__":
    keep_stdout()
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # an integer solve that was abandoned must not hold the process
