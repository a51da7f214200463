"""The congestion table: what happened beside the forecast, worst first, fast."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from fleet.congestion import congestion_table
from fleet.network.queues import make_queue
from fleet.store import ForecastHour, Site, SiteQueue
from queueing.store import QueueHour, Service
from tests.fleet.planning_cast import FRIDAY, country

SUNDAY = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.fixture
def session() -> Iterator[Session]:
    with country() as s:
        yield s


def queue_of(session: Session, code: str) -> int:
    """The queue of the fixed site with that code."""
    query = select(SiteQueue.queue_id).join(Site, Site.id == SiteQueue.site_id).where(Site.code == code)
    return session.scalars(query).one()


def happened(session: Session, queue_id: int, hour: int, arrivals: int, over: int, wait_s: float) -> None:
    """One measured hour."""
    session.add(
        QueueHour(
            queue_id=queue_id,
            day=SUNDAY,
            hour=hour,
            arrivals=arrivals,
            wait_over=over,
            wait_s=wait_s,
            served=arrivals,
            service_s=arrivals * 300.0,
            desk_s=3 * 3600.0,
            left_waiting=1,
        )
    )
    session.flush()


def test_only_fixed_sites_stand_in_the_table_with_their_forecast(session: Session) -> None:
    """Four rows; cells of the opening hours with arrivals, load and level, nothing measured on a day to
    come."""
    rows = congestion_table(session, SUNDAY, now=FRIDAY)
    assert {r.code for r in rows} == {"F-00", "F-01", "F-10", "F-11"}
    for row in rows:
        assert list(row.cells) == list(range(8, 15))
        assert all(c.arrivals and c.load and c.level is not None for c in row.cells.values())
        assert all(c.real_arrivals is None and c.real_level is None for c in row.cells.values())


def test_the_most_crowded_site_comes_first(session: Session) -> None:
    """The two big towns lead; severity falls down the table."""
    rows = congestion_table(session, SUNDAY, now=FRIDAY)
    assert {r.code for r in rows[:2]} == {"F-00", "F-10"}
    assert [r.severity for r in rows] == sorted((r.severity for r in rows), reverse=True)
    assert rows[0].peak_level >= 2 > rows[-1].peak_level


def test_what_happened_stands_beside_what_was_forecast(session: Session) -> None:
    """Measured hours show people, mean wait and level of their own; the forecast stays for comparison."""
    happened(session, queue_of(session, "F-01"), 9, 20, 16, 20 * 2400.0)
    row = next(r for r in congestion_table(session, SUNDAY, now=NOON) if r.code == "F-01")
    cell = row.cells[9]
    assert (cell.real_arrivals, cell.wait_min, cell.left) == (20, 40.0, 1)
    assert cell.real_level == 4 and cell.level is not None and cell.level < 4
    assert cell.arrivals is not None
    assert row.cells[10].real_level is None


def test_a_measured_crowd_outranks_a_forecast_calm(session: Session) -> None:
    """A town forecast to be calm goes up when its morning was severe."""
    before = [r.code for r in congestion_table(session, SUNDAY, now=NOON)]
    for hour in range(8, 13):
        happened(session, queue_of(session, "F-11"), hour, 400, 390, 400 * 6000.0)
    after = [r.code for r in congestion_table(session, SUNDAY, now=NOON)]
    assert before.index("F-11") > 0 and after[0] == "F-11"


def test_a_site_with_two_lines_shows_their_people_together_and_the_worse_level(session: Session) -> None:
    """Sums of arrivals, mean wait over both, the worse of the levels."""
    site_id = session.scalars(select(Site.id).where(Site.code == "F-01")).one()
    services = list(session.scalars(select(Service)))
    second = make_queue(session, name_ar="ب", name_en="B", services=services, desks=1)
    session.add(SiteQueue(queue_id=second.id, site_id=site_id))
    happened(session, queue_of_first(session, site_id), 9, 10, 0, 10 * 60.0)
    happened(session, second.id, 9, 30, 29, 30 * 3000.0)
    row = next(r for r in congestion_table(session, SUNDAY, now=NOON) if r.code == "F-01")
    cell = row.cells[9]
    assert cell.real_arrivals == 40 and cell.real_level == 4
    assert cell.wait_min == pytest.approx((10 * 1 + 30 * 50) / 40, abs=0.06)


def queue_of_first(session: Session, site_id: int) -> int:
    """The first queue of a site."""
    query = select(SiteQueue.queue_id).where(SiteQueue.site_id == site_id).order_by(SiteQueue.queue_id)
    found = session.scalars(query).first()
    assert found is not None
    return found


def test_a_chosen_few_can_be_asked_for(session: Session) -> None:
    """The map's popup asks for one site."""
    site_id = session.scalars(select(Site.id).where(Site.code == "F-10")).one()
    assert [r.site_id for r in congestion_table(session, SUNDAY, now=NOON, site_ids=[site_id])] == [site_id]


def test_the_national_table_takes_under_150_milliseconds(session: Session) -> None:
    """336 sites x 8 hours, forecast and measured (best of three, on processor time)."""
    pattern = session.scalars(select(Site).where(Site.code == "F-00")).one()
    services = list(session.scalars(select(Service)))
    for n in range(332):
        site = Site(
            code=f"N-{n}",
            kind="fixed",
            governorate_id=pattern.governorate_id,
            local_unit_id=pattern.local_unit_id,
            name_ar="م",
            name_en="N",
            lat=30,
            lon=31,
            population=1000,
        )
        session.add(site)
        session.flush()
        queue = make_queue(session, name_ar="م", name_en="N", services=services, desks=2)
        session.add(SiteQueue(queue_id=queue.id, site_id=site.id))
        hours = [{"queue_id": queue.id, "day": SUNDAY, "hour": h} for h in range(8, 16)]
        session.execute(insert(QueueHour), [{**h, "arrivals": 9, "wait_s": 60.0} for h in hours])
        session.execute(
            insert(ForecastHour),
            [
                {**h, "arrivals": 9.0, "offered_load": 1.0, "desks": 2.0, "level": 1, "made_at": NOON}
                for h in hours
            ],
        )
    session.flush()
    best = min(_timed(session) for _ in range(3))
    assert best < 0.15


def _timed(session: Session) -> float:
    began = time.process_time()
    assert len(congestion_table(session, SUNDAY, now=NOON)) == 336
    return time.process_time() - began
