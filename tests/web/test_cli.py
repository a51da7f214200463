"""`flask --app wsgi ...`: each command prints what it made, as JSON with --json, and says plainly what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select

from fleet.store import Plan, Site, Visit
from tests.routing.referee import load_referee, needs_referee
from tests.web import world as cast
from tests.web.planned import WEEK, copy_planned, make_planned
from web.accounts import Account, check_password, find_token
from web.app import create_app


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cast with a solved draft, made once."""
    template, _world = cast.make_template(tmp_path_factory.mktemp("template"))
    return make_planned(template, tmp_path_factory.mktemp("planned"))


@pytest.fixture
def planned_app(planned: Path, tmp_path: Path) -> Iterator[Flask]:
    """The application over a fresh copy of the planned week."""
    copy_planned(planned, tmp_path / "test.db")
    made = create_app(cast.settings_for(tmp_path), time_source=cast.StillClock())
    yield made
    made.extensions["writer"].engine.dispose()


def run(app: Flask, *words: str) -> Result:
    """Run one command."""
    return app.test_cli_runner().invoke(args=list(words))


def made_by(app: Flask, *words: str) -> dict[str, Any]:
    """What a command prints with --json."""
    result = run(app, *words, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.output)
    return answer


def test_an_account_is_made_and_its_password_works(app: Flask, db_session: Any) -> None:
    """`user add --password -` prints a random password that opens the account."""
    site = db_session.scalar(select(Site.code).where(Site.kind == "fixed"))
    made = made_by(app, "user", "add", "amal", "--role", "clerk", "--site", site, "--password", "-")
    db_session.rollback()
    account = db_session.scalars(select(Account).where(Account.name == "amal")).one()
    assert check_password(account, made["password"])
    assert account.site_id is not None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["amal", "--role", "clerk", "--password", "long enough"], "belongs to one site"),
        (["amal", "--role", "clerk", "--site", "NO-SUCH", "--password", "long enough"], "NO-SUCH"),
        (["clerk", "--role", "planner", "--password", "long enough"], "is taken"),
        (["amal", "--role", "planner", "--password", "short"], "at least 8"),
    ],
)
def test_a_wrong_account_is_refused_in_a_sentence(app: Flask, words: list[str], says: str) -> None:
    """Bad input ends with a non-zero code and a sentence that names what is wrong, not with a traceback."""
    result = run(app, "user", "add", *words)
    assert result.exit_code != 0
    assert says in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("kind", "option", "number"),
    [
        ("kiosk", "--queue", "queue_a"),
        ("board", "--queue", "queue_a"),
        ("desk", "--desk", "desk"),
        ("device", "--center", "center_a"),
    ],
)
def test_a_token_is_made_for_each_kind_of_machine(
    app: Flask, world: cast.World, db_session: Any, kind: str, option: str, number: str
) -> None:
    """The printed token is valid, of its kind, and bound to what was named; only its digest is stored."""
    target = world.desks_a[0] if number == "desk" else getattr(world, number)
    made = made_by(app, "token", kind, option, str(target))
    token = find_token(db_session, made["token"], (kind,))
    assert token is not None
    assert target in (token.queue_id, token.desk_id, token.center_id)
    assert made["token"] not in (token.digest, token.label)


def test_a_token_for_nothing_is_refused(app: Flask) -> None:
    """A queue that does not exist gets no kiosk."""
    result = run(app, "token", "kiosk", "--queue", "99999")
    assert result.exit_code != 0
    assert "99999" in result.output


@needs_referee
def test_a_plan_is_exported_and_the_referee_agrees(planned_app: Flask, tmp_path: Path) -> None:
    """`plan export` writes a problem and a plan that an independent referee finds feasible."""
    problem, plan = tmp_path / "p.json", tmp_path / "q.json"
    made_by(planned_app, "plan", "export", "1", "--problem", str(problem), "--out", str(plan))
    faults, objective = load_referee().check(json.loads(problem.read_text()), json.loads(plan.read_text()))
    assert faults == []
    assert objective == json.loads(plan.read_text())["objective"]


def test_a_plan_is_published_once(planned_app: Flask) -> None:
    """`plan publish` announces the draft's visits; a second time changes nothing."""
    made = made_by(planned_app, "plan", "publish", "1")
    with planned_app.app_context():
        from web.db import read

        announced = read().scalar(select(func.count()).select_from(Visit).where(Visit.day >= WEEK))
        assert announced == made["created"] > 0
        assert read().get_one(Plan, 1).status == "published"
        read().rollback()
    assert made_by(planned_app, "plan", "publish", "1")["created"] == 0


def test_a_week_is_played_against_both_baselines(planned_app: Flask) -> None:
    """`simulate` prints hours saved with intervals, the same for the same seed, and refuses what it cannot play."""
    words = ("simulate", "--plan", "1", "--runs", "4", "--seed", "7")
    made = made_by(planned_app, *words)
    for name in ("saved_against_no_vans", "saved_against_towns", "towns_against_no_vans"):
        one = made[name]
        assert one["low"] <= one["mean"] <= one["high"]
    assert made["saved_against_no_vans"]["low"] > 0
    assert made == made_by(planned_app, *words)
    assert "person-hours saved against no vans" in run(planned_app, *words).output
    refused = run(planned_app, "simulate", "--plan", "99")
    assert refused.exit_code == 1 and "there is no plan 99" in refused.output
    assert run(planned_app, "simulate", "--plan", "1", "--runs", "0").exit_code == 2


def test_a_week_is_drafted_from_the_command_line(planned_app: Flask) -> None:
    """`plan draft` forecasts, solves in a child process and keeps a draft beside the one that is there."""
    made = made_by(planned_app, "plan", "draft", "--week", WEEK.isoformat(), "--seconds", "2")
    assert made["status"] == "draft"
    assert made["id"] != 1
    assert made["visits"] > 0
    assert made["bound"] >= made["objective"]


def test_unknown_plans_are_refused(app: Flask) -> None:
    """Publishing or exporting what does not exist says so."""
    for words in (("plan", "publish", "77"), ("plan", "export", "77")):
        result = run(app, *words)
        assert result.exit_code != 0
        assert "no plan 77" in result.output


def test_a_broken_file_is_refused_and_named(app: Flask, tmp_path: Path, db_session: Any) -> None:
    """`network import` of a file without its columns changes nothing, names the file, and exits non-zero."""
    before = db_session.scalar(select(func.count()).select_from(Site))
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("name,colour\nAswan,blue\n", encoding="utf-8")
    result = run(app, "network", "import", str(wrong))
    assert result.exit_code != 0
    assert "wrong.csv" in result.output
    db_session.rollback()
    assert db_session.scalar(select(func.count()).select_from(Site)) == before


def test_the_jobs_are_listed(app: Flask) -> None:
    """`jobs list` shows every job; an unknown one is refused."""
    listed = run(app, "jobs", "list")
    assert listed.exit_code == 0
    assert "weekly_draft" in listed.output
    assert run(app, "jobs", "run", "nothing").exit_code != 0


def test_files_that_cannot_be_written_and_ids_that_cannot_be_are_a_sentence(
    planned_app: Flask, tmp_path: Path
) -> None:
    """Exit code above 0 and words, never a traceback."""
    for words in (
        ("plan", "export", "1", "--problem", str(tmp_path / "no" / "folder.json")),
        ("plan", "publish", "9" * 25),
        ("token", "kiosk", "--queue", "9" * 25),
    ):
        result = run(planned_app, *words)
        assert result.exit_code > 0
        assert isinstance(result.exception, SystemExit), result.exception
        assert "Error: " in result.output


def test_without_a_schema_a_command_says_how_to_make_it(tmp_path: Path) -> None:
    """An empty database is a sentence, not a traceback."""
    made = create_app(cast.settings_for(tmp_path, "empty.db"), time_source=cast.StillClock())
    result = run(made, "plan", "publish", "1")
    made.extensions["writer"].engine.dispose()
    assert result.exit_code == 1
    assert "db upgrade" in result.output


def test_reset_deletes_only_a_folder_of_this_product(tmp_path: Path) -> None:
    """A mistyped DATA_DIR costs nobody their files; a real data folder goes."""
    script = Path(__file__).parents[2] / ".ci" / "reset"
    other, own = tmp_path / "photos", tmp_path / "var"
    for folder, name in ((other, "cat.jpg"), (own, "secret_key")):
        folder.mkdir()
        (folder / name).write_text("x")
    yes = {**os.environ, "YES": "1"}
    assert subprocess.run([script, other], env=yes, capture_output=True).returncode == 1
    assert (other / "cat.jpg").exists()
    assert subprocess.run([script, own], env=yes, capture_output=True).returncode == 0
    assert not own.exists()
