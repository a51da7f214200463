"""Waits as people and supervisors see them: the method is said, how good it was is shown, nights are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from queueing.store_waits import WaitModel, WaitScore
from tests.web.world import TODAY
from web import jobs, nightly


def night(method: str, refused: str | None, at: Any) -> WaitModel:
    """What a night has decided, as the night leaves it."""
    figures = {
        name: {"mae_common": error} for name, error in (("formula", 9.0), ("played", 5.0), ("learned", 4.0))
    }
    return WaitModel(
        made_at=at, first_day=TODAY - timedelta(days=20), last_day=TODAY - timedelta(days=1), tickets=5000,
        method=method, special_method=method, since=at - timedelta(days=3), refused=refused, figures=figures,
        model=None, most_ahead=40.0, steering={}, leaving=[],
    )  # fmt: skip


def score(queue_id: int) -> WaitScore:
    """Fifty waits of yesterday: four minutes off on average, 26 in the narrow range, 45 in the wide one."""
    return WaitScore(
        queue_id=queue_id, day=TODAY - timedelta(days=1), method="learned", judged=50, error_s=50 * 240.0,
        bias_s=-50 * 60.0, formula_error_s=50 * 600.0, in_half=26, in_most=45, half_width_s=50 * 420.0,
        most_width_s=50 * 1200.0, middle_s=50 * 900.0,
    )  # fmt: skip


def test_a_supervisor_sees_how_waits_are_told_since_when_and_how_well(
    busy: Any, login: Any, write: Any, world: Any, clock: Any
) -> None:
    assert "told-title" not in login("supervisor").get("/en/supervisor/day").text
    write(lambda s: s.add_all([night("learned", None, clock.now()), score(world.queue_a)]) and None)
    page = login("supervisor").get("/en/supervisor/day").text
    part = page.split('id="told-title"')[1].split("</section>")[0]
    assert "by what was learned from the waits of the last weeks" in part and "19 November" in part
    cells = [one.split("</td>")[0] for one in part.split('<td class="num">')[1:]]
    assert cells[0] == "0" and cells[7:10] == ["50", "4 minutes", "10 minutes"]
    assert "52%" in cells[10] and "90%" in cells[12]
    assert "told-title" not in login("other_supervisor").get("/en/supervisor/day").text


@pytest.mark.parametrize(
    ("refused", "words"),
    [("worse_than_formula", "more than people ahead times minutes"), ("too_few_days", "Too few days")],
)
def test_what_was_refused_is_said(
    busy: Any, login: Any, write: Any, world: Any, clock: Any, refused: str, words: str
) -> None:
    write(lambda s: s.add_all([night("played", refused, clock.now()), score(world.queue_a)]) and None)
    page = login("supervisor").get("/en/supervisor/day").text
    assert words in page.split('id="told-title"')[1].split("</section>")[0]
    assert 'dir="rtl"' in login("supervisor").get("/supervisor/day").text


def test_the_api_says_which_method_told_the_wait(busy: Any, client: Any, world: Any) -> None:
    """A line with an open desk is played forward for who would join; a closed one promises nothing."""
    wait = client.get(f"/api/v1/queues/{world.queue_a}").get_json()["wait"]
    assert wait["method"] == "played"
    assert wait["low"] <= wait["likely"]["low"] <= wait["likely"]["high"] <= wait["high"]


def test_a_night_without_days_changes_nothing_and_says_so(app: Any, clock: Any, db_session: Any) -> None:
    with app.app_context():
        assert "too few days" in nightly.refit_waits(clock.now())
    assert db_session.query(WaitModel).count() == 0
    job = next(one for one in jobs.JOBS if one.name == "waits")
    assert job.child and job not in jobs.VAN_JOBS


def test_waits_are_judged_with_the_measures_of_the_day(
    busy: Any, app: Any, clock: Any, db_session: Any
) -> None:
    """The person called this morning is judged once; the next run finds nothing new."""
    clock.advance(minutes=1)
    with app.app_context():
        assert nightly.judge_waits(clock.now()) == 1
        assert nightly.judge_waits(clock.now()) == 0
    scores = db_session.query(WaitScore).all()
    assert [one.judged for one in scores] == [1] and scores[0].method == "played"
