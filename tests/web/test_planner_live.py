"""Congestion, places and the live list: what happened beside what was forecast, and where the centers are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from fleet.store import Center, ForecastHour, VisitValue
from queueing import counter
from queueing.store import Queue, QueueHour
from tests.web import world as cast

Write = Callable[[Callable[[Session], Any]], Any]


@pytest.fixture
def client(login: Callable[..., FlaskClient]) -> FlaskClient:
    """The planner at work."""
    return login("planner")


@pytest.fixture
def crowded(write: Write, world: cast.World) -> None:
    """Aswan at 09:00: 40 came, 32 of them waited over half an hour, where 20 were forecast; 11:00 is still ahead."""

    def work(session: Session) -> None:
        for queue_id, hour, arrivals, level in (
            (world.queue_a, 9, 20.0, 1),
            (world.queue_a, 11, 30.0, 3),
            (world.queue_b, 11, 5.0, 0),
        ):
            session.add(
                ForecastHour(
                    queue_id=queue_id, day=cast.TODAY, hour=hour, arrivals=arrivals, offered_load=2.0,
                    desks=3, level=level, made_at=cast.NOW - timedelta(hours=8),
                )
            )  # fmt: skip
        session.add(
            QueueHour(
                queue_id=world.queue_a, day=cast.TODAY, hour=9, arrivals=40, called=30, served=30, left_waiting=4,
                wait_s=40 * 45 * 60.0, wait_over=32, service_s=30 * 400.0, desk_s=3 * 3600.0, waiting_s=9000.0,
            )
        )  # fmt: skip

    write(work)


def test_congestion_says_what_happened_beside_the_forecast(client: FlaskClient, crowded: None) -> None:
    """The hour that is over: level 4 in figures and colour, mean wait, level forecast; the hour ahead: its forecast."""
    page = client.get("/en/planner/congestion").get_data(as_text=True)
    cell = page[page.index('<td class="level-4">') :].split("</td>")[0]
    assert "<b>4</b>" in cell and "45 min" in cell and "forecast 1" in cell
    ahead = page[page.index('class="level-3 ahead"') :].split("</td>")[0]
    assert "forecast" in ahead and ahead.strip().endswith("3")
    assert "40 people so far" in page and "20 people; 40 came" in page
    assert "10:00" in page  # as of when


def test_an_hour_that_may_still_rise_says_so(
    client: FlaskClient, crowded: None, clock: cast.StillClock
) -> None:
    """At ten the hour from nine may rise, half an hour later it is final; hours to come and other days say nothing."""

    def heads() -> str:
        page = client.get("/en/planner/congestion").get_data(as_text=True)
        return page[page.index("<thead>") : page.index("</thead>")]

    assert heads().count("may rise") == 1
    clock.advance(minutes=31)
    assert "may rise" not in heads()
    assert "may rise" not in client.get("/en/planner/congestion?day=2026-11-23").get_data(as_text=True)


def test_congestion_puts_the_worst_first_and_filters(
    client: FlaskClient, crowded: None, world: cast.World
) -> None:
    """Crowded Aswan stands above Cairo; a governorate's filter leaves the other out; the level is defined in words."""
    page = client.get("/en/planner/congestion").get_data(as_text=True)
    assert page.index("Aswan technology center") < page.index("Nasr City complex")
    assert "waited more than half an hour" in page
    cairo = client.get(f"/en/planner/congestion?governorate={world.governorate_b}").get_data(as_text=True)
    assert "Nasr City complex" in cairo and "Aswan technology center" not in cairo


def test_a_day_without_figures_says_so(client: FlaskClient) -> None:
    """Years ahead there is neither a forecast nor a measure."""
    assert "no figures for this day" in client.get("/en/planner/congestion?day=2031-01-05").get_data(
        as_text=True
    )


@pytest.mark.parametrize(("language", "first"), [("", "11"), ("/en", "09")])
def test_a_places_chart_runs_with_the_writing(
    client: FlaskClient, crowded: None, world: cast.World, language: str, first: str
) -> None:
    """The bars of forecast and fact are drawn, the earliest hour at the side where reading starts, figures below."""
    page = client.get(f"{language}/planner/sites/{world.site_a}").get_data(as_text=True)
    chart = page[page.index("<svg") : page.index("</svg>")]
    assert chart.count("bar-forecast") == 2 and chart.count("bar-real") == 1
    ticks = {
        part.split(">")[1][:2]: float(part.split('"')[0])
        for part in chart.split('<text x="')[1:]
        if 'y="178"' in part.split(">")[0]
    }
    assert min(ticks, key=lambda hour: ticks[hour]) == first


def test_a_village_shows_what_a_visit_would_save(
    client: FlaskClient, write: Write, world: cast.World
) -> None:
    """No queue stands there, so no chart: its values by day, and its visits."""
    write(
        lambda session: session.add(
            VisitValue(
                site_id=world.village_a, day=cast.TODAY, klass="small", stay_minutes=240, hours=123.4,
                waiting_hours=100, travel_hours=23.4, made_at=cast.NOW,
            )
        )
    )  # fmt: skip
    page = client.get(f"/en/planner/sites/{world.village_a}").get_data(as_text=True)
    assert "<svg" not in page and ">123<" in page and "MC-ASN-01" in page
    assert client.get("/planner/sites/9999").status_code == 404


@pytest.fixture
def late(write: Write, world: cast.World) -> None:
    """The van of Aswan opened 22 minutes late and was heard from at 09:40; two people wait there. Cairo's is silent."""

    def work(session: Session) -> None:
        center = session.get_one(Center, world.center_a)
        center.late_minutes, center.last_heard_at = 22, cast.NOW - timedelta(minutes=20)
        other = session.get_one(Center, world.center_b)
        other.silent, other.lat, other.lon = True, None, None
        queue = session.get_one(Queue, world.queue_visit_a)
        for n in range(2):
            counter.issue(session, queue, "NID-01", request_id=f"r-{n}", actor="test", now=cast.NOW)

    write(work)


def test_the_list_names_the_late_the_silent_and_the_waiting(
    client: FlaskClient, late: None, world: cast.World
) -> None:
    """By lateness: Aswan first with its minutes, its stop, its line and when it was heard; Cairo marked as silent."""
    page = client.get("/en/planner/live/list", headers={"X-Part": "1"}).get_data(as_text=True)
    aswan = page[page.index(f'id="c{world.center_a}"') :].split("</tr>")[0]
    assert (
        "22 minutes" in aswan
        and "El Raghama" in aswan
        and "09:40" in aswan
        and '<td class="num" data-label="Waiting">2</td>' in aswan
    )
    cairo = page[page.index(f'id="c{world.center_b}"') :].split("</tr>")[0]
    assert "not heard from" in cairo and "nothing more today" in cairo
    assert page.index(f'id="c{world.center_a}"') < page.index(f'id="c{world.center_b}"')
    assert "1 late by 15 minutes or more" in page and "2 people waiting" in page


def test_the_map_gets_positions_and_levels(
    client: FlaskClient, late: None, crowded: None, world: cast.World
) -> None:
    """Only centers with a position; the words are of the page's language; fixed places carry their level."""
    answer = client.get("/en/planner/live/positions.json")
    (van,) = answer.get_json()["centers"]
    assert (van["id"], van["late"], van["waiting"], van["next"]) == (world.center_a, 22, 2, "El Raghama")
    assert answer.headers["Cache-Control"] == "no-store"
    sites = {site["id"]: site for site in client.get("/planner/live/sites.json").get_json()["sites"]}
    assert sites[world.site_b]["level"] is None
    assert sites[world.site_a]["name"] == "المركز التكنولوجي بأسوان"


def test_the_live_page_loads_no_map_by_itself(client: FlaskClient) -> None:
    """No Leaflet script in the page: it comes with the button, from this server; the list is there without scripts."""
    page = client.get("/planner/live").get_data(as_text=True)
    assert "<script" in page and 'src="/static/vendor/leaflet' not in page
    assert "http://" not in page and "https://" not in page
    assert "MC-ASN-01" in page
