"""One random day: people come and are served, the line is bad, the power fails, databases are restored, disks cloned.

`run_trial(seed, ...)` raises AssertionError where something was lost or doubled. The truth is what stands in the
databases of all machines at the end, and in every chain that headquarters acknowledged.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from queueing.errors import QueueingError
from queueing.journal import chain, wishes
from queueing.journal.project import request_id_of
from queueing.rebuild import check
from queueing.store import Queue, Ticket, TicketEvent
from queueing.store_journal import Choice, JournalEntry
from queueing.ticket import AT_DESK
from tests.van.cast import SERVICES, Machine, Office, PowerCut, tickets
from tests.van.proxy import Proxy
from tests.van.source import Source
from tests.web import world as world_cast
from web.van.line import NoLine

FATES = ("lost", "cut", "unanswered", "half", "down")


@dataclass
class Figures:
    """What happened in a trial."""

    events: int = 0
    crashes: int = 0
    restores: int = 0
    clones: int = 0
    failures: int = 0
    choices: int = 0
    office_restores: int = 0
    lost: int = 0
    doubled: int = 0
    steps: Counter[str] = field(default_factory=Counter)


class Trial:
    """One seed."""

    def __init__(self, seed: int, source: Source, folder: Path, *, loss: float = 0.1) -> None:
        self.random = random.Random(seed)
        self.clock = world_cast.StillClock()
        self.office = Office(source, folder / "office", self.clock)
        self.loss = loss
        self.proxy = Proxy(self.office.port, fate=self._fate)
        self.folder = folder
        self.figures = Figures()
        self.crash_rate = 0.0
        self.machines: list[Machine] = []
        self.backups: list[tuple[Machine, Path, set[str]]] = []
        self.gone: set[str] = set()
        """Request ids whose only copy went with a disk."""
        self.told: set[str] = set()
        """Request ids that headquarters had once: it may never forget one."""
        self.kept: str | None = None
        """A backup of headquarters."""
        self.queue = source.world.queue_visit_a
        self.desks = source.world.desks_visit_a

    def _fate(self, _number: int) -> str:
        if self.random.random() < self.loss:
            self.figures.failures += 1
            return self.random.choice(FATES)
        return "ok"

    def _cut(self, step: str) -> bool:
        if self.random.random() < self.crash_rate:
            self.figures.crashes += 1
            self.figures.steps[step] += 1
            return True
        return False

    def powered(self, machine: Machine, work: Callable[[], object]) -> object:
        """Do something; when the power fails in the middle, boot again (as often as it takes)."""
        try:
            return work()
        except (NoLine, QueueingError):
            return None
        except PowerCut:
            machine.off()
        while True:
            try:
                machine.on()
                return None
            except PowerCut:
                machine.off()

    def go(self, actions: int = 120) -> Figures:
        """The day, the end of it, and the check."""
        first = Machine(self.folder / "van", self.proxy.url, self.office.token, self.clock, cut=self._cut)
        self.machines.append(first)
        self._before_the_lease()
        self._until_synced(first, pull=1)
        for n, desk in enumerate(self.desks):
            self.powered(first, first.days)
            self.powered(first, lambda desk=desk: first.sit(desk))
            assert n < 2
        self.crash_rate = self.random.choice([0.0, 0.02, 0.06])
        for _ in range(actions):
            self.clock.advance(seconds=self.random.randint(5, 90))
            self._act(self.random.choice(self.machines))
        self.crash_rate = 0.0
        for machine in self.machines:
            self._until_synced(machine)
        for machine in self.machines:  # a second time round: what the first learned from the others
            self._until_synced(machine)
        self._check()
        return self.figures

    def _before_the_lease(self) -> None:
        """Bookings and people who joined from home before the van left."""
        from queueing import counter

        for n in range(self.random.randint(0, 4)):
            at = self.clock.now() + timedelta(minutes=15 * (n + 1)) if self.random.random() < 0.5 else None
            self.office.write(
                lambda s, n=n, at=at: counter.issue(
                    s, s.get_one(Queue, self.queue), "NID-01", request_id=f"home-{n}", actor="phone",
                    now=self.clock.now(), channel="booking" if at else "phone", appointment_at=at,
                )
            )  # fmt: skip

    def _until_synced(self, machine: Machine, pull: int = 0) -> None:
        for _ in range(60):
            try:
                machine.laptop.sync(pull=pull, keep_trying=20)
                return
            except (NoLine, PowerCut):
                self.powered(machine, lambda: None)
        raise AssertionError("the sync never came to an end")

    def _act(self, machine: Machine) -> None:
        kind = self.random.choices(
            ("issue", "work", "sync", "wish", "backup", "restore", "clone", "boot", "office"),
            (30, 50, 8, 3, 2, 1.2, 0.6, 2, 0.6),
        )[0]
        getattr(self, f"_{kind}")(machine)

    def _issue(self, machine: Machine) -> None:
        self.powered(machine, lambda: machine.issue(self.queue, self.random.choice(SERVICES)))

    def _work(self, machine: Machine) -> None:
        desk = self.random.choice(self.desks)
        live = machine.read(lambda s: list(s.scalars(select(Ticket).where(Ticket.desk_id == desk))))
        here = [t for t in live if t.state in AT_DESK]
        aside = [t for t in live if t.state in ("parked", "missed")]
        if here and self.random.random() < 0.7:
            verb = self.random.choice(
                ("start", "finish", "finish", "miss", "park", "requeue", "recall", "undo")
            )
            self.powered(machine, lambda: machine.do(verb, here[0].id, desk))
        elif aside and self.random.random() < 0.4:
            chosen = self.random.choice(aside)
            verb = self.random.choice(("requeue", "leave", "cancel"))
            self.powered(machine, lambda: machine.do(verb, chosen.id))
        else:
            self.powered(machine, lambda: machine.call(desk))

    def _sync(self, machine: Machine) -> None:
        most = self.random.randint(1, 4)
        self.powered(machine, lambda: machine.laptop.sync(most=most))
        self.told |= self.office.read(lambda s: set(s.scalars(select(TicketEvent.request_id))))

    def _wish(self, machine: Machine) -> None:
        rid = f"wish-{self.random.random()}"

        def ask(s: object) -> None:
            queue = s.get_one(Queue, self.queue)  # type: ignore[attr-defined]
            if queue.held_by is not None:
                wishes.join(s, queue, "NID-01", request_id=rid, now=self.clock.now())  # type: ignore[arg-type]

        self.office.write(ask)

    def _boot(self, machine: Machine) -> None:
        machine.off()
        try:
            machine.on()
        except PowerCut:
            self.powered(machine, lambda: None)

    def _office(self, machine: Machine) -> None:
        """Headquarters is backed up; or it loses its database and goes on with that backup."""
        if self.kept is None:
            self.kept = self.office.back_up()
        elif len(self.machines) == 1 and not self.figures.restores:
            # What a laptop had told and lost as well is nowhere then, as it would be on paper.
            self.office.restore(self.kept)
            self.kept = None
            self.told = set()
            self.figures.office_restores += 1

    def _backup(self, machine: Machine) -> None:
        path = self.folder / f"backup-{len(self.backups)}.db"
        machine.back_up(path)
        self.backups.append((machine, path, self._events_of(machine)))

    def _restore(self, machine: Machine) -> None:
        mine = [b for b in self.backups if b[0] is machine]
        if not mine or self.figures.office_restores:
            return
        _machine, path, kept = self.random.choice(mine)
        self.figures.restores += 1
        self.gone |= self._events_of(machine) - kept
        try:
            machine.restore(path)
        except PowerCut:
            self.powered(machine, lambda: None)

    def _clone(self, machine: Machine) -> None:
        if len(self.machines) > 2 or self.figures.office_restores:
            return
        self.figures.clones += 1
        rate, self.crash_rate = self.crash_rate, 0.0
        self.machines.append(machine.copy(self.folder / f"clone-{len(self.machines)}"))
        self.crash_rate = rate

    def _events_of(self, machine: Machine) -> set[str]:
        return machine.read(lambda s: set(s.scalars(select(TicketEvent.request_id))))

    # the verdict ------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        office = self.office
        entries = office.read(
            lambda s: list(
                s.scalars(
                    select(JournalEntry).order_by(
                        JournalEntry.device, JournalEntry.epoch, JournalEntry.sequence
                    )
                )
            )
        )
        self._chains(entries)
        known = office.read(lambda s: set(s.scalars(select(TicketEvent.request_id))))
        held = {self._rid(e) for e in entries if e.status == "held"}
        missing = self.told - known
        for machine in self.machines:
            mine = machine.read(
                lambda s: s.execute(
                    select(TicketEvent.request_id, Ticket.code).join(
                        Ticket, Ticket.id == TicketEvent.ticket_id
                    )
                ).all()
            )
            missing |= {request_id_of({"r": rid, "c": code}) for rid, code in mine} - known - held
        self.figures.lost = len(missing)
        assert not missing, f"lost: {sorted(missing)[:5]}"
        all_events = office.read(
            lambda s: list(s.scalars(select(TicketEvent).where(TicketEvent.queue_id == self.queue)))
        )
        self.figures.events = len(all_events)
        # One thing that happened once, under whatever name it came.
        happened = Counter((e.ticket_id, e.action, e.state_from, e.happened_at) for e in all_events)
        twice = [what for what, times in happened.items() if times > 1]
        self.figures.doubled = len(twice) + len(all_events) - len({e.request_id for e in all_events})
        assert not self.figures.doubled, f"doubled: {twice[:3]}"
        # Where two laptops ran one desk, headquarters shows it with one of the two people.
        apart = ("number", "desk_id") if self.figures.clones + self.figures.restores else ("number",)
        differences = [d for d in office.read(lambda s: check(s, [self.queue])) if d.what not in apart]
        assert not differences, differences[:3]
        self._tickets(held)

    def _tickets(self, held: set[str]) -> None:
        there = self.office.read(lambda s: tickets(s, self.queue))
        choices = self.office.read(lambda s: list(s.scalars(select(Choice))))
        self.figures.choices = len(choices)
        asked = {c.subject for c in choices}
        if held:
            assert any(c.kind == "two_histories" for c in choices), "contradictions that nobody was told of"
        labels = Counter(t.label for t in there.values())
        for label, count in labels.items():
            same = [c for c in choices if c.kind == "same_number" and c.facts["label"] == label]
            assert count == 1 + len(same), f"{count} people hold {label}, {len(same)} questions"
        if self.figures.clones + self.figures.restores == 0:
            assert not choices, asked
            here = self.machines[0].read(lambda s: tickets(s, self.queue))
            live = {c: t.state for c, t in there.items()}
            assert live == {c: t.state for c, t in here.items()}, "states differ"

    def _chains(self, entries: list[JournalEntry]) -> None:
        place: tuple[str, str, int, str] = ("", "", 0, chain.GENESIS)
        for e in entries:
            if (e.device, e.epoch) != place[:2]:
                place = (e.device, e.epoch, 0, chain.GENESIS)
            assert e.sequence == place[2] + 1, "a gap in a chain"
            assert e.hash == chain.link(place[3], e.device, e.epoch, e.sequence, e.body), "a broken chain"
            place = (e.device, e.epoch, e.sequence, e.hash)

    @staticmethod
    def _rid(entry: JournalEntry) -> str:
        import json

        body = json.loads(entry.body)
        return request_id_of(body) if entry.kind == "ticket" else ""

    def close(self) -> None:
        """End everything."""
        for machine in self.machines:
            machine.off()
        self.proxy.close()
        self.office.close()


def run_trial(seed: int, source: Source, folder: Path, **options: float) -> Figures:
    """One trial from nothing to its verdict."""
    trial = Trial(seed, source, folder, **options)
    try:
        return trial.go()
    finally:
        trial.close()
