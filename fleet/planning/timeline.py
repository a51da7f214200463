"""A day of a plan on the road: when each center leaves, drives, gets ready, opens, has time to spare and is back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlalchemy.orm import Session

from fleet.planning.blobs import Decoded, decode
from fleet.planning.frame import Frame, Mark, load_frame, origins, route_of
from fleet.planning.ledger import marks_in
from fleet.store import Plan
from routing.problem import Problem
from routing.solution import Route, describe

Kind = Literal["drive", "ready", "open", "spare"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a center's day, minutes from local midnight. `visit_id` names the visit of an open one."""

    kind: Kind
    start: int
    end: int
    visit_id: int = 0

    @property
    def minutes(self) -> int:
        """How long it lasts."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Line:
    """One center's day: its pieces in order, from the beginning of its shift to its end.

    `leaves` and `back` are minutes; both None where the plan's problem does not know a stop any more, so that only
    opening times are certain. `origin` is the site it starts from after a night away, `overnight` says that it stays
    where it stops last (`back` is then the end of that visit)."""

    center_id: int
    pieces: tuple[Piece, ...]
    shift: tuple[int, int]
    leaves: int | None
    back: int | None
    drive_minutes: int
    km: float
    overnight: bool = False
    origin: int | None = None

    @property
    def open_minutes(self) -> int:
        """Minutes for which it is open."""
        return sum(p.minutes for p in self.pieces if p.kind == "open")

    @property
    def spare_minutes(self) -> int:
        """Minutes of the shift with nothing to do."""
        return sum(p.minutes for p in self.pieces if p.kind == "spare")


def timeline(session: Session, plan: Plan, days: Iterable[date]) -> dict[date, list[Line]]:
    """Return the lines of those days, by center id, of centers that have a visit then or drive home from a night away.

    The week before and after a day are read too: where a center wakes up is decided by the evening before.
    """
    frame = load_frame(session, plan.week)
    decoded = decode(plan.problem)
    by_key: dict[tuple[str, int], list[Mark]] = defaultdict(list)
    for mark in marks_in(session, plan, frame):
        by_key[mark.key].append(mark)
    known = {key: some for key, some in by_key.items() if _known(some, decoded.problem)}
    away = origins(marks_by_key=known, problem=decoded.problem)
    found: dict[date, list[Line]] = {}
    for day in days:
        index = frame.day_index(day)
        keys = {key for key in (*by_key, *away) if key[1] == index}
        lines = [
            _line(key, by_key.get(key, []), key in by_key and key not in known, away, decoded, frame)
            for key in keys
        ]
        found[day] = sorted((line for line in lines if line is not None), key=lambda line: line.center_id)
    return found


def _known(marks: Iterable[Mark], problem: Problem) -> bool:
    return all(m.center in problem.center_by_id and m.site in problem.site_by_id for m in marks)


def _line(
    key: tuple[str, int],
    marks: list[Mark],
    strange: bool,
    away: Mapping[tuple[str, int], str],
    decoded: Decoded,
    frame: Frame,
) -> Line | None:
    marks = sorted(marks, key=lambda m: (m.start, m.site))
    if strange:
        pieces = tuple(Piece("open", m.start, m.start + m.stay, m.id) for m in marks)
        shift = (pieces[0].start, pieces[-1].end)
        return Line(frame.center_id[key[0]], pieces, shift, None, None, 0, 0.0)
    center = decoded.problem.center_by_id[key[0]]
    morning = away.get(key)
    begin, opens = center.begins(key[1]) if morning is None else (morning, center.shift[0])
    if marks:
        bare = route_of(marks, decoded.problem, decoded.travel, origin=morning)
    elif morning is not None:
        bare = Route(center.id, key[1], opens, (), origin=morning)
    else:
        return None
    route = describe(decoded.problem, decoded.travel, bare)
    back = route.back if route.back is not None else opens
    shift = (min(opens, route.depart), max(center.shift[1], back))
    pieces = tuple(_pieces(route, marks, center.setup, shift, back))
    sites = {decoded.problem.site_by_id[code].place: site for code, site in frame.site_id.items()
             if code in decoded.problem.site_by_id} if begin != center.depot else {}  # fmt: skip
    return Line(
        frame.center_id[center.id], pieces, shift, route.depart, back, route.drive or 0, route.km or 0.0,
        bool(route.overnight), sites.get(begin),
    )  # fmt: skip


def _pieces(
    route: Route, marks: list[Mark], setup: int, shift: tuple[int, int], back: int
) -> Iterable[Piece]:
    """The day without gaps; a wait before opening counts as spare, before the crew gets ready."""
    clock = shift[0]
    if route.depart > clock:
        yield Piece("spare", clock, route.depart)
    clock = route.depart
    for stop, mark in zip(route.stops, marks, strict=True):
        arrival = clock if stop.arrival is None else stop.arrival
        ready = max(arrival, stop.start - setup)
        for kind, start, end in (
            ("drive", clock, arrival),
            ("spare", arrival, ready),
            ("ready", ready, stop.start),
        ):
            if end > start:
                yield Piece(kind, start, end)  # type: ignore[arg-type]
        clock = stop.start + stop.stay
        yield Piece("open", stop.start, clock, mark.id)
    if back > clock:
        yield Piece("drive", clock, back)
        clock = back
    if shift[1] > clock:
        yield Piece("spare", clock, shift[1])
