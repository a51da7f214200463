"""What the repair's page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from fleet.planning.repair import HOLDS
from fleet.planning.repair_proposals import proposals_of, stranded_visits
from fleet.planning.repair_shapes import Disrupted, Proposal, VisitAt, VisitChange
from fleet.store import Center, Plan, Repair, RepairCall, Site, Visit
from web.i18n import named
from web.planner import repair_words, words

LOST = timedelta(minutes=60)
"""A repair that still has no answer by then, on the product's clock, has lost its process."""


@dataclass(frozen=True, slots=True)
class Line:
    """One changed visit in words."""

    change: VisitChange
    place: str
    words: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Card:
    """One proposal."""

    proposal: Proposal
    title: str
    words: str
    lines: Sequence[Line]
    nights: Sequence[str]
    """Vans that sleep elsewhere than planned, in words."""
    moved: int
    lost: int
    added: int
    hours_lost: int
    """Hours that what happened costs when nobody decides anything; 0 or less when it costs none."""
    hours_won: int
    """Hours of them, or beyond them, that this brings."""
    why: str
    """Why it saves more than the plan as it was, or than going on as announced; empty when it does not."""

    @property
    def hours_left(self) -> int:
        """Hours that stay lost; the three figures add up as they are shown."""
        return self.hours_lost - self.hours_won


def view_of(session: Session, made: Repair, now: datetime) -> dict[str, Any]:
    """Everything that the page needs."""
    proposals = proposals_of(session, made) if made.status == "proposed" else ()
    calls = session.scalars(
        select(RepairCall).where(RepairCall.repair_id == made.id).order_by(RepairCall.id)
    ).all()
    names = _names(session, proposals, calls)
    return {
        "made": made,
        "plan": session.get_one(Plan, made.plan_id),
        "happened": repair_words.happened(session, Disrupted.from_json(made.disruption)),
        "cards": [_card(one, names) for one in proposals],
        "calls": [
            (call, repair_words.call_title(call, names), repair_words.call_text(call, names))
            for call in calls
        ],
        "stranded": [
            (named(visit.site), repair_words.announced(visit)) for visit in _stranded(session, made, now)
        ],
        "left": sum(call.told_at is None for call in calls),
        "old": made.moment is not None and made.status == "proposed" and now - made.moment > HOLDS,
        "lost": made.status == "solving" and now - made.created_at > LOST,
        "words": words,
        "repair_words": repair_words,
        "now": now,
    }


def _card(one: Proposal, names: repair_words.Names) -> Card:
    title, said = repair_words.proposal(one)
    hours_lost, hours_won = round(one.lost), round(one.gain)
    lines = [
        Line(
            change,
            named(names.sites[change.site_id]),
            repair_words.change(change.kind),
            repair_words.visit(change.before, names),
            repair_words.visit(change.after, names),
        )
        for change in one.changes
    ]
    lost, added = one.counts.get("dropped", 0), one.counts.get("added", 0)
    nights = [repair_words.night(night, names) for night in one.nights]
    why = repair_words.why_more(one, hours_lost, hours_won)
    moved = len(one.changes) - lost - added
    return Card(one, title, said, lines, nights, moved, lost, added, hours_lost, hours_won, why)


def _stranded(session: Session, made: Repair, now: datetime) -> list[Visit]:
    """Announced visits that nobody can hold, as long as nothing has been decided about them."""
    return [] if made.status in ("solving", "accepted") else stranded_visits(session, made, now=now)


def _names(
    session: Session, proposals: Sequence[Proposal], calls: Sequence[RepairCall]
) -> repair_words.Names:
    """Centers, and the places that are spoken of."""
    wanted = {change.site_id for one in proposals for change in one.changes}
    wanted |= {
        site for one in proposals for n in one.nights for site in (n.before_site_id, n.after_site_id) if site
    }
    wanted |= {call.facts["night"] for call in calls if call.facts.get("night")}
    for call in calls:
        if call.site_id is not None:
            wanted.add(call.site_id)
        wanted |= {
            visit.site_id
            for data in call.facts.get("stops", ())
            if (visit := VisitAt.from_json(data)) is not None
        }
    sites = session.scalars(select(Site).where(Site.id.in_(wanted)).options(joinedload(Site.governorate)))
    return repair_words.Names(
        {site.id: site for site in sites}, {center.id: center for center in session.scalars(select(Center))}
    )
