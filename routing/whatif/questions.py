"""Questions as data: what is asked, and the problem as it would be then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from routing.errors import RoutingError
from routing.problem import Center, Group, Pin, Problem, Site

Kind = Literal["van", "shift", "crew", "unpin", "serve", "skip"]
KINDS = ("van", "shift", "crew", "unpin", "serve", "skip")
MIDNIGHT = 1440
LATEST = 1320
"""A second crew is home by 22:00."""
MOST_MINUTES = 720


class QuestionError(RoutingError):
    """A question that cannot be asked of this problem."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    `van`: one more center like each of `centers`, on their days. `shift`: the shifts of `centers` end `minutes` later.
    `crew`: a second crew takes over the vans of `centers` from the end of their shift, for as long as the first had
    them (home by 22:00); with `open_until`, `sites` stay open until that minute. `unpin`: without the
    pins on `visits`, (center, day, site, start, stay) each. `serve`: the places `sites` must have a visit. `skip`: the
    places of `visits` are closed on those days.
    """

    kind: Kind
    centers: tuple[str, ...] = ()
    minutes: int = 0
    sites: tuple[str, ...] = ()
    open_until: int | None = None
    visits: tuple[tuple[str, int, str, int, int], ...] = ()

    @classmethod
    def from_json(cls, data: object) -> Question:
        """Build a question from its JSON object; QuestionError when it is none."""
        try:
            if not isinstance(data, Mapping) or data.get("kind") not in KINDS:
                raise ValueError(f"kind must be one of {', '.join(KINDS)}")
            until = data.get("open_until")
            made = cls(
                data["kind"],
                tuple(str(name) for name in data.get("centers", ())),
                int(data.get("minutes", 0)),
                tuple(str(name) for name in data.get("sites", ())),
                None if until is None else int(until),
                tuple((str(c), int(d), str(s), int(a), int(b)) for c, d, s, a, b in data.get("visits", ())),
            )
        except (TypeError, ValueError) as error:
            raise QuestionError(f"not a question: {error}") from error
        return made

    def to_json(self) -> dict[str, Any]:
        """Return the question as a JSON object."""
        return {
            "kind": self.kind,
            "centers": list(self.centers),
            "minutes": self.minutes,
            "sites": list(self.sites),
            "open_until": self.open_until,
            "visits": [list(visit) for visit in self.visits],
        }

    def about(self, problem: Problem) -> tuple[str, ...]:
        """Return the centers and place ids that the question is about: what is near them is planned anew."""
        places = [problem.site_by_id[name].place for name in self.sites if self.kind == "serve"]
        places += [problem.site_by_id[visit[2]].place for visit in self.visits]
        places += [problem.center_by_id[name].depot for name in self.centers]
        return tuple(dict.fromkeys(places))


def changed(problem: Problem, question: Question) -> Problem:
    """Return the problem as it would be. Raises QuestionError when it names what is not there or changes nothing."""
    _check(problem, question)
    if question.kind == "van":
        more = {name: twin(problem, problem.center_by_id[name]) for name in question.centers}
        return joined(problem, more)
    if question.kind == "shift":
        longer = tuple(
            replace(c, shift=(c.shift[0], min(MIDNIGHT, c.shift[1] + question.minutes)))
            if c.id in question.centers
            else c
            for c in problem.centers
        )
        return replace(problem, centers=longer, checked=True)
    if question.kind == "crew":
        crews = {name: second_crew(problem.center_by_id[name]) for name in question.centers}
        return joined(replace(problem, sites=_late(problem, question), checked=True), crews)
    if question.kind == "unpin":
        gone = set(question.visits)
        pins = tuple(p for p in problem.pinned if (p.center, p.day, p.site, p.start, p.stay) not in gone)
        return replace(problem, pinned=pins, checked=True)
    if question.kind == "skip":
        return replace(
            problem, sites=tuple(_closed(problem, site, question) for site in problem.sites), checked=True
        )
    must = tuple(Group(f"must serve {name}", (name,), 1, force(problem)) for name in question.sites)
    return replace(problem, groups=problem.groups + must, checked=True)


def force(problem: Problem) -> int:
    """Return the penalty of leaving a place unserved that must be served: more than the visits that give way are
    worth."""
    offers = (site.offers for site in problem.sites)
    menus = (
        some for found in offers for some in (found.values() if isinstance(found, Mapping) else (found,))
    )
    return min(10**9, max(10**7, 20 * max((offer.value for some in menus for offer in some), default=0)))


def _check(problem: Problem, question: Question) -> None:
    for name in question.centers:
        if name not in problem.center_by_id:
            raise QuestionError(f"no such center {name}")
    for name in question.sites:
        if name not in problem.site_by_id:
            raise QuestionError(f"no such site {name}")
    if question.kind in ("van", "shift", "crew") and not question.centers:
        raise QuestionError("name at least one center")
    if question.kind == "shift" and not 0 < question.minutes <= MOST_MINUTES:
        raise QuestionError(f"minutes must be 1 to {MOST_MINUTES}")
    if question.kind == "serve" and not question.sites:
        raise QuestionError("name at least one site")
    if any(v[0] not in problem.center_by_id or v[2] not in problem.site_by_id for v in question.visits):
        raise QuestionError("no such visit")
    pins = {(p.center, p.day, p.site, p.start, p.stay) for p in problem.pinned}
    shut = {(visit[1], visit[2]) for visit in question.visits}
    if question.kind == "skip" and (not shut or any((p.day, p.site) in shut for p in problem.pinned)):
        raise QuestionError("name visits that are not pinned")
    if question.kind == "unpin" and (not question.visits or not set(question.visits) <= pins):
        raise QuestionError("name visits that are pinned")


def _closed(problem: Problem, site: Site, question: Question) -> Site:
    """Return the site closed on the days of its visits that are to be skipped."""
    days = {visit[1] for visit in question.visits if visit[2] == site.id}
    if not days:
        return site
    windows = {
        str(d): w for d in range(len(problem.days)) if d not in days and (w := site.window(d)) is not None
    }
    return replace(site, open=windows)


def joined(problem: Problem, more: Mapping[str, Center]) -> Problem:
    """Return the problem with more centers, each allowed wherever the one is that it is named under."""
    sites = tuple(
        site
        if site.centers is None
        else replace(
            site, centers=(*site.centers, *(c.id for name, c in more.items() if name in site.centers))
        )
        for site in problem.sites
    )
    return replace(problem, centers=(*problem.centers, *more.values()), sites=sites, checked=True)


def twin(problem: Problem, center: Center) -> Center:
    """Return one more center like `center`, at its depot every morning."""
    number = 2
    while f"{center.id}+{number}" in problem.center_by_id:
        number += 1
    return replace(center, id=f"{center.id}+{number}", starts={})


def second_crew(center: Center) -> Center:
    """Return the same van with a second crew: from the end of the shift, for as long, at the latest until 22:00."""
    opens, closes = center.shift
    until = max(closes, min(LATEST, 2 * closes - opens))
    return replace(center, id=f"{center.id}+crew", shift=(closes, until), starts={}, nights=0)


def _late(problem: Problem, question: Question) -> tuple[Site, ...]:
    until, late = question.open_until, set(question.sites)
    if until is None or not late:
        return problem.sites
    days = range(len(problem.days))
    return tuple(
        replace(
            site,
            open={
                str(d): (w[0], max(w[1], min(until, MIDNIGHT)))
                for d in days
                if (w := site.window(d)) is not None
            },
        )
        if site.id in late
        else site
        for site in problem.sites
    )


def kept_pins(problem: Problem, centers: set[str]) -> tuple[Pin, ...]:
    """Return the pins of some centers."""
    return tuple(pin for pin in problem.pinned if pin.center in centers)
