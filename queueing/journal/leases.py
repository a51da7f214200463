"""At headquarters: which device runs a queue's day, and which numbers it draws.

A queue's day is leased to the first device that asks. From then on `queue.held_by` names it and every verb here is
refused (`queue_held`): what is wanted goes out as a wish. Each device and epoch has a band of numbers of its own, so
that two vans told to serve one visit, or a copy of a laptop, hardly ever draw one number twice; where it happens all
the same both people are kept and a person is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.events import announce
from queueing.store import Queue, QueueDay, Ticket
from queueing.store_journal import Device, Lease, NumberBand

BAND = 500
"""Numbers of a band: more than a van serves on a day."""
GIVEN_UP = timedelta(days=14)
CLASH = 100_000
"""From here on numbers of tickets whose own number somebody else holds, too; their label stays as printed."""


def lease(
    session: Session, queue_id: int, day: date, device: str, epoch: str, *, now: datetime
) -> tuple[Lease, NumberBand, bool]:
    """Give `device` a queue's day: (lease, its band, whether another device holds the day, too). Asked again: the
    same."""
    queue = session.get_one(Queue, queue_id, with_for_update=True)
    held = session.scalar(
        select(Lease).where(Lease.queue_id == queue_id, Lease.day == day, Lease.device == device)
    )
    if held is None:
        held = Lease(queue_id=queue_id, day=day, device=device, granted_at=now)
        session.add(held)
    others = others_of(session, held)
    if queue.held_by is None and held.ended_at is None:
        queue.held_by = device
        tell(session, queue, now)
    return held, band_of(session, queue, day, device, epoch, now=now), bool(others)


def others_of(session: Session, held: Lease) -> Sequence[Lease]:
    """Leases of other devices that run for the same queue's day."""
    return session.scalars(
        select(Lease).where(
            Lease.queue_id == held.queue_id,
            Lease.day == held.day,
            Lease.device != held.device,
            Lease.ended_at.is_(None),
        )
    ).all()


def band_of(
    session: Session, queue: Queue, day: date, device: str, epoch: str, *, now: datetime
) -> NumberBand:
    """The band of a device's epoch. The first one goes on from the numbers that were given here."""
    bands = session.scalars(
        select(NumberBand).where(NumberBand.queue_id == queue.id, NumberBand.day == day)
    ).all()
    for band in bands:
        if band.device == device and band.epoch == epoch:
            return band
    counter = session.get(QueueDay, (queue.id, day))
    following = counter.next_number if counter is not None else queue.first_number
    if bands:
        highest = max([following - 1, *(band.first for band in bands), _highest(session, queue.id, day)])
        following = (highest // BAND + 1) * BAND + 1
    band = NumberBand(queue_id=queue.id, day=day, first=following, device=device, epoch=epoch, made_at=now)
    session.add(band)
    session.flush()
    return band


def end(session: Session, held: Lease, why: str, *, now: datetime) -> None:
    """The device runs this queue's day no longer. Where no other one does, numbers are given here again, above all
    that are known. Its log is taken in all the same when it comes."""
    if held.ended_at is not None:
        return
    held.ended_at, held.ended_why = now, why
    session.flush()
    queue = session.get_one(Queue, held.queue_id, with_for_update=True)
    left = others_of(session, held)
    if queue.held_by == held.device:
        queue.held_by = left[0].device if left else None
    if not left:
        raise_counter(session, queue.id, held.day, now=now, apart=why != "over")
    tell(session, queue, now)


def take_back(session: Session, queue_id: int, *, now: datetime) -> int:
    """Headquarters runs the queue itself from now on (its van is broken, or another takes over). Returns how many
    leases that ended."""
    running = session.scalars(select(Lease).where(Lease.queue_id == queue_id, Lease.ended_at.is_(None))).all()
    for held in running:
        end(session, held, "taken_back", now=now)
    return len(running)


def raise_counter(session: Session, queue_id: int, day: date, *, now: datetime, apart: bool) -> None:
    """The counter stands above every known number; with `apart` in a band of its own, for a log may still come."""
    highest = _highest(session, queue_id, day)
    counter = session.get(QueueDay, (queue_id, day), populate_existing=True)
    if counter is None:
        counter = QueueDay(queue_id=queue_id, day=day, next_number=1, issued=0)
        session.add(counter)
    counter.next_number = max(counter.next_number, highest + 1)
    if apart:
        first = session.scalar(
            select(func.max(NumberBand.first)).where(NumberBand.queue_id == queue_id, NumberBand.day == day)
        )
        counter.next_number = (max(highest, first or 0, counter.next_number - 1) // BAND + 1) * BAND + 1
        session.add(
            NumberBand(
                queue_id=queue_id, day=day, first=counter.next_number, device="", epoch="", made_at=now
            )
        )
    session.flush()


def end_old(session: Session, *, now: datetime) -> int:
    """End the leases of past days of which everything is known: the device was heard on a later day and held nothing
    back. One that is not heard again keeps its days for two weeks. Returns how many."""
    done = 0
    chosen = (
        select(Lease, Queue, Device)
        .join(Queue, Queue.id == Lease.queue_id)
        .join(Device, Device.id == Lease.device)
        .where(Lease.ended_at.is_(None))
    )
    for held, queue, device in session.execute(chosen).all():
        today = local_day(now, queue.zone)
        told = local_day(device.heard_at, queue.zone) > held.day and device.unsent == 0
        if (told and queue.state == "closed") or held.day < today - GIVEN_UP:
            end(session, held, "over", now=now)
            done += 1
    return done


def tell(session: Session, queue: Queue, now: datetime) -> None:
    """Screens of the queue look again."""
    queue.seq = Queue.seq + 1
    session.flush()
    session.refresh(queue)
    parts = ["queue", "line", "calls", "desks"]
    announce(session, f"queue:{queue.id}", queue.seq, "queue", {"action": "synced", "parts": parts}, now)


def _highest(session: Session, queue_id: int, day: date) -> int:
    return (
        session.scalar(
            select(func.max(Ticket.number)).where(
                Ticket.queue_id == queue_id, Ticket.day == day, Ticket.number < CLASH
            )
        )
        or 0
    )
