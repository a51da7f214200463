"""At headquarters: what only a person can decide, asked once each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.store_journal import Choice


def ask(
    session: Session,
    kind: str,
    subject: str,
    *,
    device: str,
    center_id: int,
    facts: dict[str, Any],
    now: datetime,
) -> Choice:
    """Put a question to headquarters. The same subject again only brings its facts up to date, and only while nobody
    has decided."""
    known = session.scalar(select(Choice).where(Choice.subject == f"{kind}:{subject}"))
    if known is None:
        known = Choice(
            kind=kind,
            subject=f"{kind}:{subject}",
            device=device,
            center_id=center_id,
            facts=facts,
            made_at=now,
        )
        session.add(known)
        session.flush()
    elif known.decided_at is None:
        known.facts = facts
    return known


def open_choices(session: Session, center_id: int | None = None) -> list[Choice]:
    """What waits for a decision, the oldest first."""
    chosen = select(Choice).where(Choice.decided_at.is_(None)).order_by(Choice.made_at, Choice.id)
    if center_id is not None:
        chosen = chosen.where(Choice.center_id == center_id)
    return list(session.scalars(chosen))
