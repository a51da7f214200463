"""Calendar files: what a phone reads out of them is what the pages say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from icalendar import Calendar

from fleet.store import Visit
from tests.web.world import NOW, World

Write = Callable[[Callable[[Any], Any]], Any]


def events(client: FlaskClient, url: str) -> list[Any]:
    """The events of a feed, read back by the library."""
    answer = client.get(url)
    assert answer.status_code == 200 and answer.mimetype == "text/calendar"
    return list(Calendar.from_ical(answer.data).walk("VEVENT"))


def test_a_visits_file_says_when_where_and_how_to_come_back(client: FlaskClient, world: World) -> None:
    """Start and end as instants, place, position, link to the page, Arabic and English."""
    (event,) = events(client, f"/en/feeds/visits/{world.visit_a}.ics")
    assert event.decoded("dtstart") == NOW - timedelta(hours=1)
    assert event.decoded("dtend") == NOW + timedelta(hours=4)
    assert str(event["summary"]) == "Service center: El Raghama"
    assert str(event["location"]) == "El Raghama, Beside the school, Kom Ombo, Aswan"
    assert event["geo"].to_ical() == "24.5;32.92"
    assert str(event["url"]) == f"http://localhost/en/visits/{world.visit_a}"
    assert str(event["status"]) == "CONFIRMED"
    (arabic,) = events(client, f"/feeds/visits/{world.visit_a}.ics")
    assert "قرية الرغامة" in str(arabic["summary"]) and arabic["uid"] == event["uid"]


def test_a_cancelled_or_moved_visit_replaces_itself_in_the_calendar(
    client: FlaskClient, world: World, write: Write
) -> None:
    """Same UID, higher sequence, cancelled: the phone's calendar strikes it through."""
    (before,) = events(client, f"/feeds/visits/{world.visit_b}.ics")

    def cancel(session: Any) -> None:
        visit = session.get(Visit, world.visit_b)
        visit.status, visit.changed_at, visit.reason_ar = "cancelled", NOW, "الطريق مغلق"

    write(cancel)
    (after,) = events(client, f"/feeds/visits/{world.visit_b}.ics")
    assert after["uid"] == before["uid"] and after["sequence"] > before["sequence"]
    assert str(after["status"]) == "CANCELLED" and "الطريق مغلق" in str(after["description"])


def test_a_places_feed_holds_its_visits_and_is_revalidated(
    client: FlaskClient, world: World, write: Write
) -> None:
    """To subscribe to: all visits of the place, none of another; 304 while nothing has changed."""
    url = f"/feeds/sites/{world.village_a}.ics"
    assert [str(e["uid"]) for e in events(client, url)] == [f"visit-{world.visit_a}@localhost"]
    first = client.get(url)
    assert client.get(url, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304

    def move(session: Any) -> None:
        visit = session.get(Visit, world.visit_a)
        visit.closes_at, visit.changed_at = NOW + timedelta(hours=5), NOW

    write(move)
    assert client.get(url, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_unknown_things_have_no_calendar(client: FlaskClient) -> None:
    """404 for visits and places that do not exist."""
    assert client.get("/feeds/visits/99999.ics").status_code == 404
    assert client.get("/feeds/sites/99999.ics").status_code == 404
