"""Two to five plans side by side: published, drafts, scenarios and the baseline; in all and by governorate."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.planner import Measured, Measures
from fleet.store import Governorate, Plan, Site
from web.db import read
from web.i18n import named
from web.planner import scenarios_words as said
from web.planner import words
from web.planner.door import blueprint
from web.planner.scenarios import MOST

MAP = Path(__file__).parent.parent / "static" / "map" / "egypt.geojson"


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table: what it is called, how it is shown, and whether more of it is better (1), worse (-1) or
    neither (0)."""

    name: str
    label: str
    decimals: int = 0
    good: int = 1
    indent: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A plan of the table: `plan` is None for the baseline."""

    plan: Plan | None
    label: str
    note: str
    url: str
    measured: Measured
    quality: str = ""
    """How far from the best possible it is proved to be: smaller differences may be the search's."""


def figures() -> list[Figure]:
    """The rows, in order."""
    return [
        Figure("hours", _("Hours saved for citizens")),
        Figure("waiting", _("Waiting relieved"), indent=True),
        Figure("trips", _("Trips spared"), indent=True),
        Figure("people", _("People served")),
        Figure("visits", _("Visits"), good=0),
        Figure("districts", _("Districts reached")),
        Figure("villages", _("Villages reached")),
        Figure("overdue", _("Districts past their limit at the end"), good=-1),
        Figure("longest_weeks", _("Longest without a visit, weeks"), 1, -1),
        Figure("vans", _("Centers on the road"), good=0),
        Figure("nights", _("Nights away"), good=0),
        Figure("km", _("Kilometres"), good=-1),
        Figure("drive_hours", _("Hours of driving"), good=-1),
        Figure("cost", _("Cost, in hours"), good=-1),
        Figure("drive_cost", _("Driving"), good=-1, indent=True),
        Figure("van_cost", _("Readying and nights"), good=-1, indent=True),
        Figure("penalties", _("Coverage rules not kept"), good=-1, indent=True),
        Figure("net", _("Hours saved less cost")),
    ]


SHOWN = ("hours", "waiting", "trips", "people", "visits", "districts", "villages", "km", "drive_hours", "penalties",
         "overdue", "longest_weeks")  # fmt: skip
"""Figures that can be looked at by governorate."""


@blueprint.get("/compare")
def compare_plans() -> Any:
    """The tables."""
    columns = _columns(read())
    if columns is None:
        flash(_("Tick two to five plans or scenarios to compare."), "info")
        return redirect(url_for("planner.scenarios"))
    every = {figure.name: figure for figure in figures()}
    show = every[request.args["show"]] if request.args.get("show") in SHOWN else every["hours"]
    split = all(column.measured.split for column in columns)
    rows = _by_governorate(columns, show)
    plans = [column.plan.id for column in columns if column.plan is not None]
    chosen = {
        "plan": plans,
        "baseline": 1 if columns[-1].plan is None else None,
        "by": request.args.get("by"),
    }
    gained, lost = _changed_places(columns)
    return render_template(
        "planner/compare_plans.html", loose=any(map(_loose, columns)),
        gained=gained, lost=lost, beside=_beside(columns), words=words, columns=columns, show=show,
        rows=rows, chosen=chosen,
        figures=[f for f in figures() if split or f.name not in ("waiting", "trips")],
        shown=[every[name] for name in SHOWN if split or name not in ("waiting", "trips")],
        tops={f.name: _top(columns, f.name) for f in figures()},
        most=max((abs(value) for row in rows for value in row.values), default=0) or 1,
        sort=request.args.get("sort", ""), land=_land(rows), value=_value, split=split,
        days_differ=len({column.plan.week for column in columns if column.plan is not None}) > 1,
        same_measure=_by() is not None,
    )  # fmt: skip


@blueprint.get("/compare.csv")
def compare_csv() -> Any:
    """All of it as a table: a row for each plan, governorate and figure."""
    columns = _columns(read())
    if columns is None:
        abort(400)
    names = _governorates(read())
    text = io.StringIO()
    out = csv.writer(text)
    out.writerow(["plan", "name", "governorate", "figure", "value"])
    for column in columns:
        number = column.plan.id if column.plan is not None else "baseline"
        parts = [("", column.measured.total), *(
            (names[g].iso, one) for g, one in column.measured.governorates.items() if g in names
        )]  # fmt: skip
        for where, measures in parts:
            for figure in figures():
                # A spreadsheet takes what begins with = + - @ for a formula.
                label = "'" + column.label if column.label[:1] in "=+-@\t" else column.label
                out.writerow([number, label, where, figure.name, round(_value(measures, figure.name), 2)])
    answer = Response("\ufeff" + text.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="comparison.csv"'
    return answer


@blueprint.get("/compare.json")
def compare_json() -> Any:
    """The same for programs."""
    columns = _columns(read())
    if columns is None:
        abort(400)
    names = _governorates(read())
    made = [
        {
            "plan": column.plan.id if column.plan is not None else None,
            "name": column.label,
            "total": _as_json(column.measured.total),
            "governorates": {
                names[g].iso: _as_json(one) for g, one in column.measured.governorates.items() if g in names
            },
            "visits_left_out": column.measured.left_out,
        }
        for column in columns
    ]
    return Response(json.dumps({"plans": made}, ensure_ascii=False), mimetype="application/json")


@dataclass(frozen=True, slots=True)
class Row:
    """A governorate: its name and a figure of it in each plan."""

    iso: str
    name: str
    values: list[float]
    beside: int
    """The column that is set beside the first."""

    @property
    def change(self) -> float:
        """The last plan less the first; the baseline only where nothing else stands beside it."""
        return self.values[self.beside] - self.values[0]


def _columns(session: Session) -> list[Column] | None:
    """The plans that the address names, in its order; None when they are no two to five with an answer."""
    ids = list(dict.fromkeys(request.args.getlist("plan")))[: MOST + 1]
    if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in ids):
        abort(400)
    plans = [session.get(Plan, int(text)) for text in ids]
    if any(plan is None for plan in plans):
        abort(404)
    found = [plan for plan in plans if plan is not None and planner.answered(plan)]
    wants_baseline = bool(request.args.get("baseline")) and bool(found)
    if not 2 <= len(found) + wants_baseline <= MOST:
        return None
    by = next((plan for plan in found if plan.id == _by()), None)
    columns = [_column(session, plan, by) for plan in found]
    if wants_baseline:
        label = _("Biggest towns in turn")
        measured = planner.measure_baseline(session, by or found[0])
        columns.append(Column(None, label, _("the same centers by plain practice"), "", measured))
    return columns


def _by() -> int | None:
    text = request.args.get("by", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _column(session: Session, plan: Plan, by: Plan | None) -> Column:
    measured = planner.measure(session, plan, by=by)
    quality = words.quality(plan.objective, plan.bound)
    if plan.kind == "scenario":
        names = said.Names.load(session, plan.changes, plan.week)
        note = _("; ").join(said.sentence(change, names) for change in plan.changes)
        url = url_for("planner.scenario", plan_id=plan.id)
        return Column(plan, plan.name, note, url, measured, quality)
    label = f"{_('Plan')} {plan.id} – {words.status(plan)}"
    return Column(plan, label, "", url_for("planner.home", plan=plan.id), measured, quality)


def _changed_places(columns: list[Column]) -> tuple[list[Site], list[Site]]:
    """The places that only the last, and only the first plan visits; of two plans of the same week alone."""
    first, last = columns[0].plan, columns[-1].plan or columns[-2].plan
    if (
        sum(column.plan is not None for column in columns) != 2
        or first is None
        or last is None
        or first.week != last.week
    ):
        return [], []
    session = read()
    before, after = ({mark.site for mark in planner.marks_now(session, plan)} for plan in (first, last))

    def sites(codes: set[str]) -> list[Site]:
        wanted = select(Site).where(Site.code.in_(codes)).order_by(Site.governorate_id, Site.id)
        return list(session.scalars(wanted))

    return sites(after - before), sites(before - after)


def _beside(columns: list[Column]) -> int:
    """The last plan; the baseline when there is only one plan."""
    return max(1, max(index for index, column in enumerate(columns) if column.plan is not None))


def _loose(column: Column) -> bool:
    """Whether the search left a gap that is worth a word: a tenth of a percent."""
    plan = column.plan
    known = plan is not None and plan.bound is not None and plan.objective is not None
    return known and plan.bound - plan.objective > 0.001 * abs(plan.bound)  # type: ignore[union-attr,operator,arg-type]


def _value(measures: Measures, name: str) -> float:
    return float(getattr(measures, name))


def _top(columns: list[Column], name: str) -> float:
    return max(abs(_value(column.measured.total, name)) for column in columns) or 1.0


def _by_governorate(columns: list[Column], figure: Figure) -> list[Row]:
    names = _governorates(read())
    ids = sorted({g for column in columns for g in column.measured.governorates if g in names})
    empty = Measures()
    rows = [
        Row(
            names[g].iso,
            named(names[g]),
            [_value(column.measured.governorates.get(g, empty), figure.name) for column in columns],
            _beside(columns),
        )
        for g in ids
    ]
    sort = request.args.get("sort", "")
    if sort == "name":
        return sorted(rows, key=lambda row: row.name)
    if sort.isascii() and sort.isdigit() and int(sort) < len(columns):
        return sorted(rows, key=lambda row: -row.values[int(sort)])
    return sorted(rows, key=lambda row: (-abs(row.change), -row.values[0]))


def _governorates(session: Session) -> dict[int, Governorate]:
    return {g.id: g for g in session.scalars(select(Governorate))}


def _as_json(measures: Measures) -> dict[str, float]:
    return {figure.name: round(_value(measures, figure.name), 2) for figure in figures()}


def _land(rows: list[Row]) -> list[tuple[str, str, str]]:
    """The map: (outline, class of its change, what it says) of each governorate."""
    by_iso = {row.iso: row for row in rows}
    top = max((abs(row.change) for row in rows), default=0.0)
    found = []
    for iso, outline in _outlines():
        row = by_iso.get(iso)
        if row is None:
            found.append((outline, "same", ""))
            continue
        step = min(3, int(1 + 3 * abs(row.change) / top)) if top and abs(row.change) >= 0.05 else 0
        sign = "up" if row.change > 0 else "down"
        found.append(
            (outline, f"{sign}-{step}" if step else "same", f"{row.name}: {words.signed(row.change, 1)}")
        )
    return found


@lru_cache(maxsize=1)
def _outlines() -> tuple[tuple[str, str], ...]:
    """(ISO code, SVG path) of the governorates; a degree of longitude is drawn at Egypt's middle latitude."""
    shrink = 0.89
    found = []
    for feature in json.loads(MAP.read_text(encoding="utf-8"))["features"]:
        if feature["properties"].get("kind") != "governorate":
            continue
        shape = feature["geometry"]
        polygons = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
        path = "".join(
            "M"
            + "L".join(f"{(lon - 24.5) * shrink * 40:.1f} {(31.8 - lat) * 40:.1f}" for lon, lat in ring)
            + "Z"
            for polygon in polygons
            for ring in polygon
        )
        found.append((feature["properties"]["iso"], path))
    return tuple(found)
