"""Boards that watch through crashes: what they were told, and whether it is the truth when the server is back."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import simple_websocket
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.engine import begin_write, make_engine
from queueing.store import Queue, Ticket, TicketEvent
from web.accounts import new_token

NAMESPACE = "/live"
PATIENCE_S = 20.0


def board_tokens(url: str, queues: Sequence[int]) -> list[str]:
    """A board at each queue."""
    engine = make_engine(url)
    with Session(engine) as session:
        begin_write(session)
        made = [new_token(session, "board", now=datetime.now(UTC), queue_id=queue) for queue in queues]
        session.commit()
    engine.dispose()
    return made


def calls_shown(port: int, token: str) -> list[str]:
    """The labels on a board, newest first, from the page that it shows."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"/en/board/{token}/now")
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    assert answer.status == 200, (answer.status, page[:300])
    return re.findall(r'<bdi class="label" dir="ltr">([^<]+)</bdi>', page)


def calls_made(url: str, queue: int, count: int) -> list[str]:
    """The same out of the events: latest call or recall of each ticket, newest first."""
    engine = make_engine(url)
    with Session(engine) as session:
        rows = session.execute(
            select(Ticket.label, Ticket.id)
            .join(TicketEvent, TicketEvent.ticket_id == Ticket.id)
            .where(TicketEvent.queue_id == queue, TicketEvent.action.in_(("call", "recall", "resume")))
            .order_by(TicketEvent.happened_at.desc(), TicketEvent.id.desc())
        ).all()
    engine.dispose()
    labels: list[str] = []
    for label, _id in rows:
        if label not in labels:
            labels.append(label)
    return labels[:count]


def seq_of(url: str, queue: int) -> int:
    """How many changes the queue has had, as stored."""
    engine = make_engine(url)
    with Session(engine) as session:
        found = session.scalar(select(Queue.seq).where(Queue.id == queue)) or 0
    engine.dispose()
    return found


class Screen:
    """A screen's socket: connects, asks for what it missed, and has heard everything without a gap."""

    def __init__(self, queue: int) -> None:
        self.queue = queue
        self.seen = 0

    def catch_up(self, port: int, until: int) -> None:
        """Connect as after a lost line, and hear everything up to `until`; fails on a gap or a repeat."""
        if self.seen == until:
            return
        line = simple_websocket.Client(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket")
        try:
            line.send(f"40{NAMESPACE},")
            asked = json.dumps(["resync", {"queue": self.queue, "after": self.seen}])
            while self.seen < until:
                said = line.receive(timeout=PATIENCE_S)
                assert said is not None, f"heard up to {self.seen} of {until}"
                if said.startswith(f"40{NAMESPACE}"):
                    line.send(f"42{NAMESPACE},{asked}")
                elif said == "2":
                    line.send("3")
                elif said.startswith(f"42{NAMESPACE},"):
                    self._hear(*json.loads(said.split(",", 1)[1]))
            assert self.seen == until, "told of a change that was not committed"
        finally:
            line.close()

    def _hear(self, event: str, said: dict[str, Any]) -> None:
        # Where too much was missed comes the whole picture in place of what changed.
        assert event == "state" or said["seq"] == self.seen + 1, f"after {self.seen} came {said}"
        assert event in ("state", "changed"), (event, said)
        self.seen = said["seq"]
