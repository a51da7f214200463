"""The migrations bring an empty database to exactly the tables of the code, on both databases."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import upgrade
from sqlalchemy import Engine, inspect

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


def test_there_is_one_head() -> None:
    """Two branches of migrations would leave an installation in doubt."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1


def _fields(settings: object) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.__slots__}  # type: ignore[attr-defined]
