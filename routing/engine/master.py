"""The linear master: which mix of the routes known so far is best, and what visits and gaps are worth.

Rows: each gap is filled at most as often as it has members; each site is visited at most as often as it may
be, and once in any `min_gap_days` days; each group's shortfall is paid for; each pinned day keeps within its
driving allowance. Subset-row cuts (cuts.py) are added on top. Solved by GLOP through MathOpt, kept warm while columns
and cuts are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from ortools.math_opt.python import mathopt

from routing.engine.cuts import Cut, Fines, Halves
from routing.engine.fleet import Column, Fleet, Floats, Visits


@dataclass(slots=True)
class Duals:
    """Prices: of a gap (`rent`), of a visit on a day (`visit` [days, sites]), of a minute driven (`toll` by
    rule).

    `row` holds the prices of all rows as the master numbers them, `fine` those of the cuts; `offset` is what
    the prices alone promise: with each gap's best reduced cost at zero rent added, a valid bound.
    """

    rent: Floats
    visit: Floats
    toll: Floats
    offset: float
    row: Floats
    fine: Floats
    fines: list[Fines]


Key = tuple[int, Visits, tuple[tuple[int, Visits], ...]]


def _key(column: Column) -> Key:
    return column.gap, column.visits, column.more


class Rows:
    """The rows other than the gaps', numbered, with their limits, and the rows each visit touches."""

    def __init__(self, fleet: Fleet) -> None:
        self.limit: list[float] = []
        self.cuts: list[Cut] = []
        self.site_row: dict[int, int] = {}
        self.window_rows: dict[tuple[int, int], list[int]] = {}
        self.fleet = fleet
        sites = sorted({int(i) for gap in fleet.gaps for i in gap.nodes.tolist()})
        for i in sites:
            left = int(fleet.visits_left[i])
            self.site_row[i] = self._row(left)
            if left > 1:
                apart = fleet.problem.sites[i].min_gap_days
                for begin in range(max(1, fleet.days - apart + 1)):
                    row = self._row(1)
                    for day in range(begin, min(fleet.days, begin + apart)):
                        self.window_rows.setdefault((i, day), []).append(row)
        self.rule_row = [self._row(spare) for spare in fleet.rules]
        self.pair_limit = len(self.limit)
        self.group_row: dict[int, int] = {}
        self.groups_of: dict[int, list[int]] = {}
        self.halves = Halves(fleet, self.site_row, self.window_rows)
        self._cuts_of: dict[int, list[int]] = {}
        for g, (group, left) in enumerate(zip(fleet.problem.groups, fleet.group_left, strict=True)):
            if left > 0 and group.penalty > 0:
                self.group_row[g] = self._row(left)
                for name in group.sites:
                    self.groups_of.setdefault(fleet.site_index[name], []).append(self.group_row[g])

    def _row(self, limit: float) -> int:
        self.limit.append(float(limit))
        return len(self.limit) - 1

    def of(self, column: Column) -> dict[int, float]:
        """Return the coefficients of `column` by row."""
        touched: dict[int, float] = {}
        for number, visits in column.parts:
            gap = self.fleet.gaps[number]
            for site, _ in visits:
                row = self.site_row[site]
                touched[row] = touched.get(row, 0.0) + 1.0
                for row in self.window_rows.get((site, gap.day), ()):
                    touched[row] = touched.get(row, 0.0) + 1.0
                for row in self.groups_of.get(site, ()):
                    touched[row] = touched.get(row, 0.0) + 1.0
        gap = self.fleet.gaps[column.gap]
        if gap.rule >= 0 and column.drive:
            touched[self.rule_row[gap.rule]] = float(column.drive)
        return touched

    def add_cuts(self, cuts: Iterable[Cut]) -> None:
        """Number more cuts, after those that are there."""
        for cut in cuts:
            for row in cut:
                self._cuts_of.setdefault(row, []).append(len(self.cuts))
            self.cuts.append(cut)

    def cuts_of(self, column: Column) -> list[int]:
        """Return the cuts that `column` counts in once (it takes two or three of their visits)."""
        counts: dict[int, int] = {}
        if self.cuts:
            for row in self.halves.touched(column):
                for c in self._cuts_of.get(row, ()):
                    counts[c] = counts.get(c, 0) + 1
        return [c for c, count in counts.items() if count > 1]


class Master:
    """The restricted linear program, growing column by column."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.rows = Rows(fleet)
        self.columns: list[Column] = []
        self._keys: dict[Key, int] = {}
        self.objective = 0.0
        self.values: Floats = np.zeros(0)
        self.duals: Duals | None = None
        self._build([])

    def _build(self, columns: Iterable[Column]) -> None:
        model = mathopt.Model()
        model.objective.is_maximize = True
        rows = self.rows
        self._gap_rows = [model.add_linear_constraint(ub=float(len(gap.members))) for gap in self.fleet.gaps]
        groups = set(rows.group_row.values())
        self._rows = [
            model.add_linear_constraint(lb=limit) if i in groups else model.add_linear_constraint(ub=limit)
            for i, limit in enumerate(rows.limit)
        ]
        for g, row in rows.group_row.items():
            short = model.add_variable(lb=0.0)
            model.objective.set_linear_coefficient(short, -float(self.fleet.problem.groups[g].penalty))
            self._rows[row].set_coefficient(short, 1.0)
        self._model = model
        self._cut_rows = [model.add_linear_constraint(ub=1.0) for _ in rows.cuts]
        self._variables: list[mathopt.Variable] = []
        self.columns = []
        self.table = Table()
        self._keys = {}
        self._fixed: set[int] = set()
        self.add(columns)
        some = mathopt.SparseVectorFilter(skip_zero_values=True)
        self._wanted = mathopt.ModelSolveParameters(
            variable_values_filter=some,
            dual_values_filter=some,
            reduced_costs_filter=mathopt.SparseVectorFilter(filtered_items=()),
        )
        self._solver = mathopt.IncrementalSolver(model, mathopt.SolverType.GLOP)
        self._cut_since = False

    def add(self, columns: Iterable[Column]) -> int:
        """Add the columns that are new; return how many were."""
        count = 0
        for column in columns:
            key = _key(column)
            if key in self._keys:
                continue
            self._keys[key] = len(self.columns)
            variable = self._model.add_variable(lb=0.0)
            self._model.objective.set_linear_coefficient(variable, float(column.profit))
            for gap, _ in column.parts:
                self._gap_rows[gap].set_coefficient(variable, 1.0)
            weights = self.rows.of(column)
            for row, weight in weights.items():
                self._rows[row].set_coefficient(variable, weight)
            cuts = self.rows.cuts_of(column)
            for c in cuts:
                self._cut_rows[c].set_coefficient(variable, 1.0)
            self.table.add(column, weights, cuts, len(self.fleet.gaps), len(self.rows.limit))
            self._variables.append(variable)
            self.columns.append(column)
            count += 1
        return count

    def number(self, column: Column) -> int:
        """Return the number of a column that was added. Raises KeyError when it was not."""
        return self._keys[_key(column)]

    def add_cuts(self, cuts: list[Cut]) -> None:
        """Add violated cuts as rows."""
        first = len(self.rows.cuts)
        self.rows.add_cuts(cuts)
        self._cut_rows.extend(self._model.add_linear_constraint(ub=1.0) for _ in cuts)
        shift = len(self.fleet.gaps) + len(self.rows.limit)
        for i, column in enumerate(self.columns):
            for c in self.rows.cuts_of(column):
                if c >= first:
                    self._cut_rows[c].set_coefficient(self._variables[i], 1.0)
                    self.table.late(i, shift + c)
        self._cut_since = True

    def keep(self, least: float) -> None:
        """Forget the columns whose reduced cost, at the last solve, lies below `least`; the next solve
        starts cold.
        """
        if self.duals is None:
            return
        costs = self.reduced(self.duals)
        values = np.zeros(len(costs))
        values[: len(self.values)] = self.values
        here = np.flatnonzero((costs >= least) | (values > 1e-9))
        self._solver.close()
        self._build([self.columns[i] for i in here.tolist()])
        self.values = values[here]  # of the same columns as before, until the next solve

    def only(self, columns: Iterable[Column]) -> None:
        """Forget all columns but these; the next solve starts cold."""
        self._solver.close()
        self._build(columns)

    def fix(self, counts: Mapping[int, int]) -> None:
        """Let the columns numbered in `counts` be taken at least so often, and free all others."""
        for i in self._fixed - counts.keys():
            self._variables[i].lower_bound = 0.0
        for i, count in counts.items():
            self._variables[i].lower_bound = float(count)
        self._fixed = set(counts)
        self._cut_since = True

    def solve(self, seconds: float | None = None) -> Duals | None:
        """Solve the linear program; None when the time did not suffice."""
        limit = None if seconds is None or seconds > 1e8 else timedelta(seconds=max(0.01, seconds))
        algorithm = (
            mathopt.LPAlgorithm.DUAL_SIMPLEX if self._cut_since else mathopt.LPAlgorithm.PRIMAL_SIMPLEX
        )
        result = self._solver.solve(
            params=mathopt.SolveParameters(
                time_limit=limit, presolve=mathopt.Emphasis.OFF, lp_algorithm=algorithm
            ),
            model_params=self._wanted,
        )
        if result.termination.reason != mathopt.TerminationReason.OPTIMAL:
            return None
        self._cut_since = False
        self.objective = result.objective_value()
        values, duals = result.variable_values(), result.dual_values()
        self.values = np.array([values.get(variable, 0.0) for variable in self._variables])
        rent = np.maximum(0.0, np.array([duals.get(row, 0.0) for row in self._gap_rows]))
        fine = np.array([duals.get(row, 0.0) for row in self._cut_rows])
        self.duals = self.prices(rent, np.array([duals.get(row, 0.0) for row in self._rows]), fine)
        return self.duals

    def reduced(self, duals: Duals) -> Floats:
        """Return the reduced cost of every column at the given prices (cuts added since are priced at 0)."""
        fine = np.zeros(len(self.rows.cuts))
        fine[: len(duals.fine)] = duals.fine
        return self.table.reduced(np.concatenate([duals.rent, duals.row, fine]))

    def prices(self, rent: Floats, row: Floats, fine: Floats) -> Duals:
        """Return the prices that row and cut duals mean, each first clipped to its valid range."""
        rows, fleet = self.rows, self.fleet
        row = row.copy()
        groups = {r: g for g, r in rows.group_row.items()}
        offset = 0.0
        for i, limit in enumerate(rows.limit):
            if i in groups:
                row[i] = min(0.0, max(-float(fleet.problem.groups[groups[i]].penalty), row[i]))
            else:
                row[i] = max(0.0, row[i])
            offset += limit * row[i]
        visit = np.zeros((fleet.days, len(fleet.problem.sites)))
        for site, r in rows.site_row.items():
            visit[:, site] = row[r]
        for (site, day), some in rows.window_rows.items():
            visit[day, site] += sum(row[r] for r in some)
        for site, some in rows.groups_of.items():
            visit[:, site] += sum(row[r] for r in some)
        toll = np.array([row[r] for r in rows.rule_row])
        fine = np.maximum(0.0, fine)
        offset += float(fine.sum())
        return Duals(rent, visit, toll, offset, row, fine, rows.halves.fines(rows.cuts, fine))


class Table:
    """The columns' coefficients as flat lists, for reduced costs in one go. Gap rows come first, then the
    others, then the cuts.
    """

    def __init__(self) -> None:
        self.profit: list[float] = []
        self._column: list[int] = []
        self._row: list[int] = []
        self._weight: list[float] = []

    def add(
        self, column: Column, weights: dict[int, float], cuts: Iterable[int], gaps: int, rows: int
    ) -> None:
        """Add a column with its weights by row and the cuts it counts in."""
        at = len(self.profit)
        self.profit.append(float(column.profit))
        for gap, _ in column.parts:
            self._put(at, gap, 1.0)
        for row, weight in weights.items():
            self._put(at, gaps + row, weight)
        for c in cuts:
            self._put(at, gaps + rows + c, 1.0)

    def late(self, column: int, row: int) -> None:
        """Let a column that is there count in a cut that is new."""
        self._put(column, row, 1.0)

    def _put(self, column: int, row: int, weight: float) -> None:
        self._column.append(column)
        self._row.append(row)
        self._weight.append(weight)

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Return column, row and weight of every coefficient."""
        return np.array(self._column, np.int64), np.array(self._row, np.int64), np.array(self._weight)

    def reduced(self, price: Floats) -> Floats:
        """Return profit less what each column pays at `price` [all rows]."""
        column, row, weight = self.arrays()
        paid = np.bincount(column, weight * price[row], minlength=len(self.profit))
        reduced: Floats = np.array(self.profit) - paid
        return reduced
