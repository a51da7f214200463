"""The command `python -m routing.repair REQUEST --out ANSWER`: repairs a plan in a process of its own.

REQUEST is JSON, gzipped when its name ends in `.gz`, or `-`: then it is read from standard input when everything else
is loaded, so that a caller may start the process first and prepare the request meanwhile. It says {"problem", "plan",
"disruptions": [...], "day", "minute", and optionally "last" and "live": {center: {"place", "lat", "lon", "minute",
"served": [sites]}}}. ANSWER gets {"alternatives": [...]} as soon as there is one, and again with each that is found.
`--until` is a clock time (seconds since 1970) by which the answer must be there; what the process needed to start
counts. With "map": {"valhalla": folder of road tiles, "cost_per_km"} closed roads are driven around as the map says.
Exit code 2 when the request is wrong, with the faults on standard error.
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

from routing.engine.warm import problems
from routing.errors import PlanError, ProblemError, RouterError
from routing.problem import Place, Problem, read_json, write_json
from routing.repair import Alternative, Disruption, RoadSlowed, Whereabouts, from_json, repair
from routing.repair.mapped import mapped
from routing.routers import Valhalla
from routing.solution import Plan
from routing.solve import solve

WRITING_S = 0.25
LEAST_S = 2.0
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
    target = Path(options.out)
    try:
        if options.request == "-":
            _warm()
            request = json.load(sys.stdin)
        else:
            request = read_json(options.request)
        answer = answer_to(request, until=until, seed=options.seed, threads=options.threads, out=target)
    except (ProblemError, PlanError) as error:
        for fault in error.faults:
            sys.stderr.write(f"{fault}\n")
        return 2
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"request: {type(error).__name__} {error}\n")
        return 2
    write_json(answer, target)
    return 0


def answer_to(
    request: Mapping[str, Any], *, until: float, seed: int, threads: int, out: Path | None = None
) -> dict[str, Any]:
    """Return the answer to a request, by the clock time `until`; what is found before that is written to `out`. Raises
    `ProblemError` and `PlanError`."""

    def keep(found: Sequence[Alternative]) -> None:
        if out is not None:
            write_json(_answer(found), out)

    problem = Problem.from_json(request["problem"])
    plan = Plan.from_json(request["plan"])
    found = repair(
        problem,
        plan,
        _happened(request, problem),
        day=int(request["day"]),
        minute=int(request["minute"]),
        seconds=max(LEAST_S, until - WRITING_S - time.time()),
        seed=seed,
        threads=threads,
        live={name: _where(one) for name, one in (request.get("live") or {}).items()},
        last=request.get("last"),
        progress=_say,
        keep=keep,
    )
    return _answer(found)


def _answer(found: Sequence[Alternative]) -> dict[str, Any]:
    return {"alternatives": [one.to_json() for one in found]}


def _happened(request: Mapping[str, Any], problem: Problem) -> list[Disruption]:
    """Return the disruptions, by the map of the roads where the request names one that can be read."""
    happened = [from_json(one) for one in request.get("disruptions", ())]
    given = request.get("map")
    if not given or not any(isinstance(one, RoadSlowed) for one in happened):
        return happened
    try:
        return mapped(problem, happened, Valhalla(given["valhalla"]), cost_per_km=float(given["cost_per_km"]))
    except RouterError as error:
        sys.stderr.write(f"{error}\n")
        return happened


def _say(line: Mapping[str, Any]) -> None:
    """Report progress; a reader who left must not stop the answer from being written."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _warm() -> None:
    """Load what the search needs, inner loops included, while the request is not there yet."""
    solve(Problem.from_json(problems()[0]), iterations=2, threads=1, reasons=False)


def _where(data: Mapping[str, Any]) -> Whereabouts:
    place = Place(str(data["place"]), data.get("lat"), data.get("lon"))
    return Whereabouts(place, int(data["minute"]), frozenset(data.get("served", ())))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a solve that was abandoned must not hold the process
