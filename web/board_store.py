"""What a board shows and says: the queues of its address, and the languages in which it calls."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from fleet.store import SiteQueue
from queueing.store import Base, Queue
from web.accounts import AccessToken

SPOKEN = ("ar", "ar en", "en", "")
"""Languages of the call, in their order; "" is a chime alone."""
MOST_QUEUES = 12
"""Queues on one board: more cannot be followed by anybody."""


class BoardSetting(Base):
    """How a board was set up. A board without a row shows its address's queue and calls in Arabic."""

    __tablename__ = "board"

    token_id: Mapped[int] = mapped_column(ForeignKey("access_token.id", ondelete="CASCADE"), primary_key=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id", ondelete="CASCADE"))
    """All queues of this site, also those that come later; else those of BoardQueue."""
    spoken: Mapped[str] = mapped_column(String(12), default=SPOKEN[0])


class BoardQueue(Base):
    """A queue on a board that shows several."""

    __tablename__ = "board_queue"

    token_id: Mapped[int] = mapped_column(ForeignKey("board.token_id", ondelete="CASCADE"), primary_key=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)


def set_board(
    session: Session,
    token_id: int,
    *,
    spoken: str = "ar",
    queues: Sequence[int] = (),
    site_id: int | None = None,
) -> BoardSetting:
    """Set up a board: all queues of a site, or some, or (with neither) its address's own. Raises ValueError for a way
    of speaking that there is not, and for too many queues."""
    if spoken not in SPOKEN:
        raise ValueError(f"a board speaks one of {SPOKEN}, not {spoken!r}")
    if len(queues) > MOST_QUEUES:
        raise ValueError(f"a board shows at most {MOST_QUEUES} queues")
    made = session.merge(BoardSetting(token_id=token_id, site_id=site_id, spoken=spoken))
    session.flush()
    session.execute(delete(BoardQueue).where(BoardQueue.token_id == token_id))
    if site_id is None:
        session.add_all(BoardQueue(token_id=token_id, queue_id=queue) for queue in dict.fromkeys(queues))
    session.flush()
    return made


def queues_of(session: Session, token: AccessToken) -> list[Queue]:
    """The queues a board shows, by their letters."""
    setting = session.get(BoardSetting, token.id)
    if setting is not None and setting.site_id is not None:
        chosen = select(SiteQueue.queue_id).where(SiteQueue.site_id == setting.site_id)
    else:
        chosen = select(BoardQueue.queue_id).where(BoardQueue.token_id == token.id)
    several = select(Queue).where(Queue.id.in_(chosen)).order_by(Queue.letter, Queue.id).limit(MOST_QUEUES)
    found = list(session.scalars(several))
    return found or ([session.get_one(Queue, token.queue_id)] if token.queue_id is not None else [])


def spoken_by(session: Session, token: AccessToken) -> tuple[str, ...]:
    """The languages a board calls in, first the first."""
    setting = session.get(BoardSetting, token.id)
    return tuple((setting.spoken if setting is not None else SPOKEN[0]).split())


def carry_over(session: Session, old: Sequence[int], token_id: int) -> None:
    """A board's new address shows and says what its old one did."""
    before = session.scalars(
        select(BoardSetting).where(BoardSetting.token_id.in_(old)).order_by(BoardSetting.token_id.desc())
    ).first()
    if before is not None:
        queues = session.scalars(
            select(BoardQueue.queue_id).where(BoardQueue.token_id == before.token_id)
        ).all()
        set_board(session, token_id, spoken=before.spoken, queues=queues, site_id=before.site_id)
