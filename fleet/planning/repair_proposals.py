"""Proposals as they are kept, read back with the tickets that people hold by now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from fleet.errors import NotFound
from fleet.planning.blobs import unpack
from fleet.planning.frame import Frame, load_frame
from fleet.planning.repair_calls import Held, held_tickets
from fleet.planning.repair_shapes import Disrupted, NightAt, Proposal, VisitAt, VisitChange
from fleet.planning.repair_state import standing_visits
from fleet.planning.shapes import TENTHS
from fleet.store import Plan, Repair, Visit
from routing.solution import Plan as Routes


def proposals_of(session: Session, made: Repair) -> tuple[Proposal, ...]:
    """Return the proposals of a repair, the fewest changes first, with the tickets that people hold now."""
    answer = unpack(made.answer)
    if not answer:
        return ()
    plan = session.get_one(Plan, made.plan_id)
    frame = load_frame(session, plan.week)
    concerned = _concerned(answer["alternatives"], frame)
    visits = [
        v for v in standing_visits(session, plan) if (v.center_id, v.site_id, v.day.isoformat()) in concerned
    ]
    held = held_tickets(session, visits)
    return tuple(_proposal(one, frame, held) for one in answer["alternatives"])


def proposal_of(session: Session, made: Repair, name: str) -> Proposal:
    """Return one proposal. Raises NotFound `no_such_proposal`."""
    for one in proposals_of(session, made):
        if one.name == name:
            return one
    raise NotFound("no_such_proposal", "There is no such proposal.", repair=made.id, proposal=name)


def stranded_visits(session: Session, made: Repair, *, now: datetime) -> list[Visit]:
    """Return the visits that still stand announced, or open, and that cannot be held unless something is decided: those
    that no crew can make any more, and those of the center that is out or at the place that is closed."""
    plan, disrupted = session.get_one(Plan, made.plan_id), Disrupted.from_json(made.disruption)
    proposals = proposals_of(session, made)
    told = {(v.center_id, v.site_id, v.day) for one in proposals[:1] for v in one.stranded}

    def cannot(visit: Visit) -> bool:
        hit = (visit.center_id, visit.site_id, visit.day) in told
        if disrupted.kind == "center_out" and visit.center_id == disrupted.center_id:
            return visit.center.status != "ready" and (hit or visit.day <= disrupted.until)
        closed = disrupted.kind == "site_closed" and visit.site_id == disrupted.site_id
        return hit or (closed and visit.day <= disrupted.until)

    ahead = (
        v for v in standing_visits(session, plan) if v.status in ("announced", "open") and v.closes_at > now
    )
    return sorted((v for v in ahead if cannot(v)), key=lambda v: (v.opens_at, v.id))


def with_tickets(proposal: Proposal, held: Held) -> Proposal:
    """Return the proposal with the tickets that are held for its visits now."""

    def counted(change: VisitChange) -> VisitChange:
        old = change.before
        key = (old.center_id, old.site_id, old.day.isoformat()) if old else None
        tickets, phones = held.get(key, (0, 0)) if key else (0, 0)
        return replace(change, tickets=tickets, phones=phones)

    return replace(proposal, changes=tuple(map(counted, proposal.changes)))


def _concerned(alternatives: Sequence[Mapping[str, Any]], frame: Frame) -> set[tuple[int, int, str]]:
    return {
        (frame.center_id[v["center"]], frame.site_id[v["site"]], frame.day(v["day"]).isoformat())
        for one in alternatives
        for change in one["changes"]
        if (v := change["before"]) is not None
    }


def _proposal(one: Mapping[str, Any], frame: Frame, held: Held) -> Proposal:
    changes = [
        VisitChange(
            change["kind"], _visit(change["before"], frame), _visit(change["after"], frame),
            change["value_before"] / TENTHS, change["value_after"] / TENTHS,
        )
        for change in one["changes"]
    ]  # fmt: skip
    routes = Routes.from_json(one["plan"]).routes
    made = Proposal(
        name=one["name"],
        gain=one["gain"] / TENTHS,
        loss=one["loss"] / TENTHS,
        kept=one["kept"],
        counts=dict(Counter(change.kind for change in changes)),
        changes=tuple(changes),
        crews=tuple((frame.center_id[center], frame.day(day)) for center, day in one["told"]["crews"]),
        visits=tuple(
            VisitAt(
                frame.center_id[r.center],
                frame.site_id[s.site],
                frame.day(r.day),
                s.start,
                s.stay,
                r.overnight and s is r.stops[-1],
            )
            for r in routes
            for s in r.stops
        ),
        nights=tuple(_night(night, frame) for night in one.get("nights", ())),
        cut=bool(one.get("cut")),
        stranded=tuple(v for data in one.get("stranded", ()) if (v := _visit(data, frame)) is not None),
    )
    return with_tickets(made, held)


def _night(data: Mapping[str, Any], frame: Frame) -> NightAt:
    before, after = (
        None if (code := data[side]) is None else frame.site_id[code] for side in ("before", "after")
    )
    return NightAt(frame.center_id[data["center"]], frame.day(data["day"]), before, after)


def _visit(data: Mapping[str, Any] | None, frame: Frame) -> VisitAt | None:
    if data is None:
        return None
    center_id, site_id = frame.center_id[data["center"]], frame.site_id[data["site"]]
    return VisitAt(center_id, site_id, frame.day(data["day"]), data["start"], data["stay"])
