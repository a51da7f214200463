"""The laptop: it knows who it is, writes its log, and syncs when there is a line.

Every step is a transaction of its own, and each can be the last before the power goes: what is sealed is sealed, what
was sent is known by the hash of the log, what was told is stored with its cursor.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.store import Visit
from queueing.journal import chain
from queueing.journal.epochs import Witness, begin, doubt
from queueing.journal.facts import instant, plain
from queueing.journal.marks import get_mark, set_mark
from queueing.journal.packing import VERSION, pack
from queueing.journal.project import project
from queueing.journal.seal import append, head, me, seal, skip_events
from queueing.journal.wishes import carry_out
from queueing.store import LIVE_SQL, QueueDay, Ticket, to_micros
from queueing.store_journal import JournalEntry
from web.van import identity
from web.van.applying import apply_bands, apply_changes, free_desks
from web.van.clock import VanClock
from web.van.line import Line, NoLine, Refused

A_DAY_OF_ENTRIES = 1_000
"""Entries looked at for one message at most."""
PULL_BYTES, TRICKLE_BYTES = 24_000, 6_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one exchange brought."""

    sent: int
    told: int
    more: bool
    """Whether something is left to send or to hear."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a person should know of the laptop's line."""

    device: str
    epoch: str
    pulled_at: datetime | None
    contact_at: datetime | None
    unsent: int
    cause: str
    fault: str
    contested: list[int]
    ended: list[list[Any]]
    clock_off: bool
    wishes: int = 0


class Laptop:
    """One laptop over one database. `write` runs a piece of work in one transaction (web.db.Writer)."""

    def __init__(
        self,
        write: Callable[[Callable[[Session], Any]], Any],
        folder: Path,
        clock: VanClock,
        line: Line,
        *,
        write_witness: Callable[[Path, Witness], None] = identity.store,
    ) -> None:
        self._write, self._folder, self.clock, self.line = write, folder, clock, line
        self._store = write_witness
        self._one = threading.RLock()
        self.witness = identity.load(folder)
        self._entry_bytes = 60.0
        self.fault = ""

    # who am I ---------------------------------------------------------------------------------------------------

    def start(self) -> str:
        """Before anything else: is this database the one that the file speaks of? Returns why a new epoch began, or
        ""."""
        with self._one:
            now = self.clock.now()
            cause: str = self._write(lambda session: self._start(session, now))
            self._remember()
            return cause

    def _start(self, session: Session, now: datetime) -> str:
        cause = doubt(session, self.witness)
        set_mark(session, "clock", {"segment": ""})
        if cause:
            follows = None
            if cause == "no_database" or (cause == "restored" and not get_mark(session, "self")):
                follows = (self.witness.device, self.witness.epoch, 0)
            elif cause == "restored":
                follows = self._last_shared(session)
            begin(session, self.witness, cause=cause, epoch=identity.new_epoch(), now=now, follows=follows)
        self._new_segment(session, self.clock.why)
        return cause

    def _last_shared(self, session: Session) -> tuple[str, str, int]:
        """Where the lost part of the log begins: after the last entry that this database has of the file's epoch."""
        sequence, _hash = head(session, self.witness.device, self.witness.epoch)
        return self.witness.device, self.witness.epoch, sequence

    def _new_segment(self, session: Session, why: str) -> None:
        append(
            session,
            [{"k": "clock", "g": self.clock.segment, "w": why, "h": to_micros(self.clock.now())}],
        )
        set_mark(session, "clock", {"segment": self.clock.segment})

    def _remember(self) -> None:
        """Bring the identity file up to what is committed."""

        def look(session: Session) -> Witness:
            device, epoch = me(session)
            sequence, digest = head(session, device, epoch)
            today = local_day(self.clock.now())
            counters = session.execute(
                select(QueueDay.queue_id, QueueDay.day, QueueDay.next_number).where(QueueDay.day >= today)
            )
            numbers = {f"{row.queue_id}:{row.day.isoformat()}": row.next_number for row in counters}
            return Witness(
                device, epoch, sequence, digest, numbers, to_micros(self.clock.now()), self.clock.offset_us
            )

        fresh: Witness = self._write(look)
        if replace(fresh, last_us=0) != replace(self.witness, last_us=0) or (
            fresh.last_us - self.witness.last_us > 30_000_000
        ):
            self._store(self._folder, fresh)
            self.witness = fresh

    # the log ----------------------------------------------------------------------------------------------------

    def seal(self) -> int:
        """Answer wishes that can be answered, and write what happened into the log."""
        with self._one:
            now = self.clock.now()
            self._write(lambda session: carry_out(session, now=now))
            count = 0
            while step := self._write(lambda session: self._seal(session, now)):
                count += step
            self._remember()
            return count

    def _seal(self, session: Session, now: datetime) -> int:
        return seal(session, now=now, more={"visit": _visits(session, now)})

    # the line ---------------------------------------------------------------------------------------------------

    def sync(self, *, pull: int = 0, most: int = 10_000, keep_trying: int = 0) -> int:
        """Exchange until both sides know everything; returns the entries sent. Raises NoLine or Refused when the line
        breaks more than `keep_trying` times in a row."""
        sent = broken = 0
        while most > 0:
            most -= 1
            try:
                done = self.exchange(pull=pull)
            except NoLine:
                broken += 1
                if broken > keep_trying:
                    raise
                continue
            broken = 0
            sent += done.sent
            if not done.more:
                break
        return sent

    def exchange(self, *, pull: int = 0) -> Exchange:
        """Seal, send one stretch, store the answer."""
        with self._one:
            self.seal()
            message, bodies = self._write(lambda session: self._message(session, pull))
            try:
                answer = self.line.exchange(message, expect=message["down"] // 3)
            except Refused as refused:
                self.fault = str(refused)
                raise
            self.fault = ""
            return self._take(message, bodies, answer, pull)

    def _message(self, session: Session, pull: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        device, epoch = me(session)
        high, _hash = head(session, device, epoch)
        acked = get_mark(session, "acked").get("sequence", 0)
        at = _hash_at(session, device, epoch, acked)
        message: dict[str, Any] = {
            "v": VERSION, "device": device, "epoch": epoch, "segment": self.clock.segment,
            "now": to_micros(self.clock.now()), "high": high, "acked": acked, "at": at, "first": acked + 1,
            "before": at, "cursor": get_mark(session, "cursor").get("change", 0),
            "down": PULL_BYTES if pull else TRICKLE_BYTES,
        }  # fmt: skip
        if pull:
            message["pull"] = pull
        recover = get_mark(session, "recover")
        if recover and get_mark(session, "told"):
            message["recover"] = [recover["device"], recover["epoch"], recover["after"]]
        texts = session.scalars(
            select(JournalEntry.body)
            .where(JournalEntry.device == device, JournalEntry.epoch == epoch, JournalEntry.sequence > acked)
            .order_by(JournalEntry.sequence)
            .limit(A_DAY_OF_ENTRIES)
        ).all()
        bodies = [json.loads(text) for text in texts]
        bodies = self._fitting(message, bodies)
        return {**message, "entries": bodies}, bodies

    def _fitting(self, message: dict[str, Any], bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """As many entries as make a message of the size that the line carries."""
        count = max(1, int(self.line.size / self._entry_bytes))
        while True:
            some = bodies[:count]
            size = len(pack({**message, "entries": some}))
            if some:
                self._entry_bytes = max(8.0, (size - 150) / len(some))
            if len(some) <= 1 or size <= self.line.size * 1.2:
                return some
            count = max(1, int(count * self.line.size / size))

    def _take(
        self, message: dict[str, Any], bodies: list[dict[str, Any]], answer: dict[str, Any], pull: int
    ) -> Exchange:
        """Store an answer. The same answer twice changes nothing the second time."""
        now = instant(answer["now"])
        if answer["verdict"] in ("behind", "fork"):
            self._be_another("copy")
            return Exchange(0, 0, True)
        trusted = self._write(lambda session: self._acknowledge(session, message, answer))
        if not trusted:
            self._be_another("copy")
            return Exchange(0, 0, True)
        told = self._write(lambda session: self._store_news(session, message, answer))
        self._put_clock_right(now)
        self._remember()
        sent = max(0, answer["ack"] - message["acked"]) if answer["verdict"] == "ok" else 0
        more = bool(
            answer.get("more")
            or (answer["ack"] < message["high"])
            or ("lost" in answer and not answer["lost_all"])
            or ("recover" not in message and self._write(lambda session: bool(get_mark(session, "recover"))))
        )
        return Exchange(sent, told, more)

    def _acknowledge(self, session: Session, message: dict[str, Any], answer: dict[str, Any]) -> bool:
        """Note up to where headquarters has the log; False when that is not the log that is here."""
        device, epoch = me(session)
        if (device, epoch) != (message["device"], message["epoch"]):
            return True
        if _hash_at(session, device, epoch, answer["ack"]) != answer["hash"]:
            return False
        # Also when it is less than before: headquarters may have been restored, and is told again.
        set_mark(session, "acked", {"sequence": answer["ack"]})
        given = {f"{queue}:{day}" for queue, day, _first in answer["bands"]}
        today = local_day(self.clock.now()).isoformat()
        given |= {f"{queue}:{today}" for queue, _why in answer["ended"]}
        contact = {
            "at": to_micros(self.clock.now()), "contested": answer["contested"], "ended": answer["ended"],
            "lost_lease": any(k.endswith(f":{today}") and k not in given for k in get_mark(session, "leases")),
        }  # fmt: skip
        set_mark(session, "contact", contact)
        return True

    def _store_news(self, session: Session, message: dict[str, Any], answer: dict[str, Any]) -> int:
        now = self.clock.now()
        told = 0
        if answer["cursor"] >= get_mark(session, "cursor").get("change", 0):
            told = apply_changes(session, answer["changes"], now, seal=lambda: self._seal(session, now))
            set_mark(session, "cursor", {"change": answer["cursor"]})
            if not answer.get("more"):
                set_mark(session, "told", {"all": True})  # its queues are here: what was lost can follow
        apply_bands(session, answer["bands"], now)
        if message.get("pull"):
            set_mark(session, "pulled", {"at": to_micros(now)})
        origin = answer.get("recover")
        if origin and get_mark(session, "recovered").get("from") != origin:
            set_mark(session, "recovered", {"from": origin})
            set_mark(session, "recover", {"device": origin[0], "epoch": origin[1], "after": origin[2]})
        if "lost" in answer:
            self._take_back(session, message, answer, now)
        carry_out(session, now=now)
        return told

    def _take_back(
        self, session: Session, message: dict[str, Any], answer: dict[str, Any], now: datetime
    ) -> None:
        """What this laptop had told before it lost it becomes its own again."""
        recover = get_mark(session, "recover")
        if not recover or [recover["device"], recover["epoch"], recover["after"]] != message.get("recover"):
            return
        entries = []
        for place, body in enumerate(answer["lost"], recover["after"] + 1):
            words = chain.canonical(body)
            entries.append(
                JournalEntry(
                    device=recover["device"], epoch=recover["epoch"], sequence=place, kind=body["k"],
                    ticket_code=body.get("c") if body["k"] == "ticket" else None, body=words, hash="",
                    said_at=instant(body["h"]), offset_us=0,
                )
            )  # fmt: skip
        self._seal(session, now)
        project(session, [e for e in entries if e.kind == "ticket"], now=now, may=lambda _queue: True)
        skip_events(session)
        free_desks(session, now)
        done = {**recover, "after": answer["lost_to"]}
        set_mark(session, "recover", {} if answer["lost_all"] else done)

    def _put_clock_right(self, office: datetime) -> None:
        segment = self.clock.segment
        may_leap = not self._write(_people_here)
        self.clock.heard(office, may_leap=may_leap)
        if self.clock.segment != segment:
            self._write(lambda session: self._new_segment(session, "contact"))

    def _be_another(self, cause: str) -> None:
        """Headquarters knows of entries that are not here: this database is a copy. A laptop of its own from now on."""
        fresh = replace(self.witness, device=identity.new_device())
        now = self.clock.now()

        def work(session: Session) -> None:
            self._seal(session, now)
            begin(session, fresh, cause=cause, epoch=identity.new_epoch(), now=now)
            set_mark(session, "pulled", {})  # its numbers are to be leased anew

        self._write(work)
        self.witness = fresh
        self._remember()

    def look(self, work: Callable[[Session], Any]) -> Any:
        """What `work(session)` reads (in a transaction like any other: there is one way to the database)."""
        return self._write(work)

    # for people -------------------------------------------------------------------------------------------------

    def status(self, session: Session) -> Status:
        """What the page shows; reads only."""
        own = get_mark(session, "self")
        contact, pulled = get_mark(session, "contact"), get_mark(session, "pulled")
        device, epoch = own.get("device", ""), own.get("epoch", "")
        acked = get_mark(session, "acked").get("sequence", 0)
        sealed = get_mark(session, "sealed").get("event", 0)
        counted = session.scalar(
            select(func.count())
            .select_from(JournalEntry)
            .where(
                JournalEntry.device == device, JournalEntry.epoch == epoch, JournalEntry.sequence > acked,
                JournalEntry.kind.in_(("ticket", "row")),
            )
        )  # fmt: skip
        unsealed = session.scalar(
            text("SELECT count(*) FROM ticket_event WHERE id > :sealed"), {"sealed": sealed}
        )
        return Status(
            device=device,
            epoch=epoch,
            pulled_at=instant(pulled["at"]) if pulled else None,
            contact_at=instant(contact["at"]) if contact else None,
            unsent=(counted or 0) + (unsealed or 0),
            cause=own.get("cause", ""),
            fault=self.fault,
            contested=contact.get("contested", []),
            ended=contact.get("ended", []),
            clock_off=self.clock.why == "went_back" and self.clock.contact_us is None,
        )


def _hash_at(session: Session, device: str, epoch: str, sequence: int) -> str:
    if sequence == 0:
        return chain.GENESIS
    found = session.scalar(
        select(JournalEntry.hash).where(
            JournalEntry.device == device, JournalEntry.epoch == epoch, JournalEntry.sequence == sequence
        )
    )
    return found or ""


def _visits(session: Session, now: datetime) -> dict[str, dict[str, Any]]:
    """The visits of these days as they went here."""
    today = local_day(now)
    rows = session.scalars(select(Visit).where(Visit.day >= today, Visit.status != "cancelled"))
    return {
        str(v.id): {"status": v.status, "opened_at": plain(v.opened_at), "closed_at": plain(v.closed_at)}
        for v in rows
        if v.status != "announced"
    }


def _people_here(session: Session) -> bool:
    return (
        session.scalar(select(Ticket.id).where(text(f"ticket.{LIVE_SQL}"), Ticket.state != "booked").limit(1))
        is not None
    )
