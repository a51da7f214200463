"""`python -m routing matrix`: which router was asked for, and where its table goes."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from routing.problem import Problem, write_json
from routing.routers.filling import with_table
from routing.routers.osrm import Osrm
from routing.routers.table import Router
from routing.routers.valhalla import Valhalla


def write_matrix(problem: Problem, options: argparse.Namespace) -> str:
    """Write the problem with its router's table to `options.out`; return what was done in words."""
    with ExitStack() as stack:
        router = _router(options, stack)
        filled = with_table(problem, router, strict=not options.unreachable)
    write_json(filled.to_json(), options.out)
    size = len(problem.places)
    return f"{options.out}: {size} x {size} places by {router.name}"


def _router(options: argparse.Namespace, stack: ExitStack) -> Router:
    if options.osrm is not None:
        return Osrm(options.osrm, profile=options.profile or "driving", timeout=options.timeout)
    costing = options.profile or "auto"
    if Path(options.valhalla).is_dir():
        return Valhalla(options.valhalla, costing=costing)
    if options.tiles is None:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        return Valhalla.build(options.valhalla, folder, costing=costing)
    if any(Path(options.tiles).rglob("*.gph")):
        return Valhalla(options.tiles, costing=costing)
    return Valhalla.build(options.valhalla, options.tiles, costing=costing)
