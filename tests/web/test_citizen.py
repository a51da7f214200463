"""The citizen finds the next visit near, and reads the visit's page: no scripts, both languages, small."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from fleet.store import Center, Site, Visit
from queueing import counter, desks
from queueing.store import Desk, Queue
from tests.web.world import NOW, TODAY, StillClock, World
from web.citizen.find import read_near
from web.citizen.situation import minutes_down, minutes_up, range_words

Write = Callable[[Callable[[Any], Any]], Any]
NEAR_VILLAGE = "/?near=24.5,32.92"


def text(client: FlaskClient, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status, f"{url}: {answer.status_code}"
    return answer.get_data(as_text=True)


def fill(world: World, people: int, *, desks_open: int = 1) -> Callable[[Any], None]:
    """People waiting at the visit of today."""

    def work(session: Any) -> None:
        queue = session.get(Queue, world.queue_visit_a)
        for desk_id in world.desks_visit_a[:desks_open]:
            desks.open_desk(session, session.get(Desk, desk_id), actor="test", now=NOW)
        for n in range(people):
            counter.issue(session, queue, "NID-01", request_id=f"fill-{n}", actor="test", now=NOW)

    return work


def test_location_in_the_address_lists_the_visit_with_place_hours_distance_and_line(
    client: FlaskClient, world: World, write: Write
) -> None:
    """A card carries center, place, hours, landmark, step-free, distance, open now, people, wait and its time."""
    write(fill(world, 7))
    page = text(client, "/en" + NEAR_VILLAGE)
    for needed in (
        "El Raghama", "09:00–14:00", "Beside the school", "Aswan mobile center 1", "No steps", "50 m", "Open now",
        "7 people waiting", "minutes", "10:00", f"/en/visits/{world.visit_a}", "Today",
    ):  # fmt: skip
        assert needed in page, needed


@pytest.mark.parametrize(
    ("language", "words"), [("", "لا أحد ينتظر · الانتظار: "), ("/en", "Nobody is waiting · wait: ")]
)
def test_an_empty_line_is_said_in_words_and_the_wait_is_called_a_wait(
    client: FlaskClient, world: World, write: Write, language: str, words: str
) -> None:
    """No `0 people waiting · less than a minute`, of which nobody knows what takes less than a minute."""
    write(fill(world, 0))
    assert words in text(client, language + NEAR_VILLAGE)


def test_results_are_by_day_and_within_a_day_by_distance(
    client: FlaskClient, world: World, write: Write
) -> None:
    """Today stands before tomorrow even when tomorrow's is nearer; on one day the nearer one comes first."""

    def more(session: Any) -> None:
        old = session.get(Visit, world.visit_b)
        for number, (site_id, days) in enumerate(((world.village_a2, 0), (world.village_a, 1))):
            queue = Queue(name_ar="ز", name_en="V")
            session.add(queue)
            session.flush()
            session.add(
                Visit(
                    center_id=old.center_id, site_id=site_id, queue_id=queue.id, day=TODAY + timedelta(days=days),
                    opens_at=NOW + timedelta(days=days, hours=number), closes_at=NOW + timedelta(days=days, hours=4),
                )
            )  # fmt: skip

    write(more)
    page = text(client, "/en/?near=24.4,32.93")
    cards = re.findall(r'/en/visits/\d+">([^<]+)</a></h3>', page)
    assert cards == ["Iqlit", "El Raghama", "El Raghama", "Ezbet El Haggana"]


@pytest.mark.parametrize("typed", ["الرغامه", "الرغامة", "رغامة", "El Raghama", "raghamah", "EL-RAGHAMA"])
def test_a_typed_place_leads_straight_to_its_visits_in_either_script(client: FlaskClient, typed: str) -> None:
    """One typed name, however spelt, is the whole search: no further choice."""
    answer = client.get("/", query_string={"q": typed})
    page = answer.get_data(as_text=True)
    assert "قرية الرغامة" in page and "مفتوح الآن" in page


def test_an_unknown_place_is_said_kindly_and_keeps_what_was_typed(client: FlaskClient) -> None:
    """Nothing found: a sentence with a way on, the typed text still in its field, escaped."""
    page = client.get("/", query_string={"q": 'xqzw"<b>'}).get_data(as_text=True)
    assert "لم نجد مكانًا" in page and "xqzw&#34;&lt;b&gt;" in page and "<b>" not in page.split("xqzw")[1][:20]


def test_governorate_then_local_unit_are_two_choices(client: FlaskClient, world: World) -> None:
    """Without a location and without typing: choose the governorate, then the local unit, and the list is there."""
    first = text(client, "/en/")
    assert f'<option value="{world.governorate_a}">Aswan</option>' in first
    second = text(client, f"/en/?gov={world.governorate_a}")
    link = re.search(r'href="(/en/\?unit=\d+)">Kom Ombo', second)
    assert link, "no link to the local unit"
    assert "El Raghama" in text(client, link[1])


def test_a_governorate_typed_by_name_offers_its_local_units(client: FlaskClient) -> None:
    """`Cairo` is too wide for a distance: its parts are offered."""
    page = text(client, "/en/?q=Cairo")
    assert "Nasr City" in page and "unit=" in page


@pytest.mark.parametrize("near", ["", "abc", "1;2", "91,20", "24.5", "nan,nan", "1e400,3"])
def test_a_location_that_is_none_is_not_believed(client: FlaskClient, near: str) -> None:
    """Broken coordinates give the question again, never an error page."""
    assert read_near(near) is None
    assert 'name="q"' in text(client, f"/?near={near}")


@pytest.mark.parametrize(
    "query", ["unit=999999", "site=x", "gov=99999999999999999", "near=24,32&after=zz", "unit=-1"]
)
def test_cut_off_links_never_break_the_first_page(client: FlaskClient, query: str) -> None:
    """A link that lost a part shows the first page or the first results."""
    text(client, f"/?{query}")


def test_a_cancelled_visit_stays_struck_through_with_its_reason_and_the_next_one(
    client: FlaskClient, world: World, write: Write
) -> None:
    """Nobody waits in vain: the card and the page say cancelled, why, and when the next visit is."""

    def cancel(session: Any) -> None:
        visit = session.get(Visit, world.visit_b)
        visit.status, visit.reason_en, visit.reason_ar = "cancelled", "Road closed", "الطريق مغلق"
        queue = Queue(name_ar="ز", name_en="V")
        session.add(queue)
        session.flush()
        later = NOW + timedelta(days=3)
        session.add(
            Visit(
                center_id=visit.center_id, site_id=visit.site_id, queue_id=queue.id, day=later.date(), opens_at=later,
                closes_at=later + timedelta(hours=3),
            )
        )  # fmt: skip

    write(cancel)
    listed = text(client, "/en/?near=30.07,31.38")
    assert "<s>Ezbet El Haggana</s>" in listed and "Road closed" in listed
    assert "The next visit here:" in listed and "Wednesday 25 November" in listed
    page = text(client, f"/en/visits/{world.visit_b}")
    assert "This visit is cancelled." in page and "Road closed" in page and "Wednesday 25 November" in page
    assert page.index("This visit is cancelled.") < page.index("<h1>"), "the notice stands on top"
    assert "Add to my calendar" not in page


def test_a_changed_visit_says_what_was_announced_before(
    client: FlaskClient, world: World, write: Write
) -> None:
    """The change notice shows the earlier time beside the new one, above everything."""

    def change(session: Any) -> None:
        visit = session.get(Visit, world.visit_b)
        visit.previous_opens_at = visit.opens_at - timedelta(days=1, hours=1)

    write(change)
    page = text(client, f"/en/visits/{world.visit_b}")
    assert page.index("The time of this visit has changed.") < page.index("<h1>")
    assert "Sunday 22 November" in page and "08:30" in page


def test_the_visit_page_says_what_to_bring_how_to_get_there_and_how_full_it_is(
    client: FlaskClient, world: World, write: Write
) -> None:
    """Services with documents, directions by geo:, the calendar file, the line, a link for people without scripts."""
    write(fill(world, 3))
    page = text(client, f"/visits/{world.visit_a}")
    for needed in (
        "بطاقة الرقم القومي", "أصل بطاقة الرقم القومي", "geo:24.50000,32.92000", f"/feeds/visits/{world.visit_a}.ics",
        "عدد المنتظرين", f"/queues/{world.queue_visit_a}/take", "<noscript>", 'dir="rtl"',
    ):  # fmt: skip
        assert needed in page, needed


def test_a_late_center_is_said_before_it_opens(client: FlaskClient, world: World, write: Write) -> None:
    """On its way and late: the page says by how much."""

    def late(session: Any) -> None:
        session.get(Center, world.center_b).late_minutes = 25

    write(late)
    assert "late by about 25 minutes" in text(client, f"/en/visits/{world.visit_b}/status")


def test_an_unknown_visit_or_center_is_a_plain_404(client: FlaskClient, world: World) -> None:
    """Also a village is no center of its own."""
    for url in ("/visits/99999", "/visits/99999/status", "/centers/99999", f"/centers/{world.village_a}"):
        assert client.get(url).status_code == 404, url


def test_the_status_piece_answers_304_until_something_changes(
    client: FlaskClient, world: World, write: Write, clock: StillClock
) -> None:
    """A phone that polls pays a few bytes, and hears for which time its picture still holds."""
    write(fill(world, 2))
    url = f"/visits/{world.visit_a}/status"
    first = client.get(url)
    assert first.status_code == 200 and first.headers["X-As-Of"] == "10:00"
    clock.advance(minutes=1)
    again = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["X-As-Of"]) == (304, b"", "10:01")
    write(
        lambda session: counter.issue(
            session,
            session.get(Queue, world.queue_visit_a),
            "NID-01",
            request_id="one-more",
            actor="t",
            now=NOW,
        )
    )
    changed = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200 and changed.headers["ETag"] != first.headers["ETag"]
    english = client.get("/en" + url, headers={"If-None-Match": changed.headers["ETag"]})
    assert english.status_code == 200, "the other language is another picture"


def test_many_phones_at_one_queue_cost_one_count(
    client: FlaskClient, world: World, app: Flask, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    """The picture of a queue is computed once for everybody who asks within five seconds, and anew after a change."""
    from web.citizen import situation as module

    asked: list[int] = []
    real = module.public_status
    monkeypatch.setattr(module, "public_status", lambda s, q, now: (asked.append(q.id), real(s, q, now))[1])
    for _ in range(5):
        client.get(f"/visits/{world.visit_a}/status")
    assert len(asked) == 1
    write(fill(world, 1))
    page = client.get(f"/en/visits/{world.visit_a}/status").get_data(as_text=True)
    assert len(asked) == 2 and "<dd>1</dd>" in page


def test_figures_older_than_two_minutes_can_be_told(app: Flask) -> None:
    """What `old` means: more than two minutes, not less."""
    from web.citizen.situation import Situation

    picture = Situation(1, "open", 3, 1, 5, 10, NOW, 1)
    assert not picture.old(NOW + timedelta(seconds=119)) and picture.old(NOW + timedelta(seconds=121))


def test_a_fixed_center_shows_its_queues_and_when_it_opens(
    client: FlaskClient, world: World, write: Write, clock: StillClock
) -> None:
    """Open: the line and a ticket. Closed on Thursday evening: opens on Sunday at 08:30, not on Friday or Saturday."""
    page = text(client, f"/en/centers/{world.site_b}")
    assert "Civil registry" in page and "Local unit" in page and f"/en/queues/{world.queue_b}/take" in page

    def close(session: Any) -> None:
        for queue_id in (world.queue_b, world.queue_b2):
            session.get(Queue, queue_id).state = "closed"

    write(close)
    clock.set(NOW + timedelta(days=4, hours=8))
    closed = text(client, f"/en/centers/{world.site_b}")
    assert "Sunday 29 November" in closed and "08:30" in closed
    assert "/take" not in closed


def test_the_nearest_fixed_centers_stand_under_the_visits(client: FlaskClient, world: World) -> None:
    """Two of them, nearest first, with the line of now."""
    page = text(client, "/en/?near=24.09,32.90")
    assert page.index("Aswan technology center") < page.index("Kom Ombo technology center")
    assert f"/en/centers/{world.site_a}" in page and "Nasr City complex" not in page


@pytest.mark.parametrize("language", ["", "/en"])
def test_first_load_is_at_most_14_kb_and_all_of_it_30(
    client: FlaskClient, world: World, write: Write, language: str
) -> None:
    """HTML and CSS gzipped at most 14 KB, everything a page loads at most 30 KB; no font, no picture but the icon."""
    write(fill(world, 4))
    for url in ("/", NEAR_VILLAGE, f"/visits/{world.visit_a}", f"/queues/{world.queue_visit_a}/take"):
        page = client.get(language + url).get_data()
        html = page.decode()
        parts = re.findall(
            r'(?:<link rel="stylesheet" href|<script src|<img src|<link rel="icon" href)="([^"]+)"', html
        )
        loaded = {part: len(gzip.compress(client.get(part).data)) for part in parts}
        first = len(gzip.compress(page)) + sum(size for part, size in loaded.items() if ".css" in part)
        assert first <= 14_000 and sum(loaded.values()) + len(gzip.compress(page)) <= 30_000, (url, loaded)
        assert "@font-face" not in "".join(client.get(p).get_data(as_text=True) for p in parts)
        assert "http://" not in html.replace("http://localhost", "") and "https://" not in html


def test_every_page_offers_the_other_language_of_itself(client: FlaskClient, world: World) -> None:
    """The switch keeps the page and its question."""
    assert 'href="/en/?near=24.5,32.92"' in text(client, NEAR_VILLAGE)
    assert f'href="/visits/{world.visit_a}"' in text(client, f"/en/visits/{world.visit_a}")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (None, None, ""), (0, 1, "less than a minute"), (0, 9, "less than 9 minutes"), (3, 3, "about 3 minutes"),
        (4, 11, "4 to 11 minutes"), (20, 80, "20 to 80 minutes"), (45, 175, "45 minutes to 3 hours"),
        (5, 130, "less than 3 hours"), (130, 170, "2 to 3 hours"), (120, 120, "2 to 3 hours"),
    ],
)  # fmt: skip
def test_a_wait_is_said_as_a_range(app: Flask, low: int | None, high: int | None, words: str) -> None:
    """Minutes up to two hours, then hours; never a single false precision."""
    with app.test_request_context("/", environ_overrides={"product.language": "en"}):
        assert range_words(low, high) == words


def test_arabic_counts_in_its_own_way(app: Flask) -> None:
    """One, two, a few and many minutes each have their form."""
    with app.test_request_context("/"):
        assert range_words(1, 2) == "من دقيقة إلى دقيقتين"
        assert range_words(3, 7) == "من 3 إلى 7 دقائق"
        assert range_words(5, 14) == "من 5 إلى 14 دقيقة"
        assert range_words(60, 120) == "من ساعة إلى ساعتين"


@pytest.mark.parametrize("seconds", [0, 59, 61, 880, 901, 1000, 3599, 7201])
def test_rounding_never_narrows_the_promise(seconds: int) -> None:
    """The low end goes down, the high end goes up."""
    assert minutes_down(seconds) * 60 <= seconds <= minutes_up(seconds) * 60


def test_a_village_without_visits_says_so(client: FlaskClient, world: World, write: Write) -> None:
    """An empty list is a sentence, and the fixed centers are still there."""
    write(lambda session: [session.delete(visit) for visit in session.scalars(select(Visit))])
    page = text(client, f"/en/?site={world.village_a}")
    assert "No visits have been announced" in page and "Kom Ombo technology center" in page


def test_a_page_of_results_leads_on_to_the_rest(client: FlaskClient, world: World, write: Write) -> None:
    """More than ten visits: the rest is one link away, nothing twice and nothing lost."""

    def many(session: Any) -> None:
        for number in range(14):
            queue = Queue(name_ar="ز", name_en="V")
            session.add(queue)
            session.flush()
            start = NOW + timedelta(days=2 + number)
            session.add(
                Visit(
                    center_id=world.center_a, site_id=world.village_a2, queue_id=queue.id, day=start.date(),
                    opens_at=start, closes_at=start + timedelta(hours=2),
                )
            )  # fmt: skip

    write(many)
    url, seen = "/en/?near=24.4,32.93", []
    for _page in range(4):
        page = text(client, url)
        seen += re.findall(r'<h3><a href="/en/visits/(\d+)"', page)
        link = re.search(r'href="([^"]+)">Later and farther visits', page)
        if not link:
            break
        url = link[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 16


def test_names_of_places_are_escaped(client: FlaskClient, world: World, write: Write) -> None:
    """A name from an imported file is text, never markup."""
    write(lambda session: setattr(session.get(Site, world.village_a), "name_en", "<i>Raghama</i>"))
    assert "<i>" not in text(client, "/en" + NEAR_VILLAGE)
