"""The lane in front of Flask: what it answers is what Flask answers; what is out of the ordinary it leaves to Flask."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.test_api import API, conforms, give, is_problem, tokens, working  # noqa: F401  (fixtures)
from web.api import lane


@pytest.fixture
def by_lane(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the lane answered, for each request of its two kinds."""
    answered: list[bool] = []
    before = lane.Lane._answer

    def counted(self: lane.Lane, environ: Any, path: Any) -> Any:
        answer = before(self, environ, path)
        answered.append(answer is not None)
        return answer

    monkeypatch.setattr(lane.Lane, "_answer", counted)
    return answered


def call(client: Any, world: Any, tokens: Any, request_id: str) -> Any:  # noqa: F811
    """A desk calls the next person."""
    return client.post(
        f"{API}/desks/{world.desks_a[0]}/next", json={"request_id": request_id}, headers=tokens["desk"]
    )


def test_the_lane_answers_as_flask_does(working: Any, world: Any, tokens: Any, by_lane: list[bool]) -> None:  # noqa: F811
    """The first request of a token goes through Flask, the next ones do not: status, headers and fields are the same
    (the lane does not compress, so nothing varies by that)."""
    taken = [give(working, world, tokens, f"i{n}") for n in range(3)]
    called = [call(working, world, tokens, f"c{n}") for n in range(3)]
    assert by_lane == [False, True, True, False, True, True]
    for name, (flask, *quick) in (("issue_ticket", taken), ("call_next", called)):
        for answer in quick:
            conforms(name, answer)
            assert answer.status == flask.status
            assert set(answer.headers.keys()) == set(flask.headers.keys()) - {"Vary"}
            assert answer.headers["Content-Type"] == flask.headers["Content-Type"]
            assert set(answer.get_json()) - {"finished"} == set(
                flask.get_json()
            )  # the first call ended nobody
    numbers = [answer.get_json()["number"] for answer in taken]
    assert [answer.get_json()["number"] for answer in called] == numbers
    assert called[1].get_json()["finished"] == taken[0].get_json()["label"]
    assert taken[1].headers["Location"].endswith(f"{API}/tickets/{taken[1].get_json()['ticket']}")
    assert working.get(taken[1].headers["Location"]).get_json()["label"] == taken[1].get_json()["label"]
    assert working.get(taken[1].get_json()["url"]).status_code == 200


def test_what_is_out_of_the_ordinary_is_left_to_flask(
    working: Any,  # noqa: F811
    world: Any,
    tokens: Any,  # noqa: F811
    by_lane: list[bool],
) -> None:
    """Repeats, phones, refusals, bodies that are none, tokens of others: each with the full answer, none done twice."""
    first = give(working, world, tokens, "i0").get_json()
    again = give(working, world, tokens, "i0")
    assert (again.status_code, again.get_json()["ticket"], again.get_json()["repeated"]) == (
        200,
        first["ticket"],
        True,
    )
    assert give(working, world, tokens, "i1", phone="01001234567").get_json()["phone_accepted"] is True
    is_problem(give(working, world, tokens, "i2", service="nothing"), 422, "unknown_service")
    is_problem(give(working, world, tokens, "i3", priority=9), 422, "invalid_request")
    is_problem(give(working, world, tokens, "i4", priority=3), 403, "priority_of_staff")
    path = f"{API}/queues/{world.queue_a}/tickets"
    is_problem(working.post(path, data="{", headers=tokens["kiosk"]), 400, "malformed_json")
    is_problem(working.post(path, data="[1]", headers=tokens["kiosk"]), 422, "invalid_request")
    is_problem(working.post(path, headers=tokens["kiosk"]), 422, "invalid_request")
    is_problem(working.post(path, json={"service": "NID-01", "request_id": "x"}), 401, "token_missing")
    wrong = working.post(path, json={"service": "NID-01", "request_id": "x"}, headers=tokens["device"])
    is_problem(wrong, 403, "token_kind")
    foreign = f"{API}/queues/{world.queue_a + 1000}/tickets"
    gone = working.post(foreign, json={"service": "NID-01", "request_id": "x"}, headers=tokens["kiosk"])
    is_problem(gone, 404, "queue_not_found")
    assert not any(by_lane)


def test_nobody_left_to_call_is_204_and_ends_the_ticket_once(
    working: Any,  # noqa: F811
    world: Any,
    tokens: Any,  # noqa: F811
    by_lane: list[bool],
) -> None:
    """The lane ended the desk's ticket and found nobody; Flask, asked the same, says so and ends nothing more."""
    code = give(working, world, tokens, "i0").get_json()["ticket"]
    assert call(working, world, tokens, "c0").status_code == 200
    answer = call(working, world, tokens, "c1")
    assert (answer.status_code, answer.data) == (204, b"")
    assert working.get(f"{API}/tickets/{code}").get_json()["state"] == "served"
    assert by_lane == [False, False, False]
