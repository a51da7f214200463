"""Ways to serve a place or to put a visit elsewhere: shown with their price, carried out by one press."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.errors import FleetError
from fleet.planner import Change, DayStops, Option, Placement
from fleet.store import Center, Site
from web.errors import status_of
from web.i18n import named
from web.planner.changing import press, refusal, told
from web.planner.door import blueprint, the_plan, wanted_int

MOST_DAYS = 8
"""Days that one press may rearrange: what is proposed takes three at the most."""


@dataclass(frozen=True, slots=True)
class Names:
    """Centers and places by id, for those that some options speak of."""

    centers: dict[int, Center]
    sites: dict[int, str]

    @classmethod
    def of(cls, session: Session, placements: Iterable[Placement]) -> Names:
        """Look them up."""
        some = list(placements)
        centers = session.scalars(select(Center).where(Center.id.in_({p.center_id for p in some})))
        sites = session.scalars(select(Site).where(Site.id.in_({p.site_id for p in some})))
        return cls({c.id: c for c in centers}, {s.id: named(s) for s in sites})


def placements_of(options: Iterable[Option]) -> Iterable[Placement]:
    """Everything that some options speak of."""
    for option in options:
        yield option.placed
        yield from option.dropped
        for before, after in option.moved:
            yield before
            yield after


def packed(option: Option) -> str:
    """An option's days as the form carries them."""
    return json.dumps(
        [[d.center_id, d.day.isoformat(), [list(stop) for stop in d.stops]] for d in option.days],
        separators=(",", ":"),
    )


def unpacked(text: str) -> tuple[DayStops, ...]:
    """The days that a form carries; 400 when they are none. Whether they may be is the domain's business."""
    try:
        made = tuple(
            DayStops(_number(center), date.fromisoformat(day), tuple(_stop(stop) for stop in stops))
            for center, day, stops in json.loads(text)
        )
    except (ValueError, TypeError, RecursionError):
        abort(400)
    if not 0 < len(made) <= MOST_DAYS:
        abort(400)
    return made


def _stop(stop: Any) -> tuple[int, int, int]:
    site, start, stay = stop
    return _number(site), _number(start), _number(stay)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**9:
        raise ValueError(value)
    return value


@blueprint.post("/plans/<int:plan_id>/arrange")
def arrange(plan_id: int) -> Any:
    """Carry an option out; refused with its faults when it breaks a rule or the plan was changed meanwhile."""
    the_plan(plan_id)
    change = Change("days", visit_id=wanted_int("visit"), days=unpacked(request.form.get("days", "")))
    try:
        verdict = press(plan_id, change)
    except FleetError as error:
        page = render_template("planner/refused.html", plan=the_plan(plan_id), lines=refusal(error))
        return page, status_of(error.code)
    for line in told(change, verdict):
        flash(line, "good")
    center_id = verdict.placed.center_id if verdict.placed else change.days[0].center_id
    return redirect(url_for("planner.home", plan=plan_id, _anchor=f"r{center_id}"))
