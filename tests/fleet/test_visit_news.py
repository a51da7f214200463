"""News of visits reaches who follows the place, the district or the van: each once, and nothing that is old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.visit_news import newest_visit, signature, tell_followers
from queueing import following
from queueing.store_life import Follower, Notice
from tests.fleet.network_cast import DAY, Country, at, country


@pytest.fixture
def cast(memory: Session) -> Iterator[Country]:
    yield country(memory)


def follow(cast: Country, topic: str, number: str = "+201001234567", minute: int = 400) -> Follower:
    """Somebody who follows and has said yes."""
    made, _there = following.follow(
        cast.session, topic, channel="sms", address=number, code=f"{topic}{number}", now=at(minute),
        newest_visit=newest_visit(cast.session),
    )  # fmt: skip
    following.confirm(cast.session, made, now=at(minute))
    return made


def heard(cast: Country, follower: Follower) -> list[str]:
    kinds = select(Notice.kind).where(Notice.follower_id == follower.id, Notice.kind != "question")
    return list(cast.session.scalars(kinds.order_by(Notice.id)))


def test_a_new_visit_is_told_once_to_place_district_and_van_and_to_nobody_else(cast: Country) -> None:
    """Three ways to hear of one visit; the next village's followers hear nothing; what stood before is no news."""
    cast.visit("near")
    village, other = cast.villages["near"], cast.villages["far"]
    here = follow(cast, f"site:{village.id}")
    unit = follow(cast, f"unit:{village.local_unit_id}")
    van = follow(cast, f"center:{cast.centers[0].id}")
    elsewhere = follow(cast, f"site:{other.id}")
    assert tell_followers(cast.session, now=at(410)) == 0
    cast.visit("near", day=DAY + timedelta(days=3))
    assert tell_followers(cast.session, now=at(420)) == 3
    assert tell_followers(cast.session, now=at(421)) == 0
    assert [heard(cast, one) for one in (here, unit, van, elsewhere)] == [["coming"]] * 3 + [[]]


def test_a_change_and_a_cancelling_are_told_each_once(cast: Country) -> None:
    """Moved, moved again, called off: three messages, though the visit was there before anybody followed."""
    visit = cast.visit("near", day=DAY + timedelta(days=2))
    here = follow(cast, f"site:{visit.site_id}")
    for n, minute in enumerate((420, 440)):
        visit.previous_opens_at, visit.changed_at = visit.opens_at, at(minute)
        visit.opens_at += timedelta(minutes=30)
        cast.session.flush()
        assert tell_followers(cast.session, now=at(minute + 1)) == 1, n
        assert tell_followers(cast.session, now=at(minute + 2)) == 0
    visit.status, visit.changed_at = "cancelled", at(460)
    cast.session.flush()
    assert tell_followers(cast.session, now=at(461)) == 1
    assert tell_followers(cast.session, now=at(462)) == 0
    assert heard(cast, here) == ["visit_moved", "visit_moved", "visit_off"]


def test_who_has_not_said_yes_hears_nothing(cast: Country) -> None:
    """A number that somebody else may have typed gets the question alone."""
    village = cast.villages["near"]
    made, _there = following.follow(
        cast.session, f"site:{village.id}", channel="sms", address="+201001234567", code="c", now=at(400)
    )
    cast.visit("near", day=DAY + timedelta(days=3))
    assert tell_followers(cast.session, now=at(420)) == 0
    assert cast.session.scalars(select(Notice.kind).where(Notice.follower_id == made.id)).all() == [
        "question"
    ]


def test_few_at_a_time_none_is_left_out(cast: Country) -> None:
    """In portions of two, seven followers all hear of it."""
    village = cast.villages["near"]
    everybody = [follow(cast, f"site:{village.id}", f"+2010012345{n:02d}") for n in range(7)]
    cast.visit("near", day=DAY + timedelta(days=3))
    rounds = []
    while not rounds or rounds[-1] == 2:
        rounds.append(tell_followers(cast.session, now=at(420), most=2))
    assert rounds == [2, 2, 2, 1]
    assert all(heard(cast, one) == ["coming"] for one in everybody)


def test_the_signature_changes_with_each_announcement_change_and_cancelling(cast: Country) -> None:
    """So that a look while nothing has changed costs one count."""
    visit = cast.visit("near", day=DAY + timedelta(days=1))
    cast.session.flush()
    seen = [signature(cast.session, now=at(400))]
    cast.visit("far", day=DAY + timedelta(days=1))
    seen.append(signature(cast.session, now=at(400)))
    visit.changed_at = at(401)
    cast.session.flush()
    seen.append(signature(cast.session, now=at(401)))
    visit.changed_at, visit.status = at(402), "cancelled"
    cast.session.flush()
    seen.append(signature(cast.session, now=at(402)))
    assert len(set(seen)) == 4 and signature(cast.session, now=at(403)) == seen[-1]
