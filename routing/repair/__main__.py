"""The command `python -m routing.repair REQUEST --out ANSWER`: repairs a plan in a process of its own.

REQUEST is JSON, gzipped when its name ends in `.gz`: {"problem", "plan", "disruptions": [...], "day", "minute", and
optionally "last" and "live": {center: {"place", "lat", "lon", "minute", "served": [sites]}}}. ANSWER gets
{"alternatives": [...]}. `--until` is a clock time (seconds since 1970) by which the answer must be there; what the
process needed to start counts. Exit code 2 when the request is wrong, with the faults on standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from routing.errors import PlanError, ProblemError
from routing.problem import Place, Problem, read_json
from routing.repair import Whereabouts, from_json, repair
from routing.solution import Plan

WRITING_S = 0.25
LEAST_S = 3.5
"""The search gets this long also where a busy machine has used up the time before it could begin."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m routing.repair", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("request")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--until", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    until = options.until if options.until is not None else time.time() + options.seconds
    try:
        answer = answer_to(
            read_json(options.request), until=until, seed=options.seed, threads=options.threads
        )
    except (ProblemError, PlanError) as error:
        for fault in error.faults:
            sys.stderr.write(f"{fault}\n")
        return 2
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"request: {type(error).__name__} {error}\n")
        return 2
    target = Path(options.out)
    draft = target.with_name(f".{target.name}.part")
    draft.write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
    draft.replace(target)
    return 0


def answer_to(request: Mapping[str, Any], *, until: float, seed: int, threads: int) -> dict[str, Any]:
    """Return the answer to a request, by the clock time `until`. Raises `ProblemError` and `PlanError`."""
    problem = Problem.from_json(request["problem"])
    plan = Plan.from_json(request["plan"])
    found = repair(
        problem,
        plan,
        [from_json(one) for one in request.get("disruptions", ())],
        day=int(request["day"]),
        minute=int(request["minute"]),
        seconds=max(LEAST_S, until - WRITING_S - time.time()),
        seed=seed,
        threads=threads,
        live={name: _where(one) for name, one in (request.get("live") or {}).items()},
        last=request.get("last"),
        progress=_say,
    )
    return {"alternatives": [one.to_json() for one in found]}


def _say(line: Mapping[str, Any]) -> None:
    """Report progress; a reader who left must not stop the answer from being written."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _where(data: Mapping[str, Any]) -> Whereabouts:
    place = Place(str(data["place"]), data.get("lat"), data.get("lon"))
    return Whereabouts(place, int(data["minute"]), frozenset(data.get("served", ())))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a solve that was abandoned must not hold the process
