"""What people read about a repair: the planner on the screen, crews and citizens in the texts to send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import g
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from fleet.calendar import local_minute
from fleet.errors import FleetError
from fleet.planning.repair_shapes import Disrupted, NightAt, Proposal, VisitAt, VisitChange
from fleet.planning.repair_state import stay_of
from fleet.store import Center, RepairCall, Site, Visit
from web.i18n import long_date, named, number, weekday
from web.planner import words


@dataclass(frozen=True)
class Names:
    """Places and centers by id."""

    sites: Mapping[int, Site]
    centers: Mapping[int, Center]


@contextmanager
def in_arabic() -> Iterator[None]:
    """Speak Arabic whatever the page's language: crews and citizens read the texts."""
    before = getattr(g, "language", None)
    g.language = "ar"
    try:
        yield
    finally:
        g.language = before


def kind(name: str) -> str:
    """What can happen, as the planner chooses it."""
    texts = {
        "center_out": _("A center is out of action"),
        "site_closed": _("A place cannot be used"),
        "road_slowed": _("A road is closed or slow"),
        "demand_changed": _("A place overflows"),
    }
    return str(texts.get(name, name))


def hint(name: str) -> str:
    """When to choose it."""
    texts = {
        "center_out": _("Breakdown, accident, crew ill"),
        "site_closed": _("Flood, fire, no access, a public event"),
        "road_slowed": _("Closed bridge, works, sandstorm"),
        "demand_changed": _("Far more people than expected"),
    }
    return str(texts.get(name, ""))


def happened(session: Session, one: Disrupted) -> str:
    """What happened, in a sentence."""
    day = long_date(one.until)
    if one.kind == "center_out":
        center = session.get(Center, one.center_id)
        who = f"{words.whole(center.code)} {named(center)}" if center is not None else str(one.center_id)
        return str(_("%(center)s is out of action until the end of %(day)s", center=who, day=day))
    if one.stretch:
        return _stretch(session, one, day)
    site = session.get(Site, one.site_id)
    place = named(site) if site is not None else str(one.site_id)
    if one.kind == "site_closed":
        return str(_("%(place)s cannot be used until the end of %(day)s", place=place, day=day))
    if one.kind == "demand_changed":
        return str(
            _(
                "At %(place)s demand is %(percent)s%% of what was expected, until the end of %(day)s",
                place=place, percent=one.percent, day=day,
            )
        )  # fmt: skip
    km = f"{one.radius_km:g}"
    if one.percent is None:
        return str(
            _(
                "Roads are closed within %(km)s km of %(place)s until the end of %(day)s",
                km=km,
                place=place,
                day=day,
            )
        )
    return str(
        _(
            "Driving within %(km)s km of %(place)s takes %(percent)s%% of the usual time, until the end of %(day)s",
            km=km, place=place, percent=one.percent, day=day,
        )
    )  # fmt: skip


def _stretch(session: Session, one: Disrupted, day: str) -> str:
    if one.line is not None:
        ends = [words.whole(f"{lat:g}, {lon:g}") for lat, lon in one.line]
    else:
        sites = [session.get(Site, number) for number in (one.site_id, one.other_id)]
        ends = [named(site) if site is not None else "" for site in sites]
    facts = {"one": ends[0], "other": ends[1], "km": f"{2 * one.radius_km:g}", "day": day}
    if one.percent is None:
        return str(
            _(
                "The road between %(one)s and %(other)s is closed, on a strip %(km)s km wide, until the end of %(day)s",
                **facts,
            )
        )
    return str(
        _(
            "Driving between %(one)s and %(other)s, on a strip %(km)s km wide, takes %(percent)s%% of the usual time, "
            "until the end of %(day)s",
            percent=one.percent,
            **facts,
        )
    )


def night(one: NightAt, names: Names) -> str:
    """Where a van sleeps, when not as planned: `Thursday MC-21-01: at home, not at X`."""
    who = f"{weekday(one.day)} {_code(names.centers.get(one.center_id))}"
    before, after = (names.sites.get(number or 0) for number in (one.before_site_id, one.after_site_id))
    if after is None:
        return str(
            _(
                "%(who)s: comes home for the night, not at %(place)s",
                who=who,
                place=named(before) if before else "",
            )
        )
    if before is None:
        return str(_("%(who)s: stays the night at %(place)s, not at home", who=who, place=named(after)))
    return str(
        _(
            "%(who)s: stays the night at %(place)s, not at %(other)s",
            who=who,
            place=named(after),
            other=named(before),
        )
    )


def proposal(one: Proposal) -> tuple[str, str]:
    """A proposal's name, and what it does."""
    late = sum(_only_late(change) for change in one.changes)
    cancels = one.counts.get("dropped", 0) > 0
    texts = {
        "nothing": (
            _("Only cancel") if cancels else _("Only announce the delay") if late else _("Only other nights"),
            _sentences(_("What nobody can make any more is cancelled.") if cancels else "", _late(late)),
        ),
        "fewest": (
            _("Fewest changes"),
            _sentences(_("What is lost goes where a center has free time."), _late(late)),
        ),
        "balanced": (
            _("Balanced"),
            _("Other visits change only where that gains much more than it costs those who rely on them."),
        ),
        "best": (_("Most hours saved"), _("Whatever saves citizens most hours, changes counted little.")),
    }
    title, said = texts.get(one.name, (one.name, ""))
    if not one.changes and not one.nights:
        return str(_("As announced")), str(_("Nothing has to change: every announced visit can be made."))
    return str(title), str(said)


def _late(count: int) -> str:
    """What else changes where crews just carry on."""
    if count == 0:
        return str(_("No other announced visit changes."))
    return str(
        ngettext(
            "%(num)s visit starts later or ends sooner, because its center cannot be there in time.",
            "%(num)s visits start later or end sooner, because their centers cannot be there in time.",
            count,
        )
    )


def _only_late(change: VisitChange) -> bool:
    """Whether the same center comes on the same day, later or for a shorter while."""
    old, new = change.before, change.after
    same = old is not None and new is not None and (old.center_id, old.day) == (new.center_id, new.day)
    return same and change.kind in ("other_time", "shorter")


def why_more(one: Proposal, lost: int, won: int) -> str:
    """Why a proposal saves more than without what happened (`lost` hours), or than going on as announced where nothing
    is lost; empty when it does not."""
    if won <= max(0, lost):
        return ""
    better = Counter(
        "moved" if c.kind.startswith("other") else c.kind
        for c in one.changes
        if c.hours_after > c.hours_before and c.kind != "dropped"
    )
    reasons = []
    if better["added"]:
        reasons.append(
            ngettext(
                "%(num)s new visit uses time that centers have free",
                "%(num)s new visits use time that centers have free",
                better["added"],
            )
        )
    if better["longer"]:
        reasons.append(ngettext("%(num)s visit lasts longer", "%(num)s visits last longer", better["longer"]))
    if better["moved"]:
        reasons.append(
            ngettext(
                "%(num)s visit is worth more with another center, on another day or at another time",
                "%(num)s visits are worth more with another center, on another day or at another time",
                better["moved"],
            )
        )
    why = str(_(", ")).join(str(reason) for reason in reasons) or str(_("less is driven"))
    if lost > 0:
        shown = number(won - lost)
        return str(_("%(hours)s hours more than the plan as it was: %(why)s.", hours=shown, why=why))
    return str(_("More than going on as announced: %(why)s.", why=why))


def change(name: str) -> str:
    """What becomes of a visit."""
    texts = {
        "dropped": _("cancelled"),
        "added": _("new visit"),
        "other_day": _("on another day"),
        "other_center": _("by another center"),
        "other_time": _("at another time"),
        "shorter": _("shorter"),
        "longer": _("longer"),
    }
    return str(texts.get(name, name))


def visit(one: VisitAt | None, names: Names) -> str:
    """`Sunday 10:00–12:00 MC-01-02`."""
    if one is None:
        return ""
    center = names.centers.get(one.center_id)
    return f"{weekday(one.day)} {_span(one)} {_code(center)}"


def announced(one: Visit) -> str:
    """When an announced visit would be, and whose it is: `Sunday 10:00–12:00 MC-01-02`."""
    return f"{weekday(one.day)} {_times(local_minute(one.opens_at), stay_of(one))} {_code(one.center)}"


def call_title(call: RepairCall, names: Names) -> str:
    """Whom to call."""
    if call.kind == "crew":
        center = names.centers.get(call.center_id or 0)
        return str(
            _(
                "Crew of %(center)s, %(day)s",
                center=f"{_code(center)} {named(center)}" if center else "",
                day=long_date(call.day),
            )
        )
    site = names.sites.get(call.site_id or 0)
    return str(_("%(place)s, %(day)s", place=named(site) if site else "", day=long_date(call.day)))


def call_text(call: RepairCall, names: Names) -> str:
    """The text to send, in Arabic."""
    with in_arabic():
        return _crew_text(call, names) if call.kind == "crew" else _site_text(call, names)


def _crew_text(call: RepairCall, names: Names) -> str:
    stops = [v for data in call.facts.get("stops", ()) if (v := VisitAt.from_json(data)) is not None]
    day = long_date(call.day)
    if not stops:
        return str(_("Your visits on %(day)s have been taken back. Please confirm.", day=day))
    listed = str(_("; ")).join(f"{_place(v, names)}{_(', ')}{_span(v)}" for v in stops)
    said = str(_("Your day has changed. %(day)s: %(stops)s. Please confirm.", day=day, stops=listed))
    if "night" not in call.facts:
        return said
    site = names.sites.get(call.facts["night"] or 0)
    sleep = (
        _("You stay the night at %(place)s.", place=named(site))
        if site
        else _("You come home for the night.")
    )
    return f"{said} {sleep}"


def _site_text(call: RepairCall, names: Names) -> str:
    before, after = (VisitAt.from_json(call.facts.get(side)) for side in ("before", "after"))
    name = call.facts.get("change")
    site = names.sites.get(call.site_id or 0)
    facts: dict[str, Any] = {"place": named(site) if site else ""}
    if before is not None:
        facts |= {"day": long_date(before.day), "time": _span(before)}
    if after is not None:
        facts |= {"new_day": long_date(after.day), "new_time": _span(after)}
    if before is None:
        return str(_("A mobile center comes to %(place)s on %(new_day)s, %(new_time)s.", **facts))
    if after is None:
        return str(
            _(
                "The mobile center's visit to %(place)s on %(day)s, %(time)s, is cancelled. We are sorry. You find the "
                "next visit near you on the site.",
                **facts,
            )
        )
    if name == "other_center" and (before.start, before.stay) == (after.start, after.stay):
        return str(
            _(
                "The visit to %(place)s on %(day)s, %(time)s, stays as announced; another center comes.",
                **facts,
            )
        )
    if name == "other_day":
        return str(
            _(
                "The mobile center's visit to %(place)s on %(day)s, %(time)s, moves to %(new_day)s, %(new_time)s.",
                **facts,
            )
        )
    return str(
        _("The mobile center's visit to %(place)s on %(day)s is now at %(new_time)s, not %(time)s.", **facts)
    )


def people(one: Proposal) -> str:
    """Whom it concerns, in a line."""
    crews = len(one.crews)
    parts = [
        ngettext("%(num)s crew", "%(num)s crews", crews),
        ngettext("%(num)s place to be told", "%(num)s places to be told", one.sites),
        ngettext("%(num)s ticket holder", "%(num)s ticket holders", one.tickets),
    ]
    return str(_(", ")).join(str(part) for part in parts)


def status(name: str) -> str:
    """How far a repair is."""
    texts = {
        "solving": _("being worked out"),
        "proposed": _("to be decided"),
        "accepted": _("decided"),
        "failed": _("failed"),
        "dismissed": _("left as announced"),
    }
    return str(texts.get(name, name))


def failure(message: str) -> str:
    """Why there are no proposals."""
    texts = {
        "too_long": _("The search did not end in time. Try again."),
        "plan_replaced": _("Another plan has been published meanwhile. Start again."),
        "not_a_candidate": _("This place is not part of this week's plan: no center goes there."),
    }
    other = _("No proposals could be worked out. Try again; if it happens again, tell support.")
    return str(texts.get(message.partition(":")[0].strip(), other))


def error(problem: FleetError) -> str:
    """A refusal in words."""
    causes = {
        "plan": _("Another plan has been published since. Work it out again."),
        "old": _("These proposals are too old: the centers have moved on. Work it out again."),
        "visit": _("A visit that this would change has changed since. Work it out again."),
        "center": _("A center that this would send is out of service now. Work it out again."),
    }
    if problem.code == "repair_stale":
        return str(causes.get(str(problem.details.get("cause")), causes["visit"]))
    texts = {
        "nothing_published": _("No plan is published for this week: there is nothing to repair."),
        "not_a_candidate": _("This place is not part of this week's plan: no center goes there."),
        "unknown_disruption": _("Something is missing. Choose what happened, where, and until when."),
        "center_not_found": _("Choose the center."),
        "site_not_found": _("Choose the place."),
        "repair_over": _("This has been decided already."),
        "no_such_proposal": _("There is no such proposal any more. Work it out again."),
    }
    return str(texts.get(problem.code) or words.error(problem))


def _place(one: VisitAt, names: Names) -> str:
    site = names.sites.get(one.site_id)
    return named(site) if site is not None else ""


def _sentences(*said: str) -> str:
    return " ".join(filter(None, said))


def _span(one: VisitAt) -> str:
    return _times(one.start, one.stay)


def _times(start: int, stay: int) -> str:
    return words.whole(words.span(start, stay))


def _code(center: Center | None) -> str:
    return words.whole(center.code) if center is not None else ""
