"""The front page of figures and its twins for programs: what the night counted, in words, charts and tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from tests.web import world as cast
from tests.web.past import a_quarter, add_hours
from web import figures
from web.api.figures import FIGURES
from web.api.schema import check
from web.api.shapes import COMPONENTS


@pytest.fixture
def counted(app: Flask, world: cast.World, write: Callable[..., Any]) -> FlaskClient:
    """Ten weeks that are over, counted; somebody who looks at them."""
    write(
        lambda session: a_quarter(
            session, [world.queue_a, world.queue_b], next(iter(world.services.values())),
            [(world.center_a, world.village_a), (world.center_b, world.village_b)], cast.TODAY,
        )
    )  # fmt: skip
    with app.app_context():
        figures.renew(cast.NOW, play=False)
    return app.test_client()


def test_before_the_first_night_the_page_says_so(client: FlaskClient) -> None:
    """No figures is a state of its own: a page, no error; programs are told 404."""
    page = client.get("/en/figures")
    assert page.status_code == 200 and "There are no figures yet" in page.text
    assert (
        client.get("/api/v1/public-figures").status_code == 404
        and client.get("/figures.csv").status_code == 404
    )


def test_the_page_says_each_figure_with_definition_source_and_time(counted: FlaskClient) -> None:
    """Six facts, each with how it is counted; charts with the same figures in a table beside them."""
    text = counted.get("/en/figures").text
    found = counted.get("/api/v1/public-figures").json
    total = found["areas"][""]["total"]
    assert f">{total['served']:,}<" in text
    assert f"{round(100 * total['satisfied']['share'])}%" in text
    low, high = (round(100 * total["satisfied"][edge]) for edge in ("low", "high"))
    assert f'between <bdi dir="ltr">{low}%</bdi> and <bdi dir="ltr">{high}%</bdi>' in text
    facts = re.findall(r'<section class="fact">.*?</section>', text, re.S)
    counted_so = [fact for fact in facts if "How this is counted" in fact]
    assert len(counted_so) >= 5 and all("Source:" in fact and "Counted on" in fact for fact in counted_so)
    charts = re.findall(r'<svg class="chart".*?</svg>', text, re.S)
    assert len(charts) == 4 and all('role="img" aria-label="' in chart for chart in charts)
    tables = re.findall(r"The same as a table</summary>.*?</table>", text, re.S)
    assert len(tables) == 4
    for week in found["areas"][""]["weeks"]:
        assert f"<td>{week['served']:,}</td>" in tables[0] and f">{week['served']:,}</text>" in charts[0]


def test_a_governorate_has_its_own_page_and_an_unknown_one_none(counted: FlaskClient) -> None:
    text = counted.get("/en/figures?governorate=EG-ASN").text
    found = counted.get("/api/v1/public-figures").json["areas"]["EG-ASN"]
    assert "Aswan in figures" in text and f">{found['total']['served']:,}<" in text
    assert "By governorate" not in text
    assert counted.get("/figures?governorate=EG-XX").status_code == 404


def test_the_table_has_every_figure_of_the_document(counted: FlaskClient) -> None:
    """CSV and JSON agree; a figure that is not told has no row."""
    rows = list(csv.DictReader(io.StringIO(counted.get("/figures.csv").text)))
    found = counted.get("/api/v1/public-figures").json
    for key, area in found["areas"].items():
        for cell in (area["total"], *area["weeks"]):
            mine = {
                row["figure"]: row
                for row in rows
                if (row["area"], row["week"]) == (key, cell.get("week", ""))
            }
            assert (int(mine["served"]["value"]) if "served" in mine else None) == cell["served"]
            share = cell["satisfied"]
            assert ("satisfied" in mine) == (share is not None)
            if share:
                assert [float(mine["satisfied"][name]) for name in ("value", "low", "high")] == [
                    share["share"], share["low"], share["high"],
                ]  # fmt: skip
    (answer,) = (operation.answers[200] for operation in FIGURES)
    assert answer.schema is not None and check(answer.schema, found, COMPONENTS) == []


def test_few_people_are_called_too_few(app: Flask, world: cast.World, write: Callable[..., Any]) -> None:
    """What is hidden is said to be hidden, and stands nowhere on the page or in the twins."""
    day = local_day(cast.NOW).replace(day=15)
    write(
        lambda session: (
            add_hours(session, world.queue_a, day, 3),
            add_hours(session, world.queue_b, day, 68),
        )
    )
    with app.app_context():
        figures.renew(cast.NOW, play=False)
    client = app.test_client()
    text = client.get("/en/figures").text
    assert "too few" in text and ">71<" in text and ">68" not in text
    assert "68" not in [row.split(",")[3] for row in client.get("/figures.csv").text.splitlines()]


def test_a_view_asks_the_database_once(counted: FlaskClient, app: Flask) -> None:
    """Whatever has been counted, the page reads the one stored value."""
    asked: list[str] = []
    engine = app.extensions["writer"].engine
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, statement, *_more: asked.append(statement))
    counted.get("/figures")
    assert len([statement for statement in asked if statement.lstrip().startswith("SELECT")]) == 1, asked


def test_hours_of_a_week_stay_once_played(app: Flask, write: Callable[..., Any], world: cast.World) -> None:
    """The playing of a week is kept beside the figures; later nights do not play it again."""
    from fleet.store import Plan, Setting

    def before(session: Session) -> None:
        session.add(
            Plan(week=cast.TODAY.replace(day=21), status="published", created_at=cast.NOW, created_by="t")
        )
        mean = {"mean": 812.3, "low": 790.0, "high": 834.6}
        session.add(Setting(key=figures.PLAYED, value={"2026-11-21": mean}))

    write(before)
    with app.app_context():
        figures.renew(cast.NOW)  # would fail to play a plan without a problem
    text = app.test_client().get("/en/figures").text
    assert "Hours saved in the week from 21 Nov" in text and ">812<" in text
    assert "between 790 and 835, with 95% certainty" in text


def test_the_first_page_leads_there(client: FlaskClient) -> None:
    assert 'href="/en/figures"' in client.get("/en/").text
