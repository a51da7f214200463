"""Citizens hear of visits: pages to come back to, following with consent, ending it, texts that fit, offline pages."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from fleet.planning.cancelling import cancel_visit
from fleet.store import Center, Site, Visit
from queueing.store import Base
from queueing.store_life import Follower, Notice
from tests.web.world import NOW, StillClock, World, forms, settings_for
from web import jobs
from web.app import create_app
from web.citizen.sharing import ONE, PART, parts_of, visit_message

Write = Callable[[Callable[[Any], Any]], Any]
PHONE = "010 0123 4567"


@pytest.fixture
def sent(app: Flask) -> list[tuple[str, str]]:
    """What a gateway was given: (number, text)."""
    taken: list[tuple[str, str]] = []
    app.extensions["message_sender"] = lambda number, text: taken.append((number, text))
    return taken


def tick(app: Flask, seconds: float) -> None:
    """The leader's round of messages, so many seconds after NOW."""
    with app.app_context():
        jobs.messages(NOW + timedelta(seconds=seconds))


def ask(client: FlaskClient, topic: str, back: str = "/") -> Any:
    return client.post("/follow", data={"topic": topic, "channel": "sms", "phone": PHONE, "back": back})


def followed(app: Flask, client: FlaskClient, topic: str, sent: list[tuple[str, str]]) -> str:
    """Follow `topic` and say yes by the link of the message; the link that ends it."""
    ask(client, topic)
    tick(app, 0)
    link = re.search(r"(/f/\w+)\?y=\w+", sent[-1][1])
    assert link, sent
    form = next(f for f in forms(client.get(link[0]).text) if ("act", "yes") in f.buttons)
    assert client.post(link[1], data={**form.fields, "act": "yes"}).status_code == 303
    sent.clear()
    return link[1]


def test_a_cancelled_visit_reaches_its_followers_within_a_minute_in_two_messages_at_most(
    app: Flask, client: FlaskClient, world: World, write: Write, sent: list[tuple[str, str]]
) -> None:
    """From consent to the news: a question, a yes, then one text with place, day, hours and the link that ends it."""
    end = followed(app, client, f"site:{world.village_b}", sent)
    tick(app, 10)
    assert sent == []
    at = NOW + timedelta(seconds=12)
    write(lambda s: cancel_visit(s, s.get(Visit, world.visit_b), "عطل", "Broken", actor="p", now=at))
    for seconds in (15, 20, 60):
        tick(app, seconds)
    ((number, text),) = sent
    assert number == "+201001234567" and "أُلغيت" in text and "عزبة الهجانة" in text and "09:30-13:30" in text
    assert end in text and parts_of(text) <= 2


def test_nobody_is_written_to_who_has_not_said_yes_by_the_link_itself(
    app: Flask, client: FlaskClient, world: World, write: Write, sent: list[tuple[str, str]]
) -> None:
    """Whoever types a number learns no link of it and cannot say yes for it; the number hears one question."""
    answer = ask(client, f"site:{world.village_b}", "/places/6")
    assert answer.headers["Location"] == "/places/6#follow" and "follows=" not in str(answer.headers)
    assert "أرسلنا رسالة" in client.get("/places/6").text
    code = write(lambda s: s.scalars(select(Follower)).one().code)
    assert client.post(f"/f/{code}", data={"act": "yes"}).status_code == 403
    assert client.post(f"/f/{code}", data={"act": "yes", "y": "0" * 10}).status_code == 403
    write(
        lambda s: cancel_visit(
            s, s.get(Visit, world.visit_b), "", "", actor="p", now=NOW + timedelta(seconds=1)
        )
    )
    tick(app, 2)
    assert [("هل تريد رسائل" in text) for _number, text in sent] == [True]


def test_typing_a_number_that_follows_already_says_the_same_as_for_any_other(
    app: Flask, client: FlaskClient, world: World, sent: list[tuple[str, str]]
) -> None:
    """Nobody finds out what somebody else's number follows."""
    followed(app, client, f"site:{world.village_b}", sent)
    other = app.test_client()
    again = ask(other, f"site:{world.village_b}")
    fresh = other.post(
        "/follow", data={"topic": f"site:{world.village_b}", "channel": "sms", "phone": "01001234568"}
    )
    assert (again.status_code, again.headers["Location"].split("#")[1]) == (303, "follow")
    assert fresh.headers["Location"] == again.headers["Location"]
    assert "إيقاف" not in other.get(f"/places/{world.village_b}").text


def test_one_press_ends_it_and_nothing_of_the_number_stays(
    app: Flask, client: FlaskClient, world: World, write: Write, sent: list[tuple[str, str]]
) -> None:
    """From the page that says so, and the link of an old message then says that there is nothing any more."""
    end = followed(app, client, f"site:{world.village_b}", sent)
    page = client.get(f"/places/{world.village_b}").text
    assert "تصل رسالة إلى رقمك" in page
    form = next(f for f in forms(page) if ("act", "stop") in f.buttons)
    assert form.action == end
    client.post(form.action, data={**form.fields, "act": "stop"})
    counts = write(lambda s: [s.scalar(select(func.count()).select_from(t)) for t in (Follower, Notice)])
    assert counts == [0, 0]
    assert "تصل رسالة" not in client.get(f"/places/{world.village_b}").text
    gone = client.get(end)
    assert gone.status_code == 404 and "محذوف" in gone.text


def test_a_number_is_asked_three_times_an_hour_at_most_whoever_types_it(
    client: FlaskClient, world: World, sent: list[tuple[str, str]], write: Write
) -> None:
    """A prankster cannot fill somebody's telephone."""
    for site in (world.village_a, world.village_a2, world.village_b, world.site_a):
        ask(client, f"site:{site}")
    assert write(lambda s: s.scalar(select(func.count()).select_from(Follower))) == 3


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"topic": "site:4", "channel": "fax"}, 400), ({"topic": "queue:1", "channel": "sms", "phone": PHONE}, 400),
        ({"topic": "site:99999", "channel": "sms", "phone": PHONE}, 404),
        ({"topic": "ticket:nobody", "channel": "push"}, 404),
        ({"topic": "site:4", "channel": "sms", "phone": "12"}, 303),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused_and_nothing_is_kept(
    client: FlaskClient, data: dict[str, str], status: int, write: Write, sent: list[tuple[str, str]]
) -> None:
    assert client.post("/follow", data=data).status_code == status
    assert write(lambda s: s.scalar(select(func.count()).select_from(Follower))) == 0


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil"])
def test_the_way_back_is_a_page_of_ours(
    client: FlaskClient, world: World, back: str, sent: list[tuple[str, str]]
) -> None:
    assert ask(client, f"site:{world.village_a}", back).headers["Location"] == "/#follow"


def test_without_a_gateway_no_text_message_is_offered(client: FlaskClient, world: World) -> None:
    """What cannot be sent is not promised; the calendar is there all the same."""
    page = client.get(f"/places/{world.village_a}").text
    assert (
        'name="phone"' not in page and "webcal://" in page and f"/feeds/sites/{world.village_a}.ics" in page
    )
    assert (
        client.post("/follow", data={"topic": "site:4", "channel": "sms", "phone": PHONE}).status_code == 400
    )


@pytest.mark.parametrize("language", ["", "/en"])
def test_a_village_and_a_van_have_a_page_with_what_comes(
    client: FlaskClient, world: World, language: str
) -> None:
    """Today's visit with its line and time, the same visit on the van's page; places without one say so."""
    for path in (f"/places/{world.village_a}", f"/vans/{world.center_a}"):
        page = client.get(language + path).text
        assert f"{language}/visits/{world.visit_a}" in page and "10:00" in page and "09:00–14:00" in page
    empty = client.get(f"/en/places/{world.village_a2}").text
    assert "No visit to this place is announced just now." in empty and "Hear of the next visit here" in empty
    assert client.get("/places/9999").status_code == client.get("/vans/9999").status_code == 404


@pytest.mark.parametrize(("path", "count"), [("centers/1", 1), ("units/2", 1), ("units/1", 0)])
def test_a_van_and_a_district_can_be_subscribed_to_as_calendars(
    client: FlaskClient, path: str, count: int
) -> None:
    answer = client.get(f"/feeds/{path}.ics")
    assert answer.mimetype == "text/calendar" and answer.text.count("BEGIN:VEVENT") == count


def test_an_open_page_of_a_visit_hears_of_its_cancelling(
    client: FlaskClient, world: World, write: Write
) -> None:
    """The piece that is asked for every 20 seconds carries the notice, the reason and the next visit."""
    url = f"/en/visits/{world.visit_b}/status"
    before = client.get(url)
    assert "cancelled" not in before.text
    write(lambda s: cancel_visit(s, s.get(Visit, world.visit_b), "عطل", "Engine trouble", actor="p", now=NOW))
    after = client.get(url, headers={"If-None-Match": before.headers["ETag"]})
    assert (
        after.status_code == 200
        and "This visit is cancelled." in after.text
        and "Engine trouble" in after.text
    )


# -- searching by service


@pytest.mark.parametrize(
    ("typed", "holds"),
    [
        ("where is a birth certificate near me this week?", ("شهادة ميلاد", "هذا الأسبوع", "أين أنت؟", "days=6")),
        ("شهادة ميلاد في الرغامة", ("شهادة ميلاد", "قرية الرغامة", "مفتوح الآن", "أصل بطاقة الرقم القومي")),
        ("صلاحية الموقع الرغامة", ("صلاحية الموقع للبناء", "لا زيارة معلنة هنا بهذه الخدمة", "التكنولوجي بكوم أمبو")),
    ],
)  # fmt: skip
def test_a_question_in_peoples_words_leads_to_the_service_the_place_and_the_papers(
    client: FlaskClient, typed: str, holds: tuple[str, ...]
) -> None:
    """Service, place and time out of one line; without a place it asks where, and remembers the rest."""
    page = client.get("/", query_string={"q": typed}).text
    for words in holds:
        assert words in page, words


def test_by_service_is_two_choices_and_keeps_the_service_all_the_way(
    client: FlaskClient, world: World
) -> None:
    """A service from the first page, then the place: the visits that offer it, and only those."""
    first = client.get("/en/").text
    link = re.search(r'href="(/en/\?service=BIR-01)"', first)
    assert link
    search = next(f for f in forms(client.get(link[1]).text) if "q" in f.fields)
    page = client.get("/en/", query_string={**search.fields, "q": "raghama"}).text
    assert "Birth certificate" in page and f"/en/visits/{world.visit_a}" in page
    build = client.get("/en/?service=BLD-01&near=24.5,32.92").text
    assert f"/en/visits/{world.visit_a}" not in build and "Kom Ombo technology center" in build


def test_far_away_is_not_called_near(client: FlaskClient, world: World) -> None:
    """From the western desert: said first, then what there is."""
    page = client.get("/en/?near=25.4,28.9").text
    assert "No visit is announced within 60 km of here. These are the nearest." in page
    assert "within 60 km" not in client.get("/en/?near=24.5,32.92").text


# -- texts that fit


def test_a_visit_as_text_fits_two_messages_whatever_its_name(
    app: Flask, client: FlaskClient, world: World, write: Write
) -> None:
    """Forty letters and a long landmark: what is left out is the landmark, never when, where and the link."""

    def longer(session: Any) -> None:
        site = session.get(Site, world.village_a)
        site.name_ar, site.landmark_ar = (
            "منشأة عبد الرحمن الكبرى الشرقية الجديدة",
            "بجوار " + "المدرسة الابتدائية " * 6,
        )

    write(longer)
    page = client.get(f"/visits/{world.visit_a}").text
    shown = re.search(r'id="plain" dir="auto">([^<]+)<', page)
    assert shown and parts_of(shown[1]) <= 2
    assert "منشأة عبد الرحمن" in shown[1] and "09:00-14:00" in shown[1] and f"/v/{world.visit_a}" in shown[1]
    assert client.get(f"/v/{world.visit_a}").headers["Location"] == f"/visits/{world.visit_a}"
    with app.test_request_context("/"):
        assert visit_message(write(lambda s: s.get(Visit, world.visit_b)) and _again(write, world)).parts <= 2


def _again(write: Write, world: World) -> Visit:
    """The visit with what its words need, loaded."""

    def load(session: Any) -> Visit:
        visit = session.get(Visit, world.visit_b)
        assert visit.site.name_ar
        return visit  # type: ignore[no-any-return]

    return write(load)  # type: ignore[no-any-return]


@given(st.text(alphabet="ابتثجحخ دذرز0123456789", max_size=300))
def test_messages_are_counted_as_telephone_companies_count_them(text: str) -> None:
    """One up to 70 letters, then 67 a part; plain Latin 160 and 153."""
    if any(letter >= "\u0600" for letter in text):
        assert parts_of(text) == (1 if len(text) <= ONE else -(-len(text) // PART))
    else:
        assert parts_of(text) == (1 if len(text) <= 160 else -(-len(text) // 153))


# -- the application


def test_it_can_be_installed_in_each_language(client: FlaskClient) -> None:
    """Name, direction, start and scope; every icon is there and of the size it says."""
    for prefix, language, direction in (("", "ar", "rtl"), ("/en", "en", "ltr")):
        link = re.search(r'<link rel="manifest" href="([^"]+)"', client.get(prefix + "/").text)
        assert link
        told = client.get(link[1]).get_json()
        assert (told["lang"], told["dir"], told["start_url"], told["scope"]) == (
            language,
            direction,
            f"{prefix}/",
            "/",
        )
        for icon in told["icons"]:
            answer = client.get(icon["src"])
            assert answer.status_code == 200 and answer.mimetype == icon["type"]
            if icon["type"] == "image/png":
                size = int.from_bytes(answer.data[16:20], "big")
                assert icon["sizes"] == f"{size}x{size}"


def test_the_worker_is_one_for_all_languages_and_leaves_staff_alone(client: FlaskClient) -> None:
    """The same address on Arabic and English pages; its scope is the whole site, its pages are citizens' alone; the
    desk's worker has a scope of its own."""
    addresses = {re.search(r'data-worker="([^"]+)"', client.get(p).text)[1] for p in ("/", "/en/")}  # type: ignore[index]
    assert addresses == {"/worker.js"}
    answer = client.get("/worker.js")
    assert answer.headers["Service-Worker-Allowed"] == "/" and answer.headers["Cache-Control"] == "no-cache"
    assert "desk" not in answer.text.replace("indexOf", "") and '"tickets"' in answer.text
    for page in ("/offline", "/en/offline"):
        assert client.get(page).status_code == 200


@pytest.mark.parametrize("language", ["", "/en"])
def test_every_citizen_page_stays_light(
    app: Flask, client: FlaskClient, world: World, write: Write, language: str, sent: list[tuple[str, str]]
) -> None:
    """HTML and CSS at most 14 KB gzipped, all at most 30 KB: also with following, sharing and service search on it."""
    write(lambda s: setattr(s.get(Center, world.center_a), "late_minutes", 20))
    taken = client.post(f"/queues/{world.queue_a}/take", data={"service": "NID-01", "request_id": "light-1"})
    for url in (
        f"/places/{world.village_a}", f"/vans/{world.center_a}", f"/visits/{world.visit_b}", "/?q=شهادة ميلاد",
        "/offline", "/?near=24.5,32.92&service=BIR-01", f"/centers/{world.site_b}", taken.headers["Location"],
        f"/queues/{world.queue_visit_b}/book?service=NID-01",
    ):  # fmt: skip
        page = client.get(language + url).get_data()
        html = page.decode()
        parts = re.findall(r'(?:<link rel="(?:stylesheet|icon)" href|<script src|<img src)="([^"]+)"', html)
        loaded = {part: len(gzip.compress(client.get(part).data)) for part in parts}
        first = len(gzip.compress(page)) + sum(size for part, size in loaded.items() if ".css" in part)
        assert first <= 14_000 and sum(loaded.values()) + len(gzip.compress(page)) <= 30_000, (
            url,
            first,
            loaded,
        )


def test_before_anything_has_been_entered_the_first_page_says_so(tmp_path: Path) -> None:
    """An installation without a network: a sentence, no empty lists, no error."""
    app = create_app(settings_for(tmp_path), time_source=StillClock())
    Base.metadata.create_all(app.extensions["writer"].engine)
    page = app.test_client().get("/en/").text
    assert "No place has been entered here yet." in page and "begin with what you need" not in page
    assert 'name="gov"' not in page
    app.extensions["writer"].engine.dispose()
