"""Why a candidate has no visit."""

from __future__ import annotations

from sqlalchemy.orm import Session

from fleet.planning.shapes import UnservedSite
from fleet.store import Plan


def unserved(session: Session, plan: Plan) -> list[UnservedSite]:
    """Return every candidate without a visit, with its reason, most valuable first."""
    raise NotImplementedError
