"""The migrations bring an empty database to exactly the tables of the code, on both databases."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import upgrade
from sqlalchemy import Engine, inspect, text

from queueing.store import Base
from tests.web.world import StillClock, settings_for
from web.app import create_app

MIGRATIONS = Path(__file__).parents[2] / "web" / "migrations"


def test_upgrade_makes_the_tables_of_the_code(engine: Engine, tmp_path: Path) -> None:
    """After `db upgrade` nothing is left to migrate."""
    Base.metadata.drop_all(engine)
    settings = settings_for(tmp_path)
    url = engine.url.render_as_string(hide_password=False)
    app = create_app(type(settings)(**{**_fields(settings), "database_url": url}), time_source=StillClock())
    with app.app_context():
        upgrade()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, Base.metadata) == []
        assert "ticket" in inspect(connection).get_table_names()
    app.extensions["writer"].engine.dispose()


def test_upgrade_keeps_what_a_database_holds(tmp_path: Path) -> None:
    """A plan of the first schema still has its visits after `db upgrade`, and is no scenario."""
    app = create_app(settings_for(tmp_path), time_source=StillClock())
    engine = app.extensions["writer"].engine
    with app.app_context():
        upgrade(revision="0001")
        with engine.begin() as connection:
            for table, values in FIRST_ROWS:
                names = ", ".join(values)
                places = ", ".join(f":{name}" for name in values)
                connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)
        upgrade()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM plan_visit")).scalar() == 1
        assert connection.execute(text("SELECT kind, status, changes FROM plan")).all() == [
            ("plan", "draft", "[]")
        ]
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    engine.dispose()


POINT = {"lat": 30.0, "lon": 31.0}
NAMES = {"name_ar": "أ", "name_en": "A"}
FIRST_ROWS: list[tuple[str, dict[str, object]]] = [
    ("governorate", {"id": 1, "iso": "EG-C", **NAMES, **POINT, "capital_ar": "أ", "capital_en": "A",
                     "region_ar": "", "region_en": "", "population": 1}),
    ("local_unit", {"id": 1, "code": "U", "governorate_id": 1, "kind": "markaz", **NAMES, **POINT,
                    "population": 1, "population_method": "", "source": "", "max_weeks_unvisited": 4}),
    ("site", {"id": 1, "code": "S", "kind": "village", "governorate_id": 1, "local_unit_id": 1, **NAMES, **POINT,
              "landmark_ar": "", "landmark_en": "", "search_key": "", "population": 1, "synthetic": False,
              "source": "", "step_free": True, "open_minute": 510, "close_minute": 900, "active": True}),
    ("center", {"id": 1, "code": "MC", **NAMES, "governorate_id": 1, "depot_name_ar": "", "depot_name_en": "",
                "depot_lat": 30.0, "depot_lon": 31.0, "klass": "small", "desks": 2, "shift_start": 420,
                "shift_end": 1020, "weekdays": "1111110", "setup_minutes": 20, "max_drive_minutes": 300,
                "equipment": "{}", "status": "ready", "status_reason": "", "state": "depot", "silent": False,
                "late_minutes": 0, "seq": 0}),
    ("plan", {"id": 1, "week": "2026-11-28", "status": "draft", "created_at": "2026-11-22 08:00:00",
              "created_by": "p", "seed": 1, "seconds": 60.0, "problem": b"", "solution": b"", "progress": "{}",
              "stop_requested": False, "message": "", "revision": 0, "seq": 0}),
    ("plan_visit", {"id": 1, "plan_id": 1, "center_id": 1, "site_id": 1, "day": "2026-11-28",
                    "start_minute": 540, "stay_minutes": 120, "pinned": False, "hours_saved": 1.0,
                    "drive_minutes": 1, "drive_km": 1.0}),
]  # fmt: skip
"""The least that a plan with one visit needs, as the first schema has it."""


def test_there_is_one_head() -> None:
    """Two branches of migrations would leave an installation in doubt."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1


def _fields(settings: object) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.__slots__}  # type: ignore[attr-defined]
