"""What must take moments: moves of tickets, verdicts on a manual change, reasons, publishing. Medians and a yardstick.

    python -m tests.bench.bench_moments

The yardstick of each row is something plain of the same size measured in the same run, so that the ratio means the
same on any machine.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from fleet import network as national
from fleet import planner
from fleet.store import Center, Plan
from queueing.store import Base
from queueing.ticket import LightTicket, move
from tests.bench.bench_week import WEEK, Eve
from web.app import create_app
from web.db import read, write
from web.nightly import forecast_week
from web.settings import from_environment
from web.solving import new_draft, solve_now


def timed(work: Callable[[], object], times: int = 3) -> float:
    """Median seconds of `work`."""
    took = []
    for _time in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def moves() -> None:
    """100,000 moves of light tickets; yardstick: as many attribute updates with a dictionary look-up each."""
    now = datetime(2026, 11, 22, 8, tzinfo=UTC)
    table = {"waiting": "called"}

    def with_rules() -> None:
        for number in range(25_000):
            ticket = LightTicket(number, 1, now)
            move(ticket, "call", now=now, desk_id=1)
            move(ticket, "start", now=now)
            move(ticket, "park", now=now)
            move(ticket, "leave", now=now + timedelta(minutes=1))

    def plain() -> None:
        for number in range(25_000):
            ticket = LightTicket(number, 1, now)
            for _step in range(4):
                ticket.state = table["waiting"]

    row("100,000 moves of tickets", timed(with_rules), "plain updates", timed(plain))


def row(name: str, seconds: float, yardstick: str, plain: float) -> None:
    """Print one row."""
    print(
        f"| {name} | {1000 * seconds:,.0f} ms | {yardstick} | {1000 * plain:,.0f} ms | {seconds / plain:.1f} |",
        flush=True,
    )


def week() -> None:
    """A verdict, the reasons and the publication of a national week; yardstick: exporting the same plan as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"DATA_DIR": folder, "DATABASE_URL": "", "DEMO": "0"}
        app = create_app(from_environment(environment), time_source=Eve())
        with app.app_context():
            Base.metadata.create_all(app.extensions["writer"].engine)
            now = Eve().now()
            write(lambda session: national.build(session, seed=7, now=now))
            forecast_week(WEEK, now)
            plan_id = new_draft(WEEK, seconds=20, seed=7, actor="bench")
            solve_now(plan_id)
            session = read()
            plan = session.get_one(Plan, plan_id)
            visits = sorted(plan.visits, key=lambda visit: visit.id)
            center = session.scalars(select(Center.id)).first()
            site = planner.unserved(session, plan)[0].site_id
            changes = {
                "verdict: remove": planner.Change("remove", visit_id=visits[3].id),
                "verdict: move to another day": planner.Change(
                    "move", visit_id=visits[9].id, day=visits[-1].day
                ),
                "verdict: add": planner.Change("add", center_id=center, site_id=site, day=visits[-1].day),
            }
            export = timed(lambda: planner.export(session, plan))
            for name, change in changes.items():
                row(
                    name,
                    timed(lambda change=change: planner.try_change(session, plan, change, now=now), 5),
                    "export",
                    export,
                )
            row("all reasons", timed(lambda: planner.unserved(session, plan)), "export", export)
            gone = iter(visits[::60])

            def first_question() -> float:
                """Seconds of the first question about a plan that has just been changed."""
                session.rollback()
                changed = planner.Change("remove", visit_id=next(gone).id)
                write(
                    lambda s: planner.apply_change(
                        s, s.get_one(Plan, plan_id), changed, revision=plan.revision, actor="bench", now=now
                    )
                )
                session.refresh(plan)
                return timed(lambda: planner.why_none(session, plan, site, now=now), 1)

            asked = statistics.median(first_question() for _ in range(5))
            row("why is this place not served, first after a change", asked, "export", export)
            session.rollback()
            ready = planner.prepare_publish(session, plan)

            def announce() -> object:
                return write(
                    lambda s: planner.publish(
                        s, s.get_one(Plan, plan_id), actor="bench", now=now, prepared=ready
                    )
                )

            name = f"publish {len(visits) - 5} visits with queues and desks: write lock held"
            row(name, timed(announce, 1), "export", export)


if __name__ == "__main__":
    print("| what | median | yardstick | median | ratio |")
    print("|---|---:|---|---:|---:|", flush=True)
    moves()
    week()
