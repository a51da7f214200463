"""Improving a plan place by place: the routes around a point are set free and chosen anew among known columns.

Large neighbourhood search with an exact choice in each neighbourhood (Shaw 1998; Danna, Rothberg and Le Pape 2005
for the use of an integer program inside). The linear program's columns are few near any one place, so HiGHS
chooses among them in hundredths of a second, where the integer master of the whole country needs minutes.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from ortools.math_opt.python import mathopt

from routing.engine.fleet import Column, Fleet, Floats
from routing.engine.master import Master

FIRST, FEWEST, MOST = 40, 6, 120
"""Routes set free at a time: at first, at least, at most."""
MOST_CHOICES = 1200
"""Columns that one step chooses among: those with the best reduced costs."""
SLOW_STEP, FAST_STEP = 0.15, 0.05
"""Seconds of one step above which the next sets fewer routes free, and below which more."""


class Polish:
    """A plan, as indices of the master's columns, and the columns it may be made of."""

    def __init__(self, fleet: Fleet, master: Master, plan: list[Column], random: np.random.Generator) -> None:
        self.fleet, self.random = fleet, random
        master.add(plan)
        self.columns = list(master.columns)
        self.plan: NDArray[np.int64] = np.array(sorted(master.number(column) for column in plan), np.int64)
        column, row, weight = master.table.arrays()
        rows = len(fleet.gaps) + len(master.rows.limit)
        real = row < rows  # the cuts hold by themselves for whole plans
        order = np.argsort(column[real], kind="stable")
        self.row, self.weight = row[real][order], weight[real][order]
        count = np.bincount(column[real], minlength=len(self.columns))
        self.begin = np.concatenate([[0], np.cumsum(count)])
        self.profit: Floats = np.array(master.table.profit)
        self.limit = np.array([float(len(gap.members)) for gap in fleet.gaps] + list(master.rows.limit))
        self.penalty = np.zeros(rows)
        for g, r in master.rows.group_row.items():
            self.penalty[len(fleet.gaps) + r] = float(fleet.problem.groups[g].penalty)
        self.merit: Floats = self.profit if master.duals is None else master.reduced(master.duals)
        self.at = self._whereabouts()
        self.free = FIRST
        self.steps = 0

    def _whereabouts(self) -> Floats:
        """Return a point for each column [columns, 2], in degrees: its first visit."""
        problem = self.fleet.problem
        places = [problem.places[p] for p in self.fleet.place.tolist()]
        point = np.array([[p.lat or 0.0, (p.lon or 0.0) * 0.87] for p in places]).reshape(-1, 2)
        middle = np.zeros((len(self.columns), 2))
        for i, column in enumerate(self.columns):
            middle[i] = point[column.visits[0][0]]
        return middle

    def best(self) -> list[Column]:
        """Return the plan's columns."""
        return [self.columns[i] for i in self.plan.tolist()]

    def step(self, seconds: float) -> float:
        """Choose the routes around a random one anew, in `seconds` at most; return what that gained."""
        if not len(self.plan):
            return 0.0
        self.steps += 1
        anchor = self.at[self.random.integers(len(self.columns))]
        far = ((self.at[self.plan] - anchor) ** 2).sum(axis=1)
        far *= self.random.uniform(0.5, 1.5, len(far))
        loose = np.argsort(far, kind="stable")[: self.free]
        kept = np.delete(self.plan, loose)
        left = self.limit - self._use(kept)
        over = (self.weight > left[self.row] + 1e-9) & (self.penalty[self.row] == 0.0)
        fits = np.add.reduceat(over, self.begin[:-1]) == 0
        some = np.flatnonzero(fits)
        if len(some) > MOST_CHOICES:
            best = some[np.argsort(-self.merit[some], kind="stable")[:MOST_CHOICES]]
            some = np.union1d(best, self.plan[loose])
        before = self._worth(self.plan[loose], left)
        chosen, took, whole = self._choose(some, self.plan[loose], left, seconds)
        if not whole or took > SLOW_STEP:
            self.free = max(FEWEST, int(self.free * 0.8))
        elif took < FAST_STEP:
            self.free = min(MOST, len(self.plan), self.free + 4)
        if chosen is None:
            return 0.0
        gain = self._worth(chosen, left) - before
        if gain > 0.5:
            self.plan = np.concatenate([kept, chosen])
        return max(0.0, gain)

    def _use(self, plan: NDArray[np.int64]) -> Floats:
        at = np.concatenate([np.arange(self.begin[i], self.begin[i + 1]) for i in plan.tolist()] or [plan])
        use = np.bincount(self.row[at], self.weight[at], minlength=len(self.limit))
        return np.asarray(use, dtype=np.float64)

    def _worth(self, plan: NDArray[np.int64], left: Floats) -> float:
        """Return the profit of some columns less the groups' penalties that remain beside them."""
        short = np.maximum(0.0, left - self._use(plan))
        return float(self.profit[plan].sum() - (short * self.penalty).sum())

    def _choose(
        self, some: NDArray[np.int64], now: NDArray[np.int64], left: Floats, seconds: float
    ) -> tuple[NDArray[np.int64] | None, float, bool]:
        """Return the best choice among the columns `some` within what is left, the seconds it took, and
        whether it is proven best.
        """
        model = mathopt.Model()
        model.objective.is_maximize = True
        rows: dict[int, mathopt.LinearConstraint] = {}
        variables = []
        hint = mathopt.SolutionHint()
        used = {int(i): int(n) for i, n in zip(*np.unique(now, return_counts=True), strict=True)}
        for i in some.tolist():
            part = slice(self.begin[i], self.begin[i + 1])
            most = 1.0
            held: list[tuple[int, float]] = []
            for r, weight in zip(self.row[part].tolist(), self.weight[part].tolist(), strict=True):
                if self.penalty[r] == 0.0:
                    most = max(most, left[r]) if not held else min(most, left[r])
                held.append((r, weight))
            variable = model.add_integer_variable(lb=0.0, ub=max(1.0, most))
            variables.append(variable)
            model.objective.set_linear_coefficient(variable, float(self.profit[i]))
            hint.variable_values[variable] = float(used.get(i, 0))
            for r, weight in held:
                row = rows.get(r)
                if row is None:
                    row = rows[r] = self._row(model, r, float(left[r]))
                row.set_coefficient(variable, weight)
        parameters = mathopt.SolveParameters(
            time_limit=timedelta(seconds=max(0.05, seconds)),
            relative_gap_tolerance=0.0,
            absolute_gap_tolerance=0.5,
        )
        result = mathopt.solve(
            model,
            mathopt.SolverType.HIGHS,
            params=parameters,
            model_params=mathopt.ModelSolveParameters(solution_hints=[hint]),
        )
        took = result.solve_stats.solve_time.total_seconds()
        whole = result.termination.reason == mathopt.TerminationReason.OPTIMAL
        if not result.has_primal_feasible_solution():
            return None, took, whole
        values = np.rint(np.array(result.variable_values(variables))).astype(np.int64)
        return np.repeat(some, np.maximum(0, values)), took, whole

    def _row(self, model: mathopt.Model, r: int, left: float) -> mathopt.LinearConstraint:
        if self.penalty[r] == 0.0:
            return model.add_linear_constraint(ub=left)
        row = model.add_linear_constraint(lb=left)
        short = model.add_variable(lb=0.0)
        model.objective.set_linear_coefficient(short, -float(self.penalty[r]))
        row.set_coefficient(short, 1.0)
        return row
