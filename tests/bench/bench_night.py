"""The night's forecast of a country, with its database: 12 weeks of measures drawn and stored, five weeks forecast, the
coming week's visits valued, all of it written.

    python -m tests.bench.bench_night [--quick] [--sites 5000] [--seed 1]

One line a center on a SQLite file of its own. Prints one JSON object: seconds of each step (wall), of the
processor, and memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from fleet import demand
from fleet.calendar import default_calendar, week_of
from fleet.forecast import compute_forecasts, keep_forecast
from fleet.lines import HISTORY_DAYS
from fleet.store import Center, Governorate, LocalUnit, Site, SiteQueue
from fleet.value import compute_values, keep_values
from queueing.engine import make_engine
from queueing.store import Base, Desk, Queue, QueueHour, QueueService, Service

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
OPENS, CLOSES = 510, 870
WEEKS = 5
CHUNK = 50_000


def draw(session: Session, sites: int, seed: int) -> int:
    """The country and its measures; returns how many hours were stored."""
    rng = np.random.default_rng(seed)
    service = Service(
        code="ID", group_code="g", name_ar="ID", name_en="ID", agency_code="A", agency_ar="A", agency_en="A",
        minutes_low=6, minutes_mode=12, minutes_high=18, at_mobile=True, popularity=1.0,
    )  # fmt: skip
    session.add(service)
    for g in range(27):
        session.add(
            Governorate(
                id=g + 1, iso=f"EG-{g}", name_ar="م", name_en="G", capital_ar="ع", capital_en="C", lat=26.0 + g / 9,
                lon=31.0, population=4_000_000,
            )
        )  # fmt: skip
        session.add(
            LocalUnit(
                id=g + 1, code=f"U{g}", governorate_id=g + 1, name_ar="و", name_en="U", kind="markaz", lat=26.0,
                lon=31.0, population=4_000_000, source="drawn",
            )
        )  # fmt: skip
    session.flush()
    session.add(
        Center(
            code="MC-1", name_ar="م", name_en="C", governorate_id=1, depot_name_ar="م", depot_name_en="D",
            depot_lat=26.0, depot_lon=31.0, klass="small", desks=2,
        )
    )  # fmt: skip
    session.flush()
    people = np.exp(rng.normal(np.log(40_000), 0.8, sites)).clip(3_000, 600_000).astype(int)
    a_day = np.array([demand.daily_requests(int(p)) for p in people]) * rng.gamma(9, 1 / 9, sites)
    session.execute(
        insert(Site),
        [
            {
                "id": i + 1, "code": f"F-{i}", "kind": "fixed", "governorate_id": i % 27 + 1,
                "local_unit_id": i % 27 + 1, "name_ar": "م", "name_en": "S", "lat": 26.0, "lon": 31.0,
                "population": int(people[i]), "open_minute": OPENS, "close_minute": CLOSES,
            }
            for i in range(sites)
        ],
    )  # fmt: skip
    session.execute(
        insert(Queue), [{"id": i + 1, "name_ar": "ص", "name_en": "Q", "letter": "A"} for i in range(sites)]
    )
    session.execute(insert(SiteQueue), [{"site_id": i + 1, "queue_id": i + 1} for i in range(sites)])
    session.execute(
        insert(QueueService), [{"queue_id": i + 1, "service_id": service.id} for i in range(sites)]
    )
    desks = np.maximum(1, np.ceil(a_day * 0.2 / 5)).astype(int)
    session.execute(
        insert(Desk),
        [{"queue_id": i + 1, "name": str(n + 1)} for i in range(sites) for n in range(int(desks[i]))],
    )
    shares = demand.hour_shares(OPENS, CLOSES)
    calendar, stored = default_calendar(), 0
    today = NOW.date()
    for back in range(HISTORY_DAYS, 0, -1):
        day = today - timedelta(days=back)
        if not calendar.is_working_day(day):
            continue
        factor = demand.WEEKDAY_FACTORS[day.weekday()] * rng.gamma(100, 1 / 100, sites)
        rows = [
            {
                "queue_id": i + 1, "day": day, "hour": hour, "arrivals": came, "called": came, "served": came,
                "service_s": 720.0 * came, "service_sq": 700_000.0 * came, "held_s": 720.0 * came,
                "desk_s": 3600.0 * float(desks[i]),
            }
            for hour, share in shares.items()
            for i, came in enumerate(rng.poisson(a_day * factor * share).tolist())
        ]  # fmt: skip
        for begin in range(0, len(rows), CHUNK):
            session.execute(insert(QueueHour), rows[begin : begin + CHUNK])
        stored += len(rows)
    session.commit()
    return stored


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="100 sites")
    parser.add_argument("--sites", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    sites = 100 if chosen.quick else chosen.sites
    found: dict[str, object] = {"sites": sites}
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{Path(folder) / 'night.db'}")
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            found["hours_stored"] = draw(session, sites, chosen.seed)
        week: date = week_of(NOW.date() + timedelta(days=1))
        cpu, began = time.process_time(), time.perf_counter()
        with Session(engine) as session:
            made = compute_forecasts(session, [week + timedelta(days=7 * n) for n in range(WEEKS)], now=NOW)
        found["forecast_s"] = round(time.perf_counter() - began, 1)
        for forecast in made:
            with Session(engine) as session:
                keep_forecast(session, forecast)
                session.commit()
        found["written_s"] = round(time.perf_counter() - began - float(str(found["forecast_s"])), 1)
        before = time.perf_counter()
        with Session(engine) as session:
            keep_values(session, compute_values(session, week, now=NOW), now=NOW)
            session.commit()
        found["valued_s"] = round(time.perf_counter() - before, 1)
        found["whole_s"] = round(time.perf_counter() - began, 1)
        found["processor_s"] = round(time.process_time() - cpu, 1)
        found["rows"] = sum(len(forecast.rows) for forecast in made)
        engine.dispose()
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(found))


if __name__ == "__main__":
    main()
