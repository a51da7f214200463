"""The national week end to end: what the plan saves beside the same vans sent to the biggest towns in turn.

Both are valued in the same problem and unit (person-hours of citizens, before driving), so their ratio is the figure.

    python -m tests.bench.bench_week [--seconds 45] [--imported]

The built-in network gets eight weeks of simulated history first, as in the demonstration. Where ../shared/data is
there, the official-style files are also loaded in its place and planned without history.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import date
from pathlib import Path

from fleet import importing
from fleet import network as national
from fleet.calendar import local_instant, week_of
from fleet.planner import totals, unserved
from fleet.simulation.history import load_history
from fleet.store import Plan
from queueing.store import Base
from web.app import create_app
from web.db import read, write
from web.nightly import forecast_week
from web.settings import from_environment
from web.solving import new_draft, solve_now

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FILES = ("governorates.csv", "local_units.csv", "new_cities.csv", "places_wof_localities.csv")
WEEK = week_of(date(2026, 11, 22))


class Eve:
    """A clock that stands at the beginning of the planned week."""

    def now(self):  # type: ignore[no-untyped-def]
        """The week's first midnight."""
        return local_instant(WEEK, 0)


def plan_a_week(name: str, seconds: float, files: list[Path] | None) -> str:
    """Build, forecast, plan; one row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DATA_DIR": folder, "DATABASE_URL": "", "DEMO": "0"}
        app = create_app(from_environment(environment), time_source=Eve())
        with app.app_context():
            Base.metadata.create_all(app.extensions["writer"].engine)
            now = local_instant(WEEK, 0)
            if files:
                write(lambda session: importing.import_files(session, files, now=now))
            else:
                write(lambda session: national.build(session, seed=7, now=now))
                load_history(app.extensions["writer"], seed=7, until=WEEK, now=now)
            forecast_week(WEEK, now)
            started = time.monotonic()
            plan_id = new_draft(WEEK, seconds=seconds, seed=7, actor="bench")
            status = solve_now(plan_id)
            whole = time.monotonic() - started
            plan = read().get_one(Plan, plan_id)
            if status != "draft":
                return f"| {name} | {status}: {plan.message} |"
            figures = totals(read(), plan)
            gap = (plan.bound - plan.objective) / plan.bound if plan.bound else float("nan")
            ratio = figures.hours_saved / plan.baseline_hours if plan.baseline_hours else float("nan")
            candidates = figures.places + len(unserved(read(), plan))
            return (
                f"| {name} | {candidates:,} | {figures.hours_saved:,.0f} | {plan.baseline_hours:,.0f} | {ratio:.2f} | "
                f"{figures.centers} | {100 * gap:.2f}% | {seconds:.0f} s | {whole:.0f} s |"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--imported", action="store_true", help="only the imported network")
    chosen = parser.parse_args()
    print(
        "| network | candidates | hours saved | biggest towns in turn | ratio | vans | gap | solving | in all |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    if not chosen.imported:
        print(plan_a_week("built-in, with history", chosen.seconds, None), flush=True)
    if SHARED.exists():
        print(plan_a_week("imported local units and villages", 60.0, [SHARED / f for f in FILES]), flush=True)
    else:
        print(f"| imported | skipped: {SHARED} is not there |")


if __name__ == "__main__":
    main()
