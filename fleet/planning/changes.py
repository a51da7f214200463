"""Manual changes: the verdict first, then the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.calendar import week_of
from fleet.errors import Conflict
from fleet.planning.blobs import Decoded, decode
from fleet.planning.frame import Frame, Mark, frozen, load_frame, marks_of, origins, placement
from fleet.planning.horizon import settled_weeks
from fleet.planning.ledger import Share, judge, marks_in, settle, shares, standing, tell, visits_of
from fleet.planning.placing import best_stay, fit
from fleet.planning.rearranging import rearranged
from fleet.planning.shapes import Change, Fault, Shift, Verdict
from fleet.store import Center, Plan, PlanVisit
from routing.check import Fault as RouteFault
from routing.check import Verdict as Judgement

NEW = 0
"""The mark's id of a visit that does not exist yet."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A change worked out: the visits before and after, and what forbids it."""

    before: list[Mark]
    after: list[Mark]
    target: Mark | None
    faults: tuple[Fault, ...]
    objectives: tuple[int, int]
    """Before and after, as the referee's code counts them."""


def try_change(session: Session, plan: Plan, change: Change, *, now: datetime) -> Verdict:
    """Return what `change` would do to `plan`, without doing it. Some tens of milliseconds for the national
    week."""
    frame, decoded = load_frame(session, plan.week), decode(plan.problem)
    held = _Held(now, frozenset(settled_weeks(session, plan)))
    marks = marks_in(session, plan, frame)
    now_is, parts = standing(plan.problem, tuple(marks))
    outcome = _work_out(session, marks, change, decoded, frame, held, now_is)
    return _verdict(outcome, decoded, frame, parts)


def apply_change(
    session: Session, plan: Plan, change: Change, *, revision: int, actor: str, now: datetime
) -> Verdict:
    """Make `change` on a draft when it breaks no rule, and return its verdict.

    Raises Conflict `not_a_draft`, `stale_revision` (somebody changed the plan since the form was opened), or
    `change_refused` with the faults' codes and words.
    """
    _take_revision(session, plan, revision)
    frame, decoded = load_frame(session, plan.week), decode(plan.problem)
    rows = visits_of(session, plan)
    held = _Held(now, frozenset(settled_weeks(session, plan)))
    marks = marks_of(rows, frame)
    now_is, parts = standing(plan.problem, tuple(marks))
    outcome = _work_out(session, marks, change, decoded, frame, held, now_is)
    verdict = _verdict(outcome, decoded, frame, parts)
    if outcome.faults:
        raise Conflict(
            "change_refused",
            "; ".join(f.words for f in outcome.faults),
            faults=[{"code": f.code, "words": f.words, "details": dict(f.details)} for f in outcome.faults],
        )
    _write(session, plan, rows, outcome.after, frame)
    rows = visits_of(session, plan)
    settle(plan, rows, marks_of(rows, frame), decoded)
    _keep_bound_true(plan)
    tell(session, plan, "board", {"revision": plan.revision, "change": change.kind, "by": actor}, now)
    session.flush()
    return verdict


def _take_revision(session: Session, plan: Plan, revision: int) -> None:
    """One UPDATE decides between two planners: who comes second with the same revision is refused."""
    taken = session.execute(
        update(Plan)
        .where(Plan.id == plan.id, Plan.status == "draft", Plan.revision == revision)
        .values(revision=Plan.revision + 1)
        .returning(Plan.id)
        .execution_options(synchronize_session=False)
    ).first()
    session.refresh(plan, ["revision", "status", "seq"])
    if taken is not None:
        return
    if plan.status != "draft":
        raise Conflict("not_a_draft", "Only a draft can be changed.", plan=plan.id, status=plan.status)
    raise Conflict(
        "stale_revision",
        "The plan has changed since this page was opened.",
        plan=plan.id,
        revision=plan.revision,
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """What time and publication keep from being changed."""

    now: datetime
    weeks: frozenset[date]

    def fault(self, frame: Frame, index: int) -> Fault | None:
        """Why nothing of that day can be changed, or None."""
        when = frame.day(index)
        if frozen(when, self.now):
            words = f"{when.isoformat()} has begun: its visits stay as they are."
            return Fault("day_frozen", words, {"day": when.isoformat()})
        if week_of(when) in self.weeks:
            words = f"The week of {when.isoformat()} is published: its visits stay as they are."
            return Fault("week_published", words, {"day": when.isoformat()})
        return None


def _work_out(
    session: Session,
    marks: list[Mark],
    change: Change,
    decoded: Decoded,
    frame: Frame,
    held: _Held,
    now_is: Judgement,
) -> _Outcome:
    """`now_is` is the referee's verdict on `marks`."""
    if change.kind == "days":
        return _rearrange(session, marks, change, decoded, frame, held, now_is)
    by_id = {m.id: m for m in marks}
    old = by_id.get(change.visit_id) if change.visit_id is not None else None
    target, faults = _target(session, change, old, decoded, frame, held)
    if faults or (target is None and change.kind != "remove"):
        return _Outcome(marks, marks, target, tuple(faults), (now_is.objective, now_is.objective))
    known = set(now_is.faults)
    best: tuple[tuple[int, int], _Outcome] | None = None
    for rest in _without(marks, old, target):
        after, put = (rest, None) if target is None else _placed(rest, change, old, target, decoded)
        then = judge(after, decoded)
        fresh = tuple(_words(f, frame) for f in then.faults if f not in known)
        rank = (len(fresh), -then.objective)
        if best is None or rank < best[0]:
            best = rank, _Outcome(marks, after, put, fresh, (now_is.objective, then.objective))
    assert best is not None  # there is always the plan without the visit
    return best[1]


def _without(marks: list[Mark], old: Mark | None, target: Mark | None) -> list[list[Mark]]:
    """The other visits. Where the van was to stay the night at the visit and it goes, the van comes home, or stays at
    the stop before it."""
    rest = [m for m in marks if old is None or m.id != old.id]
    if old is None or not old.overnight or (target is not None and target.key == old.key):
        return [rest]
    left = [m for m in rest if m.key == old.key]
    if not left:
        return [rest]
    last = max(left, key=lambda m: m.start)
    return [rest, [replace(m, overnight=True) if m.id == last.id else m for m in rest]]


def _placed(
    rest: list[Mark], change: Change, old: Mark | None, target: Mark, decoded: Decoded
) -> tuple[list[Mark], Mark]:
    """Put the visit into its day: (all visits, the visit as it stands then)."""
    problem, travel = decoded.problem, decoded.travel
    day = [m for m in rest if m.key == target.key]
    elsewhere = [m for m in rest if m.key != target.key]
    away = any(m.overnight for m in day) or target.overnight
    if change.overnight is not None:
        away = change.overnight
    day = [replace(m, overnight=False) for m in day]
    target = replace(target, overnight=away)  # a day stays away after its last stop, whichever mark says so
    start = change.start_minute
    if start is None and old is not None and old.key == target.key and old.site == target.site:
        start = old.start  # a changed stay leaves the start where it was
    by_key: dict[tuple[str, int], list[Mark]] = {}
    for mark in elsewhere:
        if mark.center == target.center:
            by_key.setdefault(mark.key, []).append(mark)
    origin = origins(marks_by_key=by_key, problem=problem).get(target.key)
    if change.stay_minutes is None and old is None:
        site = problem.site_by_id[target.site]
        placed = best_stay(day, target, site, problem, travel, start=start, origin=origin)
    else:
        placed = fit(day, target, problem, travel, start=start, origin=origin)
    last = max(placed, key=lambda m: (m.start, m.id == target.id))
    placed = [replace(m, overnight=away and m is last) for m in placed]
    return elsewhere + placed, next(m for m in placed if m.id == target.id)


def _rearrange(
    session: Session,
    marks: list[Mark],
    change: Change,
    decoded: Decoded,
    frame: Frame,
    held: _Held,
    now_is: Judgement,
) -> _Outcome:
    """Put whole days in the place of those that are there."""
    after, faults = rearranged(marks, change.days, decoded.problem, frame)
    touched = {m.day for m in after if m not in marks} | {m.day for m in marks if m not in after}
    faults += [fault for day in sorted(touched) if (fault := held.fault(frame, day)) is not None]
    busy = {m.center for m in after if m not in marks}
    for center in sorted(c for c in busy if c in frame.center_id and _out_of_service(session, frame, c)):
        faults.append(Fault("center_out_of_service", f"{center} is out of service.", {"center": center}))
    if faults:
        return _Outcome(marks, marks, None, tuple(faults), (now_is.objective, now_is.objective))
    then, known = judge(after, decoded), set(now_is.faults)
    fresh = tuple(_words(f, frame) for f in then.faults if f not in known)
    about = NEW if change.visit_id is None else change.visit_id
    put = next((m for m in after if m.id == about), None)
    return _Outcome(marks, after, put, fresh, (now_is.objective, then.objective))


def _target(
    session: Session, change: Change, old: Mark | None, decoded: Decoded, frame: Frame, held: _Held
) -> tuple[Mark | None, list[Fault]]:
    """Return the visit as asked for (its start still open) and what forbids even trying."""
    faults: list[Fault] = []
    if change.kind != "add":
        if old is None:
            return None, [Fault("not_in_plan", "The plan has no such visit.", {"visit": change.visit_id})]
        if (stands := held.fault(frame, old.day)) is not None:
            faults.append(stands)
        elif old.pinned:
            words = f"The visit of {old.center} to {old.site} is pinned: unpin it first."
            faults.append(Fault("visit_pinned", words, {"center": old.center, "site": old.site}))
        if change.kind == "remove":
            return None, faults
    elif change.center_id is None or change.site_id is None or change.day is None:
        return None, [Fault("missing_field", "A new visit needs a center, a site and a day.", {})]
    center, site = old.center if old else None, old.site if old else None
    if change.center_id is not None:
        center = frame.center_code.get(change.center_id)
    if change.site_id is not None:
        site = frame.site_code.get(change.site_id)
    day = frame.day_index(change.day) if change.day is not None else (old.day if old else -1)
    if center is None or center not in decoded.problem.center_by_id:
        faults.append(Fault("unknown_center", "That center is not part of this plan.", {"center": center}))
    if site is None or site not in decoded.problem.site_by_id:
        faults.append(Fault("unknown_site", "That place is not a candidate of this plan.", {"site": site}))
    if not 0 <= day < len(decoded.problem.days):
        faults.append(Fault("outside_week", "That day is not in the plan's week.", {"day": str(change.day)}))
    elif (old is None or day != old.day) and (stands := held.fault(frame, day)) is not None:
        faults.append(stands)
    if (
        center is not None
        and (old is None or center != old.center)
        and _out_of_service(session, frame, center)
    ):
        faults.append(Fault("center_out_of_service", f"{center} is out of service.", {"center": center}))
    if faults or center is None or site is None:
        return None, faults
    stay = change.stay_minutes or (old.stay if old else 0)
    night = old is not None and old.overnight and old.key == (center, day)
    return Mark(old.id if old else NEW, center, day, site, 0, stay, overnight=night), []


def _out_of_service(session: Session, frame: Frame, center: str) -> bool:
    status = session.scalar(select(Center.status).where(Center.id == frame.center_id[center]))
    return status != "ready"


def _words(fault: RouteFault, frame: Frame) -> Fault:
    details: dict[str, object] = {"center": fault.center, "site": fault.site, "stop": fault.stop}
    if fault.day is not None:
        details["day"] = frame.day(fault.day).isoformat()
    return Fault(fault.code, fault.text, {k: v for k, v in details.items() if v is not None})


def _verdict(outcome: _Outcome, decoded: Decoded, frame: Frame, parts: Mapping[int, Share]) -> Verdict:
    """`parts` are the shares of the visits before. Those of a center depend on no other: only the centers whose days
    differ are counted anew."""
    touched = {m.center for m in set(outcome.before) ^ set(outcome.after)}
    gone = [share for i, share in parts.items() if outcome.before[i].center in touched]
    come = shares([m for m in outcome.after if m.center in touched], decoded).values()
    hours, km = sum(s.hours for s in parts.values()), sum(s.km for s in parts.values())
    drive = sum(s.drive_minutes for s in parts.values())
    served_before = {m.site for m in outcome.before}
    served_after = {m.site for m in outcome.after}
    starts = {m.id: m.start for m in outcome.before}
    put = outcome.target
    return Verdict(
        faults=outcome.faults,
        hours_before=round(hours, 1),
        hours_after=round(hours + sum(s.hours for s in come) - sum(s.hours for s in gone), 1),
        drive_before=drive,
        drive_after=drive + sum(s.drive_minutes for s in come) - sum(s.drive_minutes for s in gone),
        km_before=round(km, 1),
        km_after=round(km + sum(s.km for s in come) - sum(s.km for s in gone), 1),
        objective_before=outcome.objectives[0],
        objective_after=outcome.objectives[1],
        placed=placement(put, frame) if put is not None else None,
        shifted=tuple(
            Shift(m.id, starts[m.id], m.start)
            for m in outcome.after
            if m.id in starts and m.start != starts[m.id] and (put is None or m.id != put.id)
        ),
        loses=tuple(sorted(frame.site_id[s] for s in served_before - served_after)),
        gains=tuple(sorted(frame.site_id[s] for s in served_after - served_before)),
        groups_short=_newly_short(outcome, decoded),
    )


def _newly_short(outcome: _Outcome, decoded: Decoded) -> tuple[str, ...]:
    def short(marks: Sequence[Mark]) -> dict[str, int]:
        count: dict[str, int] = {}
        for m in marks:
            count[m.site] = count.get(m.site, 0) + 1
        return {g.name: g.at_least - sum(count.get(s, 0) for s in g.sites) for g in decoded.problem.groups}

    before, after = short(outcome.before), short(outcome.after)
    return tuple(name for name, lack in after.items() if lack > max(0, before[name]))


def _write(
    session: Session, plan: Plan, rows: Sequence[PlanVisit], after: Sequence[Mark], frame: Frame
) -> None:
    """Bring the rows to `after`. Starts are parked on negative minutes first: two visits may trade places,
    and the database looks at every row by itself."""
    wanted = {m.id: m for m in after if m.id != NEW}
    moved = [row for row in rows if row.id in wanted and _differs(row, wanted[row.id], frame)]
    for row in rows:
        if row.id not in wanted:
            session.delete(row)
    for row in moved:
        row.start_minute = -row.id % 30000 - 30000
    session.flush()
    for row in moved:
        put = placement(wanted[row.id], frame)
        row.center_id, row.site_id, row.day = put.center_id, put.site_id, put.day
        row.start_minute, row.stay_minutes = put.start_minute, put.stay_minutes
        row.overnight = wanted[row.id].overnight
    for mark in after:
        if mark.id == NEW:
            put = placement(mark, frame)
            session.add(
                PlanVisit(
                    plan_id=plan.id,
                    center_id=put.center_id,
                    site_id=put.site_id,
                    day=put.day,
                    start_minute=put.start_minute,
                    stay_minutes=put.stay_minutes,
                    overnight=mark.overnight,
                )
            )
    session.flush()
    session.expire(plan, ["visits"])


def _differs(row: PlanVisit, mark: Mark, frame: Frame) -> bool:
    put = placement(mark, frame)
    here = (row.center_id, row.site_id, row.day, row.start_minute, row.stay_minutes, bool(row.overnight))
    return here != (
        put.center_id,
        put.site_id,
        put.day,
        put.start_minute,
        put.stay_minutes,
        mark.overnight,
    )


def _keep_bound_true(plan: Plan) -> None:
    """A change can exceed the bound only by giving up a pin that it was proven under: then nothing is
    proven."""
    if plan.bound is not None and plan.objective is not None and plan.bound < plan.objective:
        plan.bound = None
