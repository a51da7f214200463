"""Day repair: something happens, ways to go on are proposed, one is accepted, those concerned are told.

Nothing is announced before `accept_repair`. A proposal holds for a while and only as long as what it touches stands as
it did: vans move on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.calendar import local_day, local_instant, local_minute, week_days, week_of
from fleet.errors import Conflict, Invalid, NotFound
from fleet.network.geo import km_between
from fleet.planning.blobs import pack
from fleet.planning.problem import TRAVEL
from fleet.planning.repair_proposals import proposals_of
from fleet.planning.repair_shapes import (
    KINDS,
    LEAST_PERCENT,
    MOST_KM,
    MOST_PERCENT,
    Disrupted,
    Proposal,
)
from fleet.planning.repair_state import published_plan, request_of, standing_visits, stretch_of
from fleet.store import Center, Plan, Repair, Site
from fleet.tracking import touch
from routing.problem import Place, Problem
from routing.repair import Alternative, Whereabouts, from_json, repair
from routing.solution import Plan as Routes

COST_PER_KM = float(TRAVEL["road"]["cost_per_km"])  # type: ignore[arg-type]
HOLDS = timedelta(minutes=45)
"""How long a proposal may be accepted at most: by then vans are somewhere else."""
SECONDS = 4.5
"""From the press to the alternatives, so that they are on the screen within 5."""


def report_disruption(
    session: Session, disrupted: Disrupted, *, actor: str, now: datetime, reason: str = ""
) -> Repair:
    """Note that something happened and return the repair to be worked out (status solving).

    A center that is out is out of service from now on, whatever is decided. Raises Invalid `unknown_disruption`,
    NotFound `center_not_found`, `site_not_found`, Conflict `nothing_published`.
    """
    _refuse_nonsense(session, disrupted, now)
    plan = published_plan(session, now)
    if disrupted.kind == "center_out":
        center = session.get_one(Center, disrupted.center_id)
        if center.status == "ready":
            words = reason[:200] or "broken down"
            touch(session, center, part="visit", now=now, status="out_of_service", status_reason=words)
    made = Repair(
        plan_id=plan.id, status="solving", created_at=now, created_by=actor, disruption=disrupted.to_json()
    )
    session.add(made)
    session.flush()
    return made


def ready_again(session: Session, center: Center, *, now: datetime) -> None:
    """Note that a center works again: it opens its visits, and later plans reckon with it."""
    if center.status != "ready":
        touch(session, center, part="visit", now=now, status="ready", status_reason="")


def return_centers(session: Session, *, now: datetime) -> list[Center]:
    """Take into service again the centers that were said to be out until a day that is over; those taken."""
    today, until = local_day(now), dict[int, date]()
    for data in session.scalars(select(Repair.disruption).order_by(Repair.id)):
        one = Disrupted.from_json(data)
        if one.kind == "center_out" and one.center_id is not None:
            until[one.center_id] = one.until
    due = [center_id for center_id, last in until.items() if last < today]
    chosen = select(Center).where(Center.id.in_(due), Center.status != "ready").order_by(Center.id)
    centers = list(session.scalars(chosen))
    for center in centers:
        ready_again(session, center, now=now)
    return centers


def prepare_request(
    session: Session, made: Repair, *, now: datetime, tiles: str | None = None
) -> dict[str, Any]:
    """Return what the solver's process answers, from the live state at `now`; `tiles` is a folder of road tiles by
    which it finds ways around closed roads. Reads only."""
    plan = session.get_one(Plan, made.plan_id)
    if plan.status != "published":
        raise Conflict("plan_replaced", "Another plan has been published meanwhile.", plan=plan.id)
    request = request_of(session, plan, Disrupted.from_json(made.disruption), now=now)
    return request if tiles is None else request | {"map": {"valhalla": tiles, "cost_per_km": COST_PER_KM}}


def keep_proposals(session: Session, made: Repair, answer: Mapping[str, Any], *, now: datetime) -> None:
    """Keep the solver's answer to a request that was prepared at `now`. Raises Conflict `not_solving`."""
    if made.status != "solving":
        raise Conflict("not_solving", "This repair does not wait for an answer.", repair=made.id)
    made.answer = pack({"alternatives": list(answer["alternatives"])})
    made.moment, made.status = now, "proposed"
    session.flush()


def fail_repair(session: Session, made: Repair, message: str) -> None:
    """Note that no proposals came, and why (`code: detail`)."""
    if made.status == "solving":
        made.status, made.message = "failed", message
        session.flush()


def dismiss_repair(session: Session, made: Repair) -> None:
    """Leave everything as announced."""
    if made.status in ("solving", "proposed", "failed"):
        made.status = "dismissed"
        session.flush()


def propose_repairs(
    session: Session,
    made: Repair,
    *,
    now: datetime,
    seconds: float = SECONDS,
    iterations: int | None = None,
    seed: int = 1,
    threads: int = 1,
) -> tuple[Proposal, ...]:
    """Prepare, solve in this process, and keep: for small networks, the command line and tests. Never in a process
    that serves pages: the solver holds Python's lock."""
    request = prepare_request(session, made, now=now)
    found = solved(request, seconds=seconds, iterations=iterations, seed=seed, threads=threads)
    keep_proposals(session, made, {"alternatives": [one.to_json() for one in found]}, now=now)
    return proposals_of(session, made)


def solved(
    request: Mapping[str, Any], *, seconds: float, iterations: int | None, seed: int, threads: int
) -> tuple[Alternative, ...]:
    """Answer a request here."""
    return repair(
        Problem.from_json(request["problem"]),
        Routes.from_json(request["plan"]),
        [from_json(one) for one in request["disruptions"]],
        day=request["day"],
        minute=request["minute"],
        seconds=seconds,
        iterations=iterations,
        seed=seed,
        threads=threads,
        live={
            code: Whereabouts(
                Place(one["place"], one["lat"], one["lon"]), one["minute"], frozenset(one["served"])
            )
            for code, one in request["live"].items()
        },
    )


def repairs_of(session: Session, week: date, *, most: int = 20) -> Sequence[Repair]:
    """Return the repairs of a week's plans, the newest first."""
    return session.scalars(
        select(Repair)
        .join(Plan, Plan.id == Repair.plan_id)
        .where(Plan.week == week, Repair.status != "dismissed")
        .order_by(Repair.id.desc())
        .limit(most)
    ).all()


def refuse_stale(session: Session, made: Repair, proposal: Proposal, *, now: datetime) -> None:
    """Raise Conflict `repair_stale` when what the proposal touches is no longer as it was. Its `cause`: `plan` (another
    one is published), `old`, `visit` (one that it changes has opened, moved or been cancelled), `center` (one that
    it sends is out of service)."""
    plan = session.get_one(Plan, made.plan_id)
    if plan.status != "published":
        raise _stale("plan", "Another plan has been published since.")
    if made.moment is None or now - made.moment > HOLDS:
        raise _stale("old", "The proposals are too old: the centers have moved on.")
    standing = {(v.center_id, v.site_id, v.day): v for v in standing_visits(session, plan)}
    for change in proposal.changes:
        old, new = change.before, change.after
        if new is not None and local_instant(new.day, new.start) <= now:
            raise _stale("old", "A visit that this would make should have begun by now.")
        if old is None:
            continue
        visit = standing.get((old.center_id, old.site_id, old.day))
        same = visit is not None and visit.status == "announced"
        if visit is None or not same or local_minute(visit.opens_at) != old.start:
            raise _stale("visit", "A visit that this would change is no longer as it was.")
    sent = {c.after.center_id for c in proposal.changes if c.after is not None}
    ready = set(session.scalars(select(Center.id).where(Center.status == "ready", Center.id.in_(sent))))
    if sent - ready - _may_go(made):
        raise _stale("center", "A center that this would send is out of service.")


def take_turn(session: Session, made: Repair, name: str, *, actor: str, now: datetime) -> bool:
    """Let one of two planners accept; False when the same proposal has been accepted before. Raises Conflict
    `repair_over`."""
    taken = session.execute(
        update(Repair)
        .where(Repair.id == made.id, Repair.status == "proposed")
        .values(status="accepted", choice=name, accepted_at=now, accepted_by=actor)
        .returning(Repair.id)
        .execution_options(synchronize_session=False)
    ).first()
    session.refresh(made, ["status", "choice", "accepted_at", "accepted_by", "result_id"])
    if taken is not None:
        return True
    if made.status == "accepted" and made.choice == name:
        return False
    raise Conflict("repair_over", "This repair has been decided already.", repair=made.id, status=made.status)


def _may_go(made: Repair) -> set[int]:
    """A center that is out only today may hold later visits of the proposal."""
    disrupted = Disrupted.from_json(made.disruption)
    return {disrupted.center_id} if disrupted.center_id is not None else set()


def _stale(cause: str, words: str) -> Conflict:
    return Conflict("repair_stale", words, cause=cause)


def _refuse_nonsense(session: Session, disrupted: Disrupted, now: datetime) -> None:
    today = local_day(now)
    percent = disrupted.percent
    wrong = (
        disrupted.kind not in KINDS
        or not today <= disrupted.until <= week_days(week_of(today))[-1]
        or (disrupted.kind == "demand_changed" and percent is None)
        or (percent is not None and not LEAST_PERCENT <= percent <= MOST_PERCENT)
        or not 0.0 <= disrupted.radius_km <= MOST_KM
        or (disrupted.kind == "road_slowed" and disrupted.radius_km <= 0)
    )
    wrong = wrong or (
        disrupted.stretch and (disrupted.kind != "road_slowed" or not _plausible(session, disrupted))
    )
    if wrong:
        raise Invalid("unknown_disruption", "What happened is not said right.", **disrupted.to_json())
    if disrupted.kind == "center_out":
        if disrupted.center_id is None or session.get(Center, disrupted.center_id) is None:
            raise NotFound("center_not_found", "There is no such center.", center=disrupted.center_id)
    elif disrupted.line is None and (
        disrupted.site_id is None or session.get(Site, disrupted.site_id) is None
    ):
        raise NotFound("site_not_found", "There is no such place.", site=disrupted.site_id)


def _plausible(session: Session, disrupted: Disrupted) -> bool:
    """Whether the two ends of a stretch are two places on the map, not too far apart."""
    ends = stretch_of(session, disrupted)
    if ends is None:
        return False
    good = all(-90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0 for lat, lon in ends)
    return good and 0.0 < km_between(*ends[0], *ends[1]) <= MOST_KM
