"""A real van for the machine (test_machine.py): the laptop's own program on a database of its own, and headquarters'
own answer to it, with a line between them that loses messages. It has a model of its own; headquarters is to show it as
it was when the last message arrived."""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fleet.store import Center, Governorate, LocalUnit, Site, Visit
from queueing import counter, desks
from queueing.engine import transaction
from queueing.errors import QueueingError
from queueing.journal.packing import pack, unpack
from queueing.rebuild import check
from queueing.store import Desk, Queue, Service, Ticket
from queueing.ticket import AT_DESK, possible, served_seconds
from tests.builders import Place
from tests.databases import sqlite_memory
from tests.queueing.machine_model import LIVE, Line, Model, Person, Refused
from web.van import office
from web.van.clock import VanClock
from web.van.laptop import Laptop
from web.van.line import NoLine

NO_FOLDER = Path("/nonexistent")
"""The identity file is not what is looked at here."""
NAME = "B"


@dataclass
class Wire:
    """In the place of the line: what is said goes through the same bytes, and arrives or not."""

    answer: Callable[[dict[str, Any]], dict[str, Any]]
    fate: str = "ok"
    size: int = 48_000

    def exchange(self, message: dict[str, Any], *, expect: int = 0) -> dict[str, Any]:
        """Lost on the way there, lost on the way back, or answered."""
        if self.fate == "lost":
            raise NoLine("lost")
        said = self.answer(unpack(pack(message)))
        if self.fate == "unanswered":
            raise NoLine("unanswered")
        return unpack(pack(said))


def make_visit(session: Session, place: Place) -> int:
    """A mobile center whose visit has the place's queue; the center's id."""
    governorate = Governorate(
        iso="EG-ASN", name_ar="أسوان", name_en="Aswan", capital_ar="أسوان", capital_en="Aswan", lat=24.1,
        lon=32.9, population=1,
    )  # fmt: skip
    session.add(governorate)
    session.flush()
    unit = LocalUnit(
        code="U-1", governorate_id=governorate.id, kind="markaz", name_ar="مركز", name_en="Markaz", lat=24.4,
        lon=32.9, population=1, population_method="synthetic", source="test",
    )  # fmt: skip
    session.add(unit)
    session.flush()
    site = Site(
        code="V-1", kind="village", governorate_id=governorate.id, local_unit_id=unit.id, name_ar="قرية",
        name_en="Village",
        search_key="v", lat=24.5, lon=32.9, population=1, synthetic=True, source="test",
    )  # fmt: skip
    center = Center(
        code="MC-1", name_ar="مركز", name_en="Center", governorate_id=governorate.id, depot_name_ar="مقر",
        depot_name_en="Depot", depot_lat=24.1, depot_lon=32.9, klass="small", desks=2, equipment={},
        lat=24.1, lon=32.9, state="open",
    )  # fmt: skip
    session.add_all([site, center])
    session.flush()
    session.add(
        Visit(
            center_id=center.id, site_id=site.id, queue_id=place.queue.id, day=place.now.date(),
            opens_at=place.now, closes_at=place.now + timedelta(hours=8), status="open", opened_at=place.now,
            hours_saved=0.0,
        )
    )  # fmt: skip
    session.flush()
    return center.id


def assert_same_tickets(
    session: Session, queues: dict[str, Queue], desks_of: dict[str, list[Desk]], model: Model
) -> None:
    """State, desk, service, age, cool-down, recalls and seconds served of every ticket are the model's."""
    codes = {service.id: service.code for service in session.scalars(select(Service))}
    mine = [queue.id for queue in queues.values()]
    tickets = session.scalars(select(Ticket).where(Ticket.queue_id.in_(mine))).all()
    assert {ticket.id for ticket in tickets} == model.people.keys()
    for ticket in tickets:
        person = model.people[ticket.id]
        at = next((n for n, desk in enumerate(desks_of[person.line]) if desk.id == ticket.desk_id), None)
        facts = (ticket.state, ticket.number, codes[ticket.service_id])
        assert facts == (person.state, person.number, person.service)
        assert (ticket.aged_from, ticket.priority) == (person.age, person.priority)
        if person.state in AT_DESK:
            assert (at, ticket.recalls) == (person.desk, person.recalls)
        if person.state == "waiting":
            assert ticket.hold_until == person.held
        if person.state == "served":
            assert served_seconds(ticket) == person.served_seconds()


@dataclass
class Home:
    """The line as headquarters is to show it: what the van's was when the last message arrived."""

    line: Line
    people: dict[int, Person]
    """By the van's ticket id."""


@dataclass
class Van:
    """A laptop that runs line B of the machine's model. `at_home` is that model; `now` the time of everybody."""

    office: Session
    center: int
    place: Place
    at_home: Model
    chance: Random
    arrived: list[Home] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    """Syncs by fate, and events that arrived."""

    def __post_init__(self) -> None:
        self.engine = sqlite_memory()
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        clock = VanClock(system=lambda: self.now, running=lambda: self.now.timestamp())
        self.wire = Wire(self._at_office)
        self.model = Model()
        self._ids = itertools.count()
        self.laptop = Laptop(
            self.write, NO_FOLDER, clock, self.wire, write_witness=lambda _folder, _witness: None  # type: ignore[arg-type]
        )  # fmt: skip
        self.laptop.start()

    @property
    def now(self) -> datetime:
        """The time."""
        return self.place.now

    def write(self, work: Callable[[Session], Any]) -> Any:
        """One transaction on the laptop."""
        return transaction(self._sessions, work)

    def _at_office(self, message: dict[str, Any]) -> dict[str, Any]:
        said = office.answer(self.office, self.center, office.read_message(message), self.now)
        self.told["events"] += sum(entry["k"] == "ticket" for entry in message["entries"])
        assert said["verdict"] == "ok" and said["ack"] == message["high"]
        if self.model.lines:
            self.arrived.append(copy.deepcopy(Home(self.model.lines[NAME], self.model.people)))
        return said

    def leave(self, first: int) -> None:
        """The morning's pull; then queue and desks open. `first`: where the model says its numbers begin."""
        self.laptop.sync(pull=1)
        mine = self.write(lambda s: {t.code: t.id for t in s.scalars(select(Ticket))})
        there = {t.id: t.code for t in self.office.scalars(select(Ticket))}
        people = self.at_home.people
        self.model.people = {
            mine[there[who]]: copy.deepcopy(person)
            for who, person in people.items()
            if person.line == NAME and there[who] in mine
        }
        live = [who for who, person in people.items() if person.line == NAME and person.state in LIVE]
        assert {there[who] for who in live} == set(mine), (
            "everybody who stands there came along, and nobody else"
        )
        line = copy.deepcopy(self.at_home.lines[NAME])
        line.calls = [mine.get(there[who], -who) for who in line.calls]
        line.state, line.held_by_van, line.next_number = "open", False, first
        line.desks = dict.fromkeys(line.desks, "open")
        self.model.lines = {NAME: line}

        def opened(s: Session) -> None:
            given: dict[str, Any] = {"actor": "clerk", "now": self.now}
            desks.open_queue(s, s.get_one(Queue, self.place.queue.id), **given)
            for desk in self.place.desks:
                desks.open_desk(s, s.get_one(Desk, desk.id), **given)

        self.write(opened)

    def sync(self, fate: str) -> None:
        """A line for a moment."""
        self.wire.fate = fate
        self.told[fate] += 1
        try:
            self.laptop.sync(most=3)
        except NoLine:
            assert fate != "ok"

    def work(self, presses: int) -> None:
        """Who is in the van presses this and that; now and then there is a line."""
        for _ in range(presses):
            kind = self.chance.choices(
                ("wait", "issue", "call", "go on", "undo", "sync"), (4, 4, 4, 8, 2, 1)
            )[0]
            people = list(self.model.people)
            if kind == "wait":
                self.place.now += timedelta(seconds=self.chance.choice((1, 30, 200)))
            elif kind == "sync":
                self.sync(self.chance.choice(("ok", "lost", "unanswered")))
            elif kind == "issue":
                self._issue()
            elif kind == "call":
                self._call(self.chance.randrange(2))
            elif people:
                self._go_on(self.chance.choice(people), undo=kind == "undo")

    def _attempt(self, work: Callable[[Session, dict[str, Any]], Any], expect: Callable[[], Any]) -> Any:
        """(the product's answer, the model's); None when both refuse."""
        common = {"request_id": f"van-{id(self)}-{next(self._ids)}", "actor": "clerk", "now": self.now}
        refusal: QueueingError | None = None
        done = None
        try:
            done = self.write(lambda s: work(s, common))
        except QueueingError as error:
            refusal = error
        try:
            expected = expect()
        except Refused as said:
            assert refusal is not None, f"in the van the model refuses ({said}), the queue does not"
            return None
        assert refusal is None, f"in the van the queue refuses ({refusal!r}), the model does not"
        return done, expected

    def _issue(self) -> None:
        service, channel = self.chance.choice(("id", "birth")), self.chance.choice(("kiosk", "staff"))
        due = self.chance.choice((None, None, None, self.now + timedelta(minutes=20)))
        priority = self.chance.randrange(4)
        given = {"priority": priority, "channel": channel, "appointment_at": due}
        made = self._attempt(
            lambda s, common: counter.issue(
                s, s.get_one(Queue, self.place.queue.id), service, **given, **common
            ),
            lambda: self.model.may_issue(NAME, channel=channel, phone=None, booked=due is not None),
        )
        assert made is not None
        person = self.model.issue(
            NAME, made[0].ticket.id, self.now, due=due, service=service, channel=channel, phone=None,
            priority=4 if due else priority,
        )  # fmt: skip
        assert made[0].ticket.number == person.number

    def _call(self, desk: int) -> None:
        made = self._attempt(
            lambda s, common: counter.call_next(s, s.get_one(Desk, self.place.desks[desk].id), **common),
            lambda: self.model.call_next(NAME, desk, self.now),
        )
        if made is not None:
            done, (_finished, called) = made
            assert (done.ticket.id if done is not None else None) == called, "not whom the model calls"

    def _go_on(self, who: int, *, undo: bool) -> None:
        person = self.model.people[who]
        verbs = ["undo"] if undo else [v for v in possible(person.state) if v in STEPS_HERE]
        if not verbs:
            return
        verb = self.chance.choice(verbs)
        desk = person.desk if person.desk is not None else self.chance.randrange(2)
        at = None if verb == "arrive" else desk

        def press(s: Session, common: dict[str, Any]) -> Any:
            given = {} if at is None else {"desk": s.get_one(Desk, self.place.desks[at].id)}
            return getattr(counter, verb)(s, s.get_one(Ticket, who), **given, **common)

        def expect() -> Any:
            if verb == "undo":
                return self.model.undo(who, at, self.now)
            return self.model.step(who, verb, self.now, at)

        self._attempt(press, expect)

    def look_through(self) -> None:
        """The van's own books are right."""

        def look(s: Session) -> None:
            mine = self.place.queue.id
            queue = {NAME: s.get_one(Queue, mine)}
            assert_same_tickets(s, queue, {NAME: self.place.desks}, self.model)
            assert [d for d in check(s, [mine]) if d.what != "number"] == []

        self.write(look)

    def shown(self) -> dict[int, str]:
        """Bring the machine's model up to what has arrived; labels by headquarters' id."""
        if not self.arrived:
            return {}
        home = self.arrived[-1]
        self.arrived.clear()
        mine = self.write(lambda s: {t.id: (t.code, t.label) for t in s.scalars(select(Ticket))})
        there = {t.code: t.id for t in self.office.scalars(select(Ticket))}
        ids = {who: there[code] for who, (code, _label) in mine.items() if who in home.people}
        for who, person in home.people.items():
            self.at_home.people[ids[who]] = person
        line = home.line
        line.calls = [ids[who] if who > 0 else -who for who in line.calls]
        line.held_by_van = True
        numbers = [p.number for p in home.people.values()]
        line.next_number = max([self.at_home.lines[NAME].next_number, *(n + 1 for n in numbers)])
        self.at_home.lines[NAME] = line
        return {ids[who]: mine[who][1] for who in home.people}

    def come_home(self) -> None:
        """Everything is told."""
        self.sync("ok")
        assert not self.write(self.laptop.status).unsent

    def end(self) -> None:
        """Forget the laptop."""
        self.engine.dispose()


STEPS_HERE = (
    "start", "finish", "miss", "recall", "park", "resume", "requeue", "leave", "cancel", "arrive",
)  # fmt: skip
