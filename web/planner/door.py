"""The planner's blueprint, closed to everybody else, and what its pages look up alike."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, abort, request
from flask_login import current_user
from sqlalchemy.orm import Session

from fleet.calendar import local_day, week_of
from fleet.planner import plans_holding, weeks_of
from fleet.store import Plan, PlanVisit
from web import clock
from web.auth import login_manager
from web.db import read

blueprint = Blueprint("planner", __name__, url_prefix="/planner")


@blueprint.before_request
def planners_only() -> Any:
    """Nobody but planners: others get 403, who is not signed in is sent to sign in."""
    if not current_user.is_authenticated:
        return login_manager.unauthorized()
    if current_user.role != "planner":
        abort(403)
    return None


YEARS = range(2000, 2200)
"""Years that a page is shown for; beyond them a calendar has no week before or after."""


HAS_VISITS = ("draft", "published", "superseded")
"""States of a plan that has visits to show."""


def actor() -> str:
    """Who does it, for the records."""
    return str(current_user.name)


def today() -> date:
    """The local day."""
    return local_day(clock.now())


def wanted_date(name: str, default: date) -> date:
    """A date of the address; 400 when it is none."""
    text = request.values.get(name, "").strip()
    if not text:
        return default
    try:
        wanted = date.fromisoformat(text)
    except ValueError:
        abort(400)
    if wanted.year not in YEARS:
        abort(400)
    return wanted


def wanted_week() -> date:
    """The Saturday of the week in the address, this week by default."""
    return week_of(wanted_date("week", today()))


def shown_week(plan: Plan) -> date:
    """The week of the plan that the address asks for, else its first."""
    asked = wanted_week() if request.args.get("week") else plan.week
    return asked if asked in weeks_of(plan) else plan.week


def wanted_int(name: str) -> int | None:
    """A whole number of the address or the form; None where it is empty, 400 when it is none."""
    text = request.values.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        abort(400)
    return int(text)


def the_plan(plan_id: int) -> Plan:
    """The plan, or 404. Pages of plans know no scenarios: those have pages of their own."""
    plan = read().get(Plan, plan_id)
    if plan is None or plan.kind != "plan" or plan.status == "discarded":
        abort(404)
    return plan


def the_stop(visit_id: int, session: Session | None = None) -> PlanVisit:
    """The stop of a plan, or 404."""
    visit = (session or read()).get(PlanVisit, visit_id)
    if visit is None:
        abort(404)
    return visit


def plans_of(week: date) -> list[Plan]:
    """Plans that hold a week, the published first, then the newest first. Scenarios have pages of their own."""
    plans = plans_holding(read(), week)
    return sorted(plans, key=lambda p: (p.status != "published", -p.id))


def wants_part() -> bool:
    """True when a page asks for a section of itself, not a person for a page."""
    return bool(request.headers.get("X-Part"))
