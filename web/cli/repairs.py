"""`plan repair`: something happened; ways to go on from the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.errors import FleetError, NotFound
from fleet.planning.repair import SECONDS
from fleet.planning.repair_apply import accept_repair
from fleet.planning.repair_proposals import proposals_of
from fleet.planning.repair_shapes import KINDS, Disrupted, Proposal
from fleet.store import Center, Repair, Site
from web import clock
from web.cli.output import json_option, plain_errors, say
from web.cli.plans import plan
from web.db import read, write


@plan.command("repair")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("code", metavar="CODE")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day it lasts. Default: today.")
@click.option("--percent", type=int, help="Driving time or demand, in percent of the usual.")
@click.option(
    "--radius", type=float, default=3.0, show_default=True, help="Kilometres around the place, for roads."
)
@click.option("--seconds", type=click.FloatRange(1, 60), default=SECONDS, show_default=True)
@click.option("--accept", metavar="NAME", help="Announce the proposal of this name at once.")
@json_option
@plain_errors
def repair(
    kind: str,
    code: str,
    until: datetime | None,
    percent: int | None,
    radius: float,
    seconds: float,
    accept: str | None,
    as_json: bool,
) -> None:
    """Say that the center (center_out) or place CODE is disrupted; print ways to go on. Nothing is announced without
    --accept."""
    from web import repairing

    disrupted = Disrupted(
        kind,  # type: ignore[arg-type]
        until.date() if until is not None else local_day(clock.now()),
        center_id=_id(read(), Center, code) if kind == "center_out" else None,
        site_id=_id(read(), Site, code) if kind != "center_out" else None,
        percent=percent,
        radius_km=radius if kind == "road_slowed" else 0.0,
    )
    number = repairing.report(disrupted, actor="command line")
    if repairing.propose(number, seconds=seconds) != "proposed":
        raise FleetError("not_solved", f"no proposals: {_repair(read(), number).message}")
    found = proposals_of(read(), _repair(read(), number))
    facts: dict[str, Any] = {"id": number, "proposals": [proposal_facts(one) for one in found]}
    lines = [f"Repair {number}:"] + [_line(one) for one in found]
    if accept is not None:
        now = clock.now()
        done = write(
            lambda session: accept_repair(
                session, _repair(session, number), accept, actor="command line", now=now
            )
        )
        facts |= {
            "accepted": accept,
            "plan": done.plan_id,
            "cancelled": done.cancelled,
            "created": done.created,
        }
        lines.append(f"Announced: {accept}; plan {done.plan_id} is published.")
    say(facts, "\n".join(lines), as_json)


def proposal_facts(one: Proposal) -> dict[str, Any]:
    """A proposal as JSON prints it."""
    return {
        "name": one.name,
        "hours_won_back": one.gain,
        "hours_lost": one.loss,
        "visits_kept": one.kept,
        "changes": dict(one.counts),
        "crews": len(one.crews),
        "places": one.sites,
        "tickets": one.tickets,
    }


def _line(one: Proposal) -> str:
    changes = ", ".join(f"{count} {kind}" for kind, count in sorted(one.counts.items())) or "nothing changes"
    return (
        f"  {one.name:9} {one.gain:+9,.1f} hours won back, {abs(one.loss):,.1f} "
        f"{'below' if one.loss >= 0 else 'above'} the plan as it was; {one.kept} visits "
        f"as announced, {changes}; to tell: {len(one.crews)} crews, {one.sites} places, {one.tickets} ticket holders"
    )


def _id(session: Session, kind: type[Center | Site], code: str) -> int:
    found = session.scalar(select(kind.id).where(kind.code == code))
    if found is None:
        raise NotFound(f"{kind.__name__.lower()}_not_found", f"there is no {kind.__name__.lower()} {code}")
    return int(found)


def _repair(session: Session, number: int) -> Repair:
    return session.get_one(Repair, number, populate_existing=True)
