"""The commands `python -m routing.whatif PROBLEM PLAN --question JSON` (solves) and `--estimates FILE` (at once).

FILE holds {"regions": {name: [center ids]}, "crew_sites"?: {name: [site ids]}, "closed_days"?: [day indices]}.

Exit codes: 0 the answer was written; 2 the files, the question or the arguments are wrong. SIGTERM and SIGINT end the
solves early: the answer is written with what is known by then.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from routing.__main__ import keep_stdout
from routing.errors import PlanError, ProblemError, RoutingError
from routing.explain.board import Board
from routing.problem import Problem, load, read_json
from routing.solution import Plan
from routing.whatif.answer import NEARBY, answer
from routing.whatif.estimate import estimates
from routing.whatif.questions import Question


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one question; return the exit code."""
    options = _parser().parse_args(arguments)
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    try:
        problem, plan = load(options.problem), Plan.from_json(read_json(options.plan))
        if options.estimates is not None:
            text = json.dumps(_estimates(problem, plan, read_json(options.estimates)), ensure_ascii=False)
        else:
            question = Question.from_json(json.loads(options.question))
            found = answer(
                problem, plan, question, seconds=options.seconds, seed=options.seed, threads=options.threads,
                most=options.centers, progress=_say if options.progress else None, stop=asked.is_set,
            )  # fmt: skip
            text = json.dumps(found.to_json(), ensure_ascii=False)
    except (ProblemError, PlanError) as error:
        sys.stderr.writelines(f"{fault}\n" for fault in error.faults)
        return 2
    except (RoutingError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.out is None:
        sys.stdout.write(text + "\n")
    else:
        target = Path(options.out)
        draft = target.with_name(f".{target.name}.part")
        draft.write_text(text, encoding="utf-8")
        draft.replace(target)
    return 0


def _estimates(problem: Problem, plan: Plan, asked: dict[str, Any]) -> list[dict[str, Any]]:
    found = estimates(
        Board(problem, plan), asked["regions"], plan.prices,
        closed_days=asked.get("closed_days", ()), crew_sites=asked.get("crew_sites"),
    )  # fmt: skip
    return [
        {"region": e.region, "question": e.question.to_json(), "at_least": e.at_least, "priced": e.priced}
        for e in found
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m routing.whatif", description="what would a change bring?"
    )
    parser.add_argument("problem", help="a problem file")
    parser.add_argument("plan", help="a plan of it")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--estimates", help="a JSON file with the regions to estimate for")
    what.add_argument("--question", help='such as {"kind": "van", "centers": ["M1"]}')
    parser.add_argument("--out", help="where the answer goes (default: standard output)")
    parser.add_argument("--seconds", type=float, default=20.0, help="for both solves together")
    parser.add_argument("--centers", type=int, default=NEARBY, help="how many around it are planned anew")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--progress", action="store_true", help="one JSON object a line on stdout as it goes")
    return parser


def _say(line: dict[str, object]) -> None:
    try:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123


if __name__ == "__main__":
    keep_stdout()
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # an integer solve that was abandoned must not hold the process
