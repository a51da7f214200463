"""The public front page of figures, and the same as a table for programs: what the night has counted, never more."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, abort, current_app, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import figures
from fleet.calendar import local_day
from fleet.simulation.outlook.answer import bring
from fleet.simulation.outlook.facts import gather
from fleet.store import Plan, Setting
from web.db import read, write
from web.i18n import named, short_date
from web.planner import outlook

blueprint = Blueprint("figures", __name__)
PLAYED = "figures_played"
"""Where hours saved stay, by week: a week is played once, with what was known in it."""
COLUMNS = ("area", "week", "figure", "value", "low", "high", "people")


@blueprint.get("/figures")
def page() -> Any:
    """The page: the country, or `?governorate=EG-ASN`."""
    found = figures.kept(read())
    if found is None:
        return render_template("figures/none.html")
    key = request.args.get("governorate", "")
    if key not in found["areas"]:
        abort(404)
    area, names = found["areas"][key], found["governorates"]
    return render_template(
        "figures/figures.html", key=key, area=area, total=area["total"], found=found, names=_names(names),
        charts=charts(area["weeks"], found["last"]),
        rows=[(iso, found["areas"][iso]) for iso in sorted(names, key=lambda iso: _order(found["areas"][iso]))],
        saved=_saved(found) if not key else None, last=date.fromisoformat(found["last"]),
        first=date.fromisoformat(found["first"]), made_at=datetime.fromisoformat(found["made_at"]),
        longest=[
            {**one, "name": named(_Row(one)), "last_day": _day(one["last"]), "next_day": _day(one["next"])}
            for one in found["districts"]["longest"]
            if not key or one["governorate"] == key
        ],
    )  # fmt: skip


def charts(weeks: Sequence[Mapping[str, Any]], last: str) -> dict[str, list[dict[str, Any]]]:
    """What is drawn over the weeks, by name: points for `shared/_charts.html`."""

    def points(value: Callable[[Mapping[str, Any]], Any], name: str = "") -> list[dict[str, Any]]:
        return [
            {
                "label": short_date(day := date.fromisoformat(week["week"])),
                "value": value(week),
                "low": week[name]["low"] if name and week[name] else None,
                "high": week[name]["high"] if name and week[name] else None,
                "open": day + timedelta(days=6) > date.fromisoformat(last),
            }
            for week in weeks
        ]

    return {
        "served": points(lambda week: week["served"]),
        "wait": points(lambda week: week["wait"] and week["wait"]["median_s"]),
        "satisfied": points(lambda week: week["satisfied"] and week["satisfied"]["share"], "satisfied"),
        "kept": points(lambda week: week["kept"] and week["kept"]["share"], "kept"),
    }


@blueprint.get("/figures.csv")
def table() -> Response:
    """Every figure of every area and week, one a row; an empty week is the whole time."""
    found = figures.kept(read())
    if found is None:
        abort(404)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows_of(found))
    answer = Response(out.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="figures-{found["last"]}.csv"'
    return answer


def rows_of(found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The figures as rows of `COLUMNS`; what is not told of leaves no row."""
    for key, area in found["areas"].items():
        yield key, "", "districts_over", area["districts_over"], "", "", ""
        for cell in (area["total"], *area["weeks"]):
            week = cell.get("week", "")
            for name in (
                "served",
                "served_vans",
                "visits",
                "places",
                "villages",
                "districts",
                "hours_saved",
                "left_share",
            ):
                if cell[name] is not None:
                    yield key, week, name, cell[name], "", "", ""
            if cell["wait"]:
                for name in ("median_s", "nine_of_ten_s"):
                    yield key, week, f"wait_{name}", cell["wait"][name], "", "", cell["wait"]["people"]
            for name in ("kept", "satisfied"):
                if share := cell[name]:
                    yield key, week, name, share["share"], share["low"], share["high"], share["people"]  # fmt: skip
    saved = found["saved"]
    if saved and (played := saved["played"]):
        yield "", saved["week"], "hours_saved_played", played["mean"], played["low"], played["high"], ""


def renew(now: datetime, *, play: bool = True) -> str:
    """Count the figures anew and keep them (nightly, in a process of its own). Without `play` a week that nobody has
    played yet goes without its hours: playing takes a minute."""
    with Session(current_app.extensions["writer"].engine) as session:
        played = _played(session, now, play)
        found = figures.compute(
            session, now=now, played={date.fromisoformat(k): v for k, v in played.items()}
        )

    def store(session: Session) -> None:
        figures.keep(session, found)
        session.merge(Setting(key=PLAYED, value=played))

    write(store)
    return f"figures of {found['first']} to {found['last']}"


def _played(session: Session, now: datetime, play: bool) -> dict[str, Any]:
    """Hours saved by week as played; with `play` the newest published week is played when nobody has."""
    row = session.get(Setting, PLAYED)
    known: dict[str, Any] = dict(row.value) if row is not None else {}
    plan = session.scalars(
        select(Plan)
        .where(Plan.status == "published", Plan.kind == "plan", Plan.week <= local_day(now))
        .order_by(Plan.week.desc())
        .limit(1)
    ).first()
    if plan is not None and plan.week.isoformat() not in known:
        answer = outlook.known(session, plan)
        if answer is None and play:
            answer = bring(gather(session, plan, now=now), runs=outlook.RUNS, seed=outlook.SEED)
        if answer is not None:
            known[plan.week.isoformat()] = answer["saved_against_no_vans"]
    return known


class _Row:
    """A row of the stored figures as a thing with names."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)


def _names(names: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        iso: named(_Row(both)) for iso, both in sorted(names.items(), key=lambda item: named(_Row(item[1])))
    }


def _order(area: Mapping[str, Any]) -> int:
    return -int(area["total"]["served"] or 0)


def _saved(found: Mapping[str, Any]) -> dict[str, Any] | None:
    saved = found["saved"]
    return {**saved, "day": date.fromisoformat(saved["week"])} if saved else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
