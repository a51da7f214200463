"""What the planner reads for codes, states and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from fleet.errors import FleetError
from fleet.planner import UnitCoverage
from fleet.planning.fairness import Word
from fleet.planning.shapes import TENTHS, Fault
from fleet.store import Plan
from web.errors import words_for
from web.i18n import minute_time, number, short_date, weekday
from web.roads import said


def fault(found: Fault) -> str:
    """A broken rule in words."""
    return fault_code(found.code, found.words)


def fault_code(code: str, fallback: str) -> str:
    """The words for a rule's code; `fallback` for one that is not known here."""
    texts = {
        "unknown_center": _("There is no such center."),
        "unknown_site": _("There is no such place."),
        "second_route": _("The center already has another route on this day."),
        "day_off": _("The center does not work on this day."),
        "early_departure": _("The center would have to leave before its shift begins."),
        "early_start": _("The center has no time for it then: it cannot be there and set up."),
        "closed": _("The place is closed on this day."),
        "outside_hours": _("The visit would not fit within the opening hours of the place."),
        "not_allowed": _("This center may not serve this place."),
        "no_such_stay": _("A visit of this length is not possible here."),
        "late_return": _("The center would be back after the end of its shift."),
        "too_much_driving": _("The crew would drive longer than allowed in a day."),
        "too_many_visits": _("The place already has as many visits this week as it may have."),
        "visits_too_close": _("The place would have two visits too close together."),
        "pin_missing": _("A pinned visit would have to give way."),
        "wrong_objective": _("The figures of the plan do not add up."),
        "bound_too_low": _("The figures of the plan do not add up."),
        "visit_pinned": _("This visit is pinned. Unpin it first."),
        "visit_started": _("This visit has begun or is over."),
        "day_frozen": _("This day is too near to be changed, or over."),
        "not_in_plan": _("This visit is no longer in the plan."),
        "missing_field": _("Choose a center, a place and a day."),
        "center_out_of_service": _("The center is out of service."),
        "outside_week": _("This day is not in the week of the plan."),
        "week_published": _("This week is published: its visits stay as they are."),
        "late_finish": _("The visit would end after the shift, and the center stays the night there."),
        "overnight_empty": _("A center can stay the night only where it stops."),
        "overnight_last_day": _("The center has no working day left in this plan on which to come home."),
        "too_many_nights": _("The crew would be away for more nights in a row than it may."),
        "night_pinned": _("A pinned visit decides where the center spends that night."),
    }
    return str(texts.get(code, fallback))


def reason(code: str, words: str, numbers: Mapping[str, Any]) -> str:
    """Why a place has no visit, in words."""
    if code == "left_over" and numbers.get("instead_of"):
        return str(_("It would save more than a visit that stands in its way: an exchange would help."))
    texts = {
        "no_value": _("A visit here would save nothing this week."),
        "closed": _("The place is closed all week."),
        "no_center": _("No center that may serve it works on a day when it is open."),
        "hours_too_short": _("It is not open long enough for the shortest visit."),
        "too_far": _("No center can get there and back within its shift."),
        "needs_night": _("Too far for a day: only a center that stays a night away could serve it."),
        "not_worth": _("The drive costs more than a visit here would save."),
        "displaced": _("Every center that could come saves more elsewhere."),
        "no_room": _("No center has time for it beside its pinned visits."),
        "left_over": _("A center has time for it: adding it would help."),
    }
    return str(texts.get(code, words))


def cheapest(numbers: Mapping[str, Any], places: Mapping[str, str], week: date) -> str:
    """The cheapest way to serve a place, from the numbers of its reason; empty where there is none."""
    gain = numbers.get("gain", -numbers["loss"] if "loss" in numbers else None)
    if gain is None or not numbers.get("center"):
        return ""
    day = weekday(week + timedelta(days=int(numbers["day"])))
    shown = {"center": whole(numbers["center"]), "day": day, "hours": signed(gain / TENTHS, 1)}
    out = _(" and ").join(places.get(code, code) for code in numbers.get("instead_of", ()))
    if out and gain > 0:
        return str(_("Best: %(center)s, %(day)s, instead of %(out)s: %(hours)s hours.", out=out, **shown))
    if out:
        return str(_("Cheapest: %(center)s, %(day)s, instead of %(out)s: %(hours)s hours.", out=out, **shown))
    if gain > 0:
        return str(_("Best: %(center)s, %(day)s: %(hours)s hours.", **shown))
    return str(_("Cheapest: %(center)s, %(day)s: %(hours)s hours.", **shown))


def obstacle(code: str) -> str:
    """What keeps a center from coming on a day."""
    texts = {
        "day_off": _("It does not work that day."),
        "not_allowed": _("It may not serve this place."),
        "no_offer": _("This kind of center offers nothing here."),
        "closed": _("The place is closed that day."),
        "hours_too_short": _("The place is not open long enough for the shortest visit."),
        "no_value": _("A visit that day would save nothing."),
        "visited": _("The place has its visits already, or one too near to that day."),
        "too_far": _("Even on an empty day it cannot get there and back within its shift."),
        "too_much_driving": _("The crew would drive longer than allowed in a day."),
        "pinned": _("Its pinned visits, or a night away, leave no time."),
        "full": _("Its day is full: another visit would have to give way."),
        "not_worth": _("It has time, but the drive costs more than the visit would save."),
        "open": _("It has time, and the week would gain."),
    }
    return str(texts.get(code, code))


def exact_hours(value: float) -> str:
    """Person-hours, with one decimal where they are few."""
    shown = round(value, 1 if abs(value) < 100 else 0)
    if shown == int(shown):
        return hours(shown)
    return str(_("%(shown)s person-hours", shown=number(shown, 1)))


def coverage(row: UnitCoverage) -> str:
    """Why a district waits longer than its limit, in words."""
    if (
        row.word is not None
        and row.word.state == "broken"
        and row.code in ("displaced", "not_worth", "left_over")
    ):
        return str(
            _("A center could come, but the search ended before it found how: plan again with more time.")
        )
    day = str(row.numbers.get("day", ""))
    shown = short_date(date.fromisoformat(day)) if len(day) == 10 else ""
    if row.code == "late":
        late = ngettext("%(num)s week after its limit", "%(num)s weeks after its limit", row.weeks_over)
        return str(_("It is visited on %(day)s, %(late)s.", day=shown, late=late))
    texts = {
        "due_again": _("It is visited on %(day)s and due once more before the plan ends.", day=shown),
        "no_place": _("It has no place where a center can stop."),
        "no_candidate": _("None of its places is among the candidates of this plan."),
        "not_worth": _("The drive costs more than a visit here saves and leaving it out costs together."),
        "displaced": _("Every center that could come saves more elsewhere, its %(hours)s hours for leaving it out "
                       "counted.", hours=number(row.penalty_hours)),
    }  # fmt: skip
    return str(texts.get(row.code) or reason(row.code, row.words, row.numbers))


def promise(word: Word) -> str:
    """How a plan stands to the promise of a visit."""
    texts = {
        "kept": _("The promise is kept."),
        "later": _(
            "This plan need not keep the promise: there is time until %(day)s.", day=short_date(word.last)
        ),
        "before": _("This plan was made before the promise: plan the week again to keep it."),
        "broken": _("The promise could not be kept:"),
    }
    return str(texts[word.state])


def unit_kind(kind: str) -> str:
    """What kind of districts, in the plural."""
    texts = {
        "markaz": _("Rural districts (markaz)"),
        "qism": _("Urban districts (qism)"),
        "city": _("Cities"),
        "new_city": _("New cities"),
        "town": _("Towns and their villages"),
    }
    return str(texts.get(kind, kind))


def status(plan: Plan) -> str:
    """What a plan is, in a word."""
    texts = {
        "solving": _("being planned"),
        "draft": _("draft"),
        "published": _("published"),
        "superseded": _("replaced"),
        "failed": _("failed"),
    }
    return str(texts.get(plan.status, plan.status))


def weeks(count: int) -> str:
    """So many weeks."""
    return str(ngettext("%(num)s week", "%(num)s weeks", count))


def days(some: Iterable[date]) -> str:
    """Dates in a row."""
    return str(_(", ")).join(short_date(day) for day in some)


def roads(plan: Plan) -> str:
    """Where the plan's driving times came from; empty when no router was asked."""
    return said(plan)


def failure(message: str) -> str:
    """Why a draft could not be made. Stored as `code: detail`; the detail is for support."""
    code = message.partition(":")[0].strip()
    texts = {
        "interrupted": _("The server was stopped while it planned. Start a new draft."),
        "too_long": _("The search did not end in time and was broken off. Start a new draft."),
        "solver_ended": _("The search broke down. Start a new draft; if it happens again, tell support."),
        "no_plan": _("The search ended without a plan. Give it more time."),
        "bad_solution": _("The plan that was found breaks a rule and was not taken over. Tell support."),
    }
    other = _("The draft could not be made. Start a new one; if it happens again, tell support.")
    return str(texts.get(code, other))


def phase(progress: Mapping[str, Any]) -> str:
    """What the search is doing."""
    name = str(progress.get("phase") or "")
    texts = {
        "": _("Preparing the week"),
        "waiting": _("Preparing the week"),
        "starting": _("Preparing the week"),
        "greedy": _("Making a first plan"),
        "columns": _("Looking for better routes"),
        "rounding": _("Putting the best routes together"),
        "integer": _("Putting the best routes together"),
        "improving": _("Looking for a better plan"),
        "bound": _("Proving how good a plan can be"),
        "done": _("Finishing"),
    }
    return str(texts.get(name, _("Looking for a better plan")))


def quality(objective: int | None, bound: int | None) -> str:
    """How far from the best possible plan, in words; empty when that is not known."""
    if objective is None or bound is None or bound <= 0:
        return ""
    share = 100 * max(0, bound - objective) / bound
    if share < 0.005:
        return str(_("It is proved that no plan can save more."))
    shown = f"{share:.2f}" if share < 1 else f"{share:.1f}"
    return str(_("It is proved that no plan can be more than %(share)s%% better.", share=shown))


def hours(value: float) -> str:
    """Person-hours: `1,240 hours`."""
    whole = round(value)
    return str(ngettext("%(shown)s hour", "%(shown)s hours", abs(whole), shown=number(whole)))


def signed(value: float, decimals: int = 0) -> str:
    """A change with its sign, a true minus, kept in order inside Arabic by isolates (it stands in plain text too)."""
    rounded = round(value, decimals)
    if rounded == 0:
        return "0"
    return "\u2066" + ("+" if rounded > 0 else "−") + number(abs(rounded), decimals) + "\u2069"


def whole(text: object) -> str:
    """A code or times inside plain text, in a page or a message: kept in order inside Arabic, and in one line (joiners
    on both sides of its hyphens and dashes)."""
    held = "".join(f"\u2060{c}\u2060" if c in "-–" else c for c in str(text))
    return f"\u2066{held}\u2069"


def span(start: int, stay: int) -> str:
    """`08:30–11:30`."""
    return f"{minute_time(start)}–{minute_time(start + stay)}"


def error(problem: FleetError) -> str:
    """A refusal in words."""
    texts = {
        "solve_running": _("Another week is being planned just now. Wait until it is ready, or stop it."),
        "solve_seconds": _("The time must be between 1 second and 1 hour."),
        "not_a_draft": _("Only a draft can be changed. Make a draft of this plan first."),
        "nothing_to_copy": _("This plan has no visits to copy."),
        "other_week": _("The plan to start from is of another week."),
        "change_refused": _("This change breaks a rule, so nothing was changed."),
        "infeasible": _("The plan breaks a rule and cannot be published as it is."),
        "week_over": _("This week is over."),
        "all_published": _("Every week of that span is published or over."),
        "span": _("A plan spans one to four weeks."),
        "draft_stale": _("Something else has been published since this draft was made. Refresh it first."),
        "week_published": _("This week is published: its visits stay as they are."),
        "limit": _("A limit is 1 to 52 weeks."),
        "nights": _("Up to 13 nights in a row, each for up to 1000 person-hours."),
        "visit_not_announced": _("This visit can no longer be cancelled."),
        "visit_started": _("This visit has begun or is over."),
        "reason_missing": _("Give a reason in Arabic: citizens will read it."),
    }
    known = texts.get(problem.code) or words_for(problem.code, "")
    return known or fault_code(problem.code, problem.message)
