"""The integer master: the best plan that can be made of the columns at hand, by HiGHS through MathOpt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from ortools.math_opt.python import mathopt

from routing.engine.clock import Clock
from routing.engine.fleet import Column, Fleet
from routing.engine.master import Rows

LANDING = 0.4
"""Seconds by which the solver is told to end sooner than it must, since it ends late."""


def choose(
    fleet: Fleet,
    rows: Rows,
    columns: Sequence[Column],
    start: Sequence[Column],
    clock: Clock,
    *,
    nodes: int | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> tuple[list[Column], bool] | None:
    """Return the best plan found in the time that is left (or `nodes`), and whether it is proven best of these
    columns.

    None when no plan was found. `start` is a plan to begin from; its columns must be among `columns`. The
    solver runs in a thread of its own, so that the stop button works: what it has not finished by then is
    abandoned. `meanwhile` is called again and again while it works.
    """
    model = mathopt.Model()
    model.objective.is_maximize = True
    groups = set(rows.group_row.values())
    gap_rows = [model.add_linear_constraint(ub=float(len(gap.members))) for gap in fleet.gaps]
    other = [
        model.add_linear_constraint(lb=limit) if i in groups else model.add_linear_constraint(ub=limit)
        for i, limit in enumerate(rows.limit)
    ]
    for g, row in rows.group_row.items():
        short = model.add_variable(lb=0.0)
        model.objective.set_linear_coefficient(short, -float(fleet.problem.groups[g].penalty))
        other[row].set_coefficient(short, 1.0)
    cut_rows = [model.add_linear_constraint(ub=1.0) for _ in rows.cuts]
    variables = []
    hint = mathopt.SolutionHint()
    used: dict[Column, int] = {}
    for column in start:
        used[column] = used.get(column, 0) + 1
    for column in columns:
        variable = model.add_integer_variable(lb=0.0, ub=float(len(fleet.gaps[column.gap].members)))
        variables.append(variable)
        model.objective.set_linear_coefficient(variable, float(column.profit))
        for gap, _ in column.parts:
            gap_rows[gap].set_coefficient(variable, 1.0)
        for c in rows.cuts_of(column):
            cut_rows[c].set_coefficient(variable, 1.0)
        for row, weight in rows.of(column).items():
            other[row].set_coefficient(variable, weight)
        hint.variable_values[variable] = float(used.get(column, 0))
    seconds = None if clock.seconds is None else clock.left
    parameters = mathopt.SolveParameters(
        time_limit=None if seconds is None else timedelta(seconds=max(0.1, seconds - LANDING)),
        node_limit=nodes,
        relative_gap_tolerance=0.0,
        absolute_gap_tolerance=0.5,
    )
    result = _run(
        model, parameters, mathopt.ModelSolveParameters(solution_hints=[hint]), clock, seconds, meanwhile
    )
    if result is None or not result.has_primal_feasible_solution():
        return None
    chosen: list[Column] = []
    for column, value in zip(columns, result.variable_values(variables), strict=True):
        chosen.extend([column] * round(value))
    return chosen, result.termination.reason == mathopt.TerminationReason.OPTIMAL


def _run(
    model: mathopt.Model,
    parameters: mathopt.SolveParameters,
    more: mathopt.ModelSolveParameters,
    clock: Clock,
    seconds: float | None,
    meanwhile: Callable[[], None] | None,
) -> mathopt.SolveResult | None:
    """Solve in a daemon thread; None when the caller stopped or the solver overran its time by far."""
    results: list[mathopt.SolveResult] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(
                mathopt.solve(model, mathopt.SolverType.HIGHS, params=parameters, model_params=more)
            )
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True, name="integer-master")
    limit = clock.elapsed + (float("inf") if seconds is None else seconds + 0.3)
    thread.start()
    while thread.is_alive():
        if meanwhile is None:
            thread.join(0.1)
        else:
            meanwhile()
        if clock.stopped or clock.elapsed > limit:
            return None
    if errors:
        raise errors[0]
    return results[0] if results else None
