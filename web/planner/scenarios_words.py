"""A scenario's changes in words: what each does, and why one cannot be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.errors import FleetError
from fleet.store import Center, Governorate, Site
from web.i18n import language, minute_time, number, weekday
from web.planner import words


@dataclass(frozen=True, slots=True)
class Names:
    """What codes are called on this page, and the first day of the scenario's week."""

    governorates: Mapping[str, str]
    centers: Mapping[str, str]
    sites: Mapping[str, str]
    week: date

    @classmethod
    def load(cls, session: Session, changes: Sequence[Mapping[str, Any]], week: date) -> Names:
        """Look up what the changes name."""
        arabic = language() == "ar"
        isos = session.execute(
            select(Governorate.iso, Governorate.name_ar if arabic else Governorate.name_en)
        )
        codes = {str(change["site"]) for change in changes if "site" in change}
        sites = session.execute(
            select(Site.code, Site.name_ar if arabic else Site.name_en).where(Site.code.in_(codes))
        )
        centers = session.execute(select(Center.code, Center.name_ar if arabic else Center.name_en))
        return cls(
            {row[0]: row[1] for row in isos},
            {row[0]: row[1] for row in centers},
            {row[0]: row[1] for row in sites},
            week,
        )


def topic(name: str) -> str:
    """A group of kinds."""
    texts = {
        "fleet": _("Mobile centers"),
        "shifts": _("Working hours"),
        "demand": _("Demand"),
        "coverage": _("Fair coverage"),
        "travel": _("Roads"),
        "pins": _("Pinned visits"),
    }
    return str(texts.get(name, name))


def kind(name: str) -> str:
    """What a kind of change is called."""
    texts = {
        "add_vans": _("More centers"),
        "remove_vans": _("Fewer centers"),
        "days_off": _("Out of service"),
        "depot": _("Move a depot"),
        "klass": _("Another class of center"),
        "nights": _("Nights away"),
        "shift": _("Other shifts"),
        "second_crew": _("A second crew"),
        "opening": _("Other opening hours"),
        "demand": _("More or less demand"),
        "surge": _("A rush on a center"),
        "coverage": _("At least so many visits"),
        "penalties": _("How much coverage weighs"),
        "unvisited": _("Longest time without a visit"),
        "speed": _("Speed on the roads"),
        "traffic": _("Traffic by the hour"),
        "unpin": _("Let pinned visits go"),
    }
    return str(texts.get(name, name))


def hint(name: str) -> str:
    """What a kind of change does, for the form."""
    texts = {
        "add_vans": _("New mobile centers copy one that there is: its depot, class, shift and days."),
        "remove_vans": _("Choose a center, or how many to take from a governorate."),
        "days_off": _("The centers stay at their depot on these days."),
        "depot": _("The center starts and ends its days at another place."),
        "klass": _("A larger center serves more people at each stop."),
        "nights": _("The center may stay at its last place and go on from there the next day."),
        "shift": _("When the center may leave its depot, and when it must be back. What you leave empty stays."),
        "second_crew": _("A second crew takes over: longer hours and twice the driving, at twice the crew's cost."),
        "opening": _("When a visit may begin and must end at these places. What you leave empty stays."),
        "demand": _("100 is what is expected. Visits there are valued anew, with the waiting that this brings."),
        "surge": _("So many people more a day come to one fixed center."),
        "coverage": _("A visit that is missing costs so many hours. This replaces the rules that there were."),
        "penalties": _("100 is as it is; 200 counts twice; 0 lets these rules fall away."),
        "unvisited": _("Districts that would pass this limit must be visited, or it costs hours."),
        "speed": _("100 is as it is; 80 is a fifth slower, everywhere and all day."),
        "traffic": _("In these hours driving takes so many percent of its time: 150 is half as long again."),
        "unpin": _("The search may then move or drop them."),
    }  # fmt: skip
    return str(texts.get(name, ""))


def field(name: str, kind_name: str = "") -> str:
    """The label of a field."""
    texts = {
        "like": _("Like the center"),
        "count": _("How many"),
        "site": _("Place"),
        "klass": _("Class"),
        "governorate": _("Governorate"),
        "centers": _("One center only"),
        "days": _("Days"),
        "nights": _("Most nights in a row"),
        "night_cost": _("Hours that a night costs"),
        "start": _("From"),
        "end": _("Until"),
        "max_drive": _("Most minutes of driving a day"),
        "until": _("Back at"),
        "open_until": _("Villages stay open until"),
        "site_kind": _("Kind of place"),
        "percent": _("Percent"),
        "people": _("More people a day"),
        "each": _("For each"),
        "at_least": _("Visits at least"),
        "penalty": _("Hours that a missing visit costs"),
        "weeks": _("Weeks"),
    }
    if name == "centers" and kind_name == "depot":
        return str(_("Center"))
    if name == "site" and kind_name in ("add_vans", "depot"):
        return str(_("Depot at"))
    return str(texts.get(name, name))


def site_kind(name: str) -> str:
    """Kinds of places."""
    texts = {"village": _("villages"), "fixed": _("fixed centers"), "complex": _("service complexes")}
    return str(texts.get(name, name))


def each(name: str) -> str:
    """What coverage is counted by."""
    return str({"district": _("district"), "governorate": _("governorate")}.get(name, name))


def klass(name: str) -> str:
    """A class of van."""
    return str({"small": _("small center"), "large": _("large center")}.get(name, name))


def status(name: str) -> str:
    """What a scenario is, in a word."""
    texts = {
        "editing": _("not solved yet"),
        "solving": _("being solved"),
        "solved": _("solved"),
        "failed": _("failed"),
    }
    return str(texts.get(name, name))


def sentence(change: Mapping[str, Any], names: Names) -> str:
    """What the change does, in a sentence that stands alone."""
    who, what = _vans(change, names), str(change.get("kind"))
    low, high = change.get("start"), change.get("end")
    texts: dict[str, Callable[[], object]] = {
        "add_vans": lambda: _add(change, names),
        "remove_vans": lambda: _remove(change, names, who),
        "days_off": lambda: _("%(who)s: out of service on %(days)s", who=who, days=_days(change, names)),
        "depot": lambda: _("%(who)s: depot at %(place)s", who=who, place=_site(change, names)),
        "klass": lambda: _("%(who)s: %(klass)s", who=who, klass=klass(str(change["klass"]))),
        "nights": lambda: _("%(who)s: %(nights)s", who=who, nights=ngettext(
            "at most %(num)s night away in a row", "at most %(num)s nights away in a row", change["nights"])),
        "shift": lambda: _shift(change, who),
        "second_crew": lambda: _("%(who)s: a second crew, back at %(time)s; villages open until %(late)s", who=who,
                                 time=_at(change["until"]), late=_at(change["open_until"])),
        "opening": lambda: _("%(where)s: open %(hours)s", where=_where(change, names), hours=_hours(low, high)),
        "demand": lambda: _("%(where)s: demand at %(percent)s%%%(days)s", where=_where(change, names),
                            percent=change["percent"], days=_on(change, names)),
        "surge": lambda: _("%(place)s: %(people)s people more a day%(days)s", place=_site(change, names),
                           people=number(change["people"]), days=_on(change, names)),
        "coverage": lambda: _("%(each)s: %(visits)s; a missing one costs %(hours)s", each=_each_in(change, names),
                              visits=ngettext("at least %(num)s visit", "at least %(num)s visits", change["at_least"]),
                              hours=words.hours(change["penalty"])),
        "penalties": lambda: _("%(each)s: coverage weighs %(percent)s%% of what it did", each=_each_in(change, names),
                               percent=change["percent"]),
        "unvisited": lambda: _("%(where)s: no district longer than %(weeks)s without a visit",
                               where=_governorate(change, names),
                               weeks=ngettext("%(num)s week", "%(num)s weeks", change["weeks"])),
        "speed": lambda: _("Everywhere: driving at %(percent)s%% of its speed", percent=change["percent"]),
        "traffic": lambda: _("%(where)s: driving takes %(percent)s%% of its time, %(hours)s%(days)s",
                             where=_governorate(change, names), percent=change["percent"],
                             hours=_hours(low, high), days=_on(change, names)),
        "unpin": lambda: _("%(who)s: pinned visits may move", who=who),
    }  # fmt: skip
    tell = texts.get(what)
    return str(tell()) if tell is not None else what


def touched(kind_name: str, count: int) -> str:
    """How much a change touches."""
    if kind_name in ("opening", "demand"):
        return str(ngettext("%(num)s place", "%(num)s places", count))
    if kind_name in ("coverage", "penalties", "unvisited"):
        return str(ngettext("%(num)s rule", "%(num)s rules", count))
    if kind_name in ("surge", "speed", "traffic"):
        return ""
    if kind_name == "unpin":
        return str(ngettext("%(num)s visit", "%(num)s visits", count))
    return str(ngettext("%(num)s center", "%(num)s centers", count))


def error(problem: FleetError) -> str:
    """Why a scenario cannot be so, naming the change."""
    if problem.code == "bad_change":
        details = problem.details
        reason = _reason(str(details.get("reason")), details)
        named = kind(str(details.get("kind")))
        return str(
            _(
                "Change %(number)s (%(kind)s): %(reason)s",
                number=details.get("change"),
                kind=named,
                reason=reason,
            )
        )
    texts = {
        "name_missing": _("Give the scenario a name."),
        "source_gone": _("The plan that this scenario copies is gone."),
        "scenario_solving": _("Stop the search before you change the scenario."),
        "scenario_not_solved": _("Solve the scenario first."),
        "scenario_not_published": _("A scenario is never published. Make a draft of it first."),
        "not_a_scenario": _("This is no scenario."),
        "too_many_changes": _("A scenario holds at most 60 changes."),
        "nothing_to_copy": _("This plan has no visits to copy."),
    }
    return str(texts.get(problem.code) or words.error(problem))


def _reason(code: str, details: Mapping[str, Any]) -> str:
    label = field(str(details.get("field", "")), str(details.get("kind", "")))
    value = str(details.get("value", ""))
    texts = {
        "missing": _("fill in: %(field)s.", field=label),
        "not_a_number": _("%(field)s must be a whole number.", field=label),
        "out_of_range": _("%(field)s must be between %(low)s and %(high)s.", field=label,
                          low=_limit(details, "low"), high=_limit(details, "high")),
        "not_days": _("choose at least one day."),
        "unknown_center": _("the center %(value)s is not in this week, or an earlier change took it out.", value=value),
        "unknown_governorate": _("there is no such governorate."),
        "unknown_site": _("there is no place %(value)s in this week. Choose one from the list.", value=value),
        "many_sites": _("%(count)s places are called “%(value)s”. Choose one from the list.",
                        count=details.get("count"), value=value),
        "unknown_class": _("there is no such class of center."),
        "unknown_choice": _("choose one from the list."),
        "start_after_end": _("the end must be after the start. %(value)s", value=value).strip(),
        "no_effect": _("it would change nothing in this week."),
        "too_many": _("there are only %(there)s centers there.", there=details.get("there")),
        "no_later": _("the shift of %(value)s lasts as long already.", value=value),
        "not_fixed": _("choose a fixed center; for a village, change the demand."),
        "no_vans": _("no center would be left."),
    }  # fmt: skip
    return str(texts.get(code) or _("the week would not be valid."))


def _limit(details: Mapping[str, Any], name: str) -> str:
    value = details.get(name, 0)
    minutes = details.get("field") in ("start", "end", "until")
    return _at(int(value)) if minutes else number(value)


def _vans(change: Mapping[str, Any], names: Names) -> str:
    if "centers" in change:
        codes = list(change["centers"])
        if len(codes) == 1:
            name = names.centers.get(codes[0])
            return f"{name} ({_ltr(codes[0])})" if name else _ltr(codes[0])
        return ", ".join(_ltr(code) for code in codes)
    if "governorate" in change:
        return str(_("Centers of %(governorate)s", governorate=_governorate(change, names)))
    return str(_("All mobile centers"))


def _where(change: Mapping[str, Any], names: Names) -> str:
    if "site" in change:
        return _site(change, names)
    place = _governorate(change, names)
    if "site_kind" in change:
        return str(_("%(where)s, %(kind)s", where=place, kind=site_kind(str(change["site_kind"]))))
    return place


def _governorate(change: Mapping[str, Any], names: Names) -> str:
    iso = change.get("governorate")
    return names.governorates.get(str(iso), str(iso)) if iso is not None else str(_("The whole country"))


def _site(change: Mapping[str, Any], names: Names) -> str:
    return names.sites.get(str(change.get("site")), str(change.get("site")))


def _each_in(change: Mapping[str, Any], names: Names) -> str:
    where = _governorate(change, names)
    which = {"district": _("every district"), "governorate": _("every governorate")}.get(
        str(change.get("each")), _("districts and governorates")
    )
    return (
        f"{where}{_(', ')}{which}"
        if change.get("each") != "governorate" or "governorate" not in change
        else where
    )


def _days(change: Mapping[str, Any], names: Names) -> str:
    weeks = any(day > 6 for day in change["days"])
    shown = [weekday(names.week + timedelta(days=day)) for day in change["days"]]
    if weeks:
        shown = [f"{(names.week + timedelta(days=day)):%d/%m}" for day in change["days"]]
    return str(_(", ")).join(shown)


def _on(change: Mapping[str, Any], names: Names) -> str:
    return str(_(", on %(days)s", days=_days(change, names))) if "days" in change else ""


def _hours(low: int | None, high: int | None) -> str:
    if low is None:
        return str(_("until %(time)s", time=_at(high or 0)))
    if high is None:
        return str(_("from %(time)s", time=_at(low)))
    return str(_("from %(start)s to %(end)s", start=_at(low), end=_at(high)))


def _shift(change: Mapping[str, Any], who: str) -> str:
    said = []
    if "start" in change or "end" in change:
        said.append(_("shift %(hours)s", hours=_hours(change.get("start"), change.get("end"))))
    if "max_drive" in change:
        said.append(_("at most %(minutes)s minutes of driving a day", minutes=change["max_drive"]))
    return str(_("%(who)s: %(what)s", who=who, what=_(", ").join(said)))


def _add(change: Mapping[str, Any], names: Names) -> str:
    said = ngettext("%(num)s more center like %(center)s", "%(num)s more centers like %(center)s", change["count"],
                    center=_vans({"centers": change["like"]}, names))  # fmt: skip
    if "site" in change:
        said += _(", depot at %(place)s", place=_site(change, names))
    if "klass" in change:
        said += _(", ") + klass(str(change["klass"]))
    return str(said)


def _remove(change: Mapping[str, Any], names: Names, who: str) -> str:
    if "count" in change:
        where = _governorate(change, names)
        return str(
            ngettext(
                "%(where)s: %(num)s center fewer",
                "%(where)s: %(num)s centers fewer",
                change["count"],
                where=where,
            )
        )
    return str(_("%(who)s: taken out", who=who))


def _at(minute: int) -> str:
    return _ltr(minute_time(minute))


def _ltr(text: str) -> str:
    """Codes and times in plain text, kept in order inside Arabic."""
    return f"\u2066{text}\u2069"
