"""Which rung holds for a queue: what the last night has decided, and how this queue's bands are steered since."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.store_waits import WaitModel, WaitSteering
from queueing.waits.forward import Leaving
from queueing.waits.live import LEARNED, PLAYED, Ladder
from queueing.waits.model import Model
from queueing.waits.steering import Steering


@dataclass(frozen=True, slots=True)
class Night:
    """What the last night has decided, for who answers for a line."""

    method: str
    special_method: str
    since: datetime
    made_at: datetime
    refused: str | None
    errors: dict[str, float]
    """By method on trial: mean error on the last days, minutes."""


def last_night(session: Session) -> Night | None:
    """None before the first night."""
    row = session.execute(
        select(
            WaitModel.method, WaitModel.special_method, WaitModel.since, WaitModel.made_at, WaitModel.refused,
            WaitModel.figures,
        )
        .order_by(WaitModel.id.desc())
        .limit(1)
    ).one_or_none()  # fmt: skip
    if row is None:
        return None
    errors = {
        name: float(found["mae_common"])
        for name, found in row.figures.items()
        if found["mae_common"] is not None
    }
    return Night(row.method, row.special_method, row.since, row.made_at, row.refused, errors)


@dataclass(slots=True)
class Shelf:
    """Keeps the trees that were read last: they are large, and change once a night."""

    _held: tuple[int, Model] | None = field(default=None)

    def ladder(self, session: Session, queue_id: int, *, special: bool) -> Ladder:
        """The ladder of a queue. `special`: desks of its line are limited to some services."""
        night = session.execute(
            select(
                WaitModel.id,
                WaitModel.method,
                WaitModel.special_method,
                WaitModel.most_ahead,
                WaitModel.steering,
            )
            .order_by(WaitModel.id.desc())
            .limit(1)
        ).one_or_none()
        if night is None:
            return Ladder(PLAYED, steering=_steering(session, queue_id, PLAYED, {}))
        method = night.special_method if special else night.method
        model = self._model(session, night.id) if method == LEARNED else None
        if model is None:
            method = PLAYED
        return Ladder(method, model, night.most_ahead, _steering(session, queue_id, method, night.steering))

    def leaving(self, session: Session) -> Leaving:
        """How people everywhere give up, as the last night has found."""
        found = session.scalar(select(WaitModel.leaving).order_by(WaitModel.id.desc()).limit(1))
        return tuple((edge, rate) for edge, rate in found or ())

    def _model(self, session: Session, number: int) -> Model | None:
        if self._held is None or self._held[0] != number:
            stored = session.scalar(select(WaitModel.model).where(WaitModel.id == number))
            if stored is None:
                return None
            self._held = (number, Model.from_json(stored))
        return self._held[1]


def _steering(session: Session, queue_id: int, method: str, start: dict[str, object]) -> Steering:
    """The queue's own, else what all queues of the trial have shown, else none yet."""
    own = session.execute(
        select(WaitSteering.method, WaitSteering.state).where(WaitSteering.queue_id == queue_id)
    ).one_or_none()
    if own is not None and own.method == method:
        return Steering.from_json(own.state)
    begin = start.get(method)
    return Steering.from_json(begin) if isinstance(begin, dict) else Steering()
