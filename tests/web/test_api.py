"""The JSON API as kiosks, desk programs, vans' devices and other agencies use it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from fleet.store import Center, Position
from queueing.store import Ticket, TicketEvent
from tests.web.world import NOW
from web.accounts import AccessToken, new_token
from web.api.operations import OPERATIONS
from web.api.schema import check
from web.api.shapes import COMPONENTS

API = "/api/v1"
BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.fixture
def tokens(write: Any, world: Any) -> dict[str, dict[str, str]]:
    """Authorization headers of a kiosk and desks at Aswan, a desk in Cairo, a board, and a van's device."""

    def work(session: Any) -> dict[str, str]:
        return {
            "kiosk": new_token(session, "kiosk", now=NOW, queue_id=world.queue_a),
            "desk": new_token(session, "desk", now=NOW, desk_id=world.desks_a[0]),
            "desk2": new_token(session, "desk", now=NOW, desk_id=world.desks_a[1]),
            "other": new_token(session, "desk", now=NOW, desk_id=world.desks_b[0]),
            "board": new_token(session, "board", now=NOW, queue_id=world.queue_a),
            "device": new_token(session, "device", now=NOW, center_id=world.center_a),
        }

    return {name: {"Authorization": f"Bearer {text}"} for name, text in write(work).items()}


@pytest.fixture
def working(client: Any, write: Any, world: Any) -> Any:
    """A client, with the first two desks of Aswan and one of Cairo open."""
    from queueing import desks
    from queueing.store import Desk

    def work(session: Any) -> None:
        for desk in (*world.desks_a[:2], world.desks_b[0]):
            desks.open_desk(session, session.get_one(Desk, desk), actor="x", now=NOW)

    write(work)
    return client


def give(client: Any, world: Any, tokens: Any, request_id: str, **more: Any) -> Any:
    return client.post(
        f"{API}/queues/{world.queue_a}/tickets",
        json={"service": "NID-01", "request_id": request_id, **more},
        headers=tokens["kiosk"],
    )


def conforms(name: str, answer: Any) -> None:
    """The answer is what the document promises for this operation and status."""
    schema = BY_NAME[name].answers[answer.status_code].schema
    assert schema is not None
    assert check(schema, answer.get_json(), COMPONENTS) == []


def is_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.get_json()
    assert check({"$ref": "#/Problem"}, body, COMPONENTS) == []
    assert (body["code"], body["status"]) == (code, status)
    assert len(body["detail"]) > 5
    return body


# ---- places


@pytest.mark.parametrize("name", ["list_sites", "list_centers", "list_queues", "list_visits"])
def test_every_list_answers_without_a_token_as_documented(client: Any, name: str) -> None:
    answer = client.get(API + BY_NAME[name].path)
    assert answer.status_code == 200
    assert answer.get_json()["items"]
    conforms(name, answer)


@pytest.mark.parametrize("query", ["", "near=24.09,32.90"])
@pytest.mark.parametrize("name", ["list_sites", "list_centers", "list_queues", "list_visits"])
def test_pages_follow_one_another_without_gap_or_repeat(client: Any, name: str, query: str) -> None:
    """One row a page, following `next` to the end, gives exactly the rows of one big page in the same order."""
    path = API + BY_NAME[name].path
    whole = [row["id"] for row in client.get(f"{path}?{query}").get_json()["items"]]
    found: list[int] = []
    answer = client.get(f"{path}?{query}&limit=1")
    while True:
        found += [row["id"] for row in answer.get_json()["items"]]
        cursor = answer.get_json()["next"]
        if cursor is None:
            assert "Link" not in answer.headers
            break
        assert 'rel="next"' in answer.headers["Link"]
        answer = client.get(path, query_string=f"{query}&limit=1&cursor={cursor}")
    assert found == whole and len(found) == len(set(found)) >= 2


@pytest.mark.parametrize("typed", ["EG-ASN", "asn", "أسوان", "اسوان", "Aswan", "1"])
def test_a_governorate_may_be_named_in_any_way(client: Any, world: Any, typed: str) -> None:
    rows = client.get(f"{API}/sites", query_string={"governorate": typed}).get_json()["items"]
    assert {row["governorate"]["id"] for row in rows} == {world.governorate_a}


@pytest.mark.parametrize("typed", ["الرغامه", "El Raghama", "el raghama", "قريه الرغامة"])
def test_a_place_is_found_in_any_usual_spelling(client: Any, world: Any, typed: str) -> None:
    rows = client.get(f"{API}/sites", query_string={"q": typed}).get_json()["items"]
    assert [row["id"] for row in rows] == [world.village_a]


def test_near_sorts_by_distance_and_says_it(client: Any, world: Any) -> None:
    rows = client.get(f"{API}/sites?near=24.09,32.90").get_json()["items"]
    distances = [row["distance_km"] for row in rows]
    assert rows[0]["id"] == world.site_a and distances == sorted(distances) and distances[0] < 1


def test_visits_name_center_place_times_and_distance(client: Any, world: Any) -> None:
    """The fields other agencies rely on, with Cairo's offset, nearest first; waiting only where it is open now."""
    rows = client.get(f"{API}/visits?near=24.09,32.90&from=2026-11-22&service=NID-01").get_json()["items"]
    assert [row["id"] for row in rows] == [world.visit_a, world.visit_b]
    first, second = rows
    assert first["center"] == {
        "code": "MC-ASN-01",
        "name_ar": "مركز أسوان المتنقل 1",
        "name_en": "Aswan mobile center 1",
    }
    assert first["site"]["name_en"] == "El Raghama" and first["governorate"]["iso"] == "EG-ASN"
    assert (first["opens_at"], first["closes_at"]) == (
        "2026-11-22T09:00:00+02:00",
        "2026-11-22T14:00:00+02:00",
    )
    assert (first["day"], first["status"], first["waiting"]) == ("2026-11-22", "open", 0)
    assert 45 < first["distance_km"] < 46
    assert second["status"] == "announced" and second["waiting"] is None and second["distance_km"] > 600
    assert client.get(first["url"]).status_code == 200


def test_visits_can_begin_later_and_be_limited_to_a_service(client: Any, world: Any) -> None:
    later = client.get(f"{API}/visits?from=2026-11-23").get_json()["items"]
    assert [row["id"] for row in later] == [world.visit_b]
    assert client.get(f"{API}/visits?service=BLD-01").get_json()["items"] == []
    is_problem(client.get(f"{API}/visits?service=NONE"), 422, "unknown_service")
    is_problem(client.get(f"{API}/visits?service=NONE&near=24,32"), 422, "unknown_service")


def test_a_named_place_stands_for_its_point(client: Any, world: Any) -> None:
    rows = client.get(f"{API}/visits", query_string={"q": "كوم امبو"}).get_json()["items"]
    assert rows[0]["id"] == world.visit_a and rows[0]["distance_km"] < 10


def test_every_wrong_parameter_is_listed(client: Any) -> None:
    answer = client.get(f"{API}/visits?near=north&from=22.11.2026&limit=9999")
    faults = is_problem(answer, 422, "invalid_request")["errors"]
    assert {fault["field"] for fault in faults} == {"near", "from", "limit"}


@pytest.mark.parametrize("cursor", ["x", "e30", "WzFd", "WyJhIiwiYiJd"])
def test_a_foreign_cursor_is_refused_not_obeyed(client: Any, cursor: str) -> None:
    answer = client.get(f"{API}/sites?near=24,32&cursor={cursor}")
    assert is_problem(answer, 422, "invalid_request")["errors"][0]["field"] == "cursor"


def test_an_unknown_path_is_a_problem_too(client: Any) -> None:
    is_problem(client.get(f"{API}/nothing"), 404, "not_found")
    is_problem(client.delete(f"{API}/sites"), 405, "method_not_allowed")


# ---- queues and tickets


def test_a_queues_status_is_public_and_as_documented(working: Any, world: Any, tokens: Any) -> None:
    give(working, world, tokens, "a")
    working.post(f"{API}/desks/{world.desks_a[0]}/next", json={"request_id": "n"}, headers=tokens["desk"])
    give(working, world, tokens, "b")
    answer = working.get(f"{API}/queues/{world.queue_a}")
    conforms("get_queue", answer)
    body = answer.get_json()
    assert (body["waiting"], body["open_desks"], body["last_called"]["label"]) == (1, 2, "A001")
    assert (
        body["wait"]["low"] <= body["wait"]["high"] and body["wait"]["as_of"] == "2026-11-22T10:00:00+02:00"
    )


def test_the_etag_holds_until_something_changes(working: Any, world: Any, tokens: Any, clock: Any) -> None:
    """304 while nothing happens; new after a ticket; new after half a minute, because waits go on."""
    path = f"{API}/queues/{world.queue_a}"
    etag = working.get(path).headers["ETag"]
    same = working.get(path, headers={"If-None-Match": etag})
    assert (same.status_code, same.data) == (304, b"")
    give(working, world, tokens, "a")
    changed = working.get(path, headers={"If-None-Match": etag})
    assert changed.status_code == 200 and changed.get_json()["waiting"] == 1
    clock.advance(seconds=31)
    assert working.get(path, headers={"If-None-Match": changed.headers["ETag"]}).status_code == 200


def test_issuing_answers_201_then_200_with_the_same_ticket(
    working: Any, world: Any, tokens: Any, db_session: Any
) -> None:
    first = give(working, world, tokens, "same")
    again = give(working, world, tokens, "same")
    assert (first.status_code, again.status_code) == (201, 200)
    conforms("issue_ticket", first)
    conforms("issue_ticket", again)
    assert first.get_json()["ticket"] == again.get_json()["ticket"]
    body = first.get_json()
    assert (body["label"], body["number"], body["day"], body["ahead"]) == ("A001", 1, "2026-11-22", 0)
    assert working.get(first.headers["Location"]).get_json()["ticket"] == body["ticket"]
    assert db_session.scalar(select(func.count()).select_from(Ticket)) == 1
    assert db_session.scalars(select(Ticket.channel)).one() == "kiosk"


def test_a_bad_phone_never_stands_in_the_way(working: Any, world: Any, tokens: Any, db_session: Any) -> None:
    good = give(working, world, tokens, "g", phone="٠١٠٠١٢٣٤٥٦٧")
    bad = give(working, world, tokens, "b", phone="12")
    assert (good.status_code, bad.status_code) == (201, 201)
    assert (good.get_json()["phone_accepted"], bad.get_json()["phone_accepted"]) == (True, False)
    assert db_session.scalars(select(Ticket.phone).order_by(Ticket.number)).all() == ["+201001234567", None]


def test_no_public_answer_carries_the_phone_or_the_note(working: Any, world: Any, tokens: Any) -> None:
    made = give(working, world, tokens, "g", phone="01001234567").get_json()
    working.post(f"{API}/desks/{world.desks_a[0]}/next", json={"request_id": "n"}, headers=tokens["desk"])
    park = f"{API}/tickets/{made['ticket']}/park"
    parked = working.post(park, json={"request_id": "p", "note": "secret note"}, headers=tokens["desk"])
    assert parked.get_json()["note"] == "secret note"
    for path in (f"/tickets/{made['ticket']}", f"/queues/{world.queue_a}", "/queues"):
        text = working.get(API + path).text
        assert "1001234567" not in text and "secret" not in text


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"service", "request_id"}),
        ({"service": 5, "request_id": ""}, {"service", "request_id"}),
        (
            {"service": "NID-01", "request_id": "a#b", "priority": 9, "phone": 1},
            {"request_id", "priority", "phone"},
        ),
        ([], {"body"}),
    ],
)
def test_each_wrong_field_of_a_body_is_listed(
    working: Any, world: Any, tokens: Any, body: Any, wrong: set[str]
) -> None:
    answer = working.post(f"{API}/queues/{world.queue_a}/tickets", json=body, headers=tokens["kiosk"])
    faults = is_problem(answer, 422, "invalid_request")["errors"]
    assert {fault["field"] for fault in faults} == wrong


def test_a_body_that_is_not_json_is_400(working: Any, world: Any, tokens: Any) -> None:
    answer = working.post(f"{API}/queues/{world.queue_a}/tickets", data="{oops", headers=tokens["kiosk"])
    is_problem(answer, 400, "malformed_json")


def test_refusals_of_a_queue_carry_stable_codes(working: Any, world: Any, tokens: Any, write: Any) -> None:
    from queueing.desks import close_queue
    from queueing.store import Queue

    wrong = give(working, world, tokens, "w", service="NONE")
    is_problem(wrong, 422, "unknown_service")
    is_problem(working.get(f"{API}/queues/99999"), 404, "queue_not_found")
    write(lambda session: close_queue(session, session.get_one(Queue, world.queue_a), actor="x", now=NOW))
    is_problem(give(working, world, tokens, "c"), 409, "queue_closed")


def test_call_next_answers_200_then_204_when_nobody_waits(
    working: Any, world: Any, tokens: Any, db_session: Any
) -> None:
    """And a repeated request id gives the same person, not the next one."""
    give(working, world, tokens, "a")
    path = f"{API}/desks/{world.desks_a[0]}/next"
    first = working.post(path, json={"request_id": "n1"}, headers=tokens["desk"])
    again = working.post(path, json={"request_id": "n1"}, headers=tokens["desk"])
    conforms("call_next", first)
    assert first.get_json()["label"] == again.get_json()["label"] == "A001"
    assert (first.get_json()["repeated"], again.get_json()["repeated"]) == (False, True)
    nobody = working.post(path, json={"request_id": "n2"}, headers=tokens["desk"])
    assert (nobody.status_code, nobody.data) == (204, b"")
    assert db_session.scalars(select(Ticket.state)).one() == "served"


def test_a_whole_service_through_the_verbs(working: Any, world: Any, tokens: Any) -> None:
    """Call, recall, park, resume, transfer, call again, start, finish, undo: each answers the new state."""
    code = give(working, world, tokens, "a").get_json()["ticket"]
    nxt = f"{API}/desks/{world.desks_a[0]}/next"

    def act(verb: str, **more: Any) -> str:
        answer = working.post(
            f"{API}/tickets/{code}/{verb}",
            json={"request_id": f"{verb}-{len(seen)}", "desk": world.desks_a[0], **more},
            headers=tokens["desk"],
        )
        conforms(f"{verb}_ticket", answer)
        seen.append(answer.get_json()["state"])
        return seen[-1]

    seen: list[str] = []
    working.post(nxt, json={"request_id": "n1"}, headers=tokens["desk"])
    assert [act("recall"), act("start"), act("park", note="waits"), act("resume")] == [
        "called", "serving", "parked", "serving",
    ]  # fmt: skip
    assert act("transfer", service="BIR-01", note="on") == "waiting"
    working.post(nxt, json={"request_id": "n2"}, headers=tokens["desk"])
    assert [act("miss"), act("undo"), act("start"), act("finish"), act("undo")] == [
        "missed", "called", "serving", "served", "serving",
    ]  # fmt: skip
    assert act("finish") == "served"


def test_an_impossible_move_is_409_with_the_present_state(working: Any, world: Any, tokens: Any) -> None:
    code = give(working, world, tokens, "a").get_json()["ticket"]
    answer = working.post(f"{API}/tickets/{code}/start", json={"request_id": "s"}, headers=tokens["desk"])
    body = is_problem(answer, 409, "move_not_possible")
    assert body["state"] == "waiting" and "call" in body["possible"]


@pytest.mark.parametrize("verb", ["start", "finish", "miss", "recall", "park", "requeue", "transfer", "undo"])
def test_a_repeated_request_is_one_event(
    working: Any, world: Any, tokens: Any, db_session: Any, verb: str
) -> None:
    code = give(working, world, tokens, "a").get_json()["ticket"]
    working.post(f"{API}/desks/{world.desks_a[0]}/next", json={"request_id": "n"}, headers=tokens["desk"])
    body = {"request_id": "once", "service": "BIR-01"} if verb == "transfer" else {"request_id": "once"}
    answers = [
        working.post(f"{API}/tickets/{code}/{verb}", json=body, headers=tokens["desk"]) for _ in range(3)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.get_json()["repeated"] for answer in answers] == [False, True, True]
    assert db_session.scalar(select(func.count()).select_from(TicketEvent)) == 3


def test_two_desks_at_once_never_get_one_ticket(app: Any, working: Any, world: Any, tokens: Any) -> None:
    for n in range(30):
        give(working, world, tokens, f"g{n}")
    gate = threading.Barrier(2)
    labels: list[str] = []

    def desk(number: int, name: str) -> None:
        client = app.test_client()
        gate.wait()
        for n in range(15):
            answer = client.post(
                f"{API}/desks/{number}/next", json={"request_id": f"{name}{n}"}, headers=tokens[name]
            )
            labels.append(answer.get_json()["label"])

    threads = [
        threading.Thread(target=desk, args=pair)
        for pair in zip(world.desks_a[:2], ("desk", "desk2"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(labels) == [f"A{n:03d}" for n in range(1, 31)]


def test_a_citizen_leaves_by_the_code_once_and_for_all(working: Any, world: Any, tokens: Any) -> None:
    code = give(working, world, tokens, "a").get_json()["ticket"]
    first = working.post(f"{API}/tickets/{code}/leave")
    assert (first.status_code, first.get_json()["state"]) == (200, "left")
    again = working.post(f"{API}/tickets/{code}/leave", json={"request_id": "again"})
    assert (again.status_code, again.get_json()["repeated"]) == (200, True)


def test_a_called_citizen_cannot_leave_by_the_phone(working: Any, world: Any, tokens: Any) -> None:
    code = give(working, world, tokens, "a").get_json()["ticket"]
    working.post(f"{API}/desks/{world.desks_a[0]}/next", json={"request_id": "n"}, headers=tokens["desk"])
    assert is_problem(working.post(f"{API}/tickets/{code}/leave"), 409, "already_called")["state"] == "called"
    is_problem(working.get(f"{API}/tickets/unknown"), 404, "ticket_not_found")


# ---- tokens


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.tokens], ids=lambda o: o.name)
def test_every_operation_with_a_token_refuses_without_or_with_another(
    working: Any, world: Any, tokens: Any, operation: Any, write: Any
) -> None:
    """401 without, with an unknown and with a revoked token (saying how to send one); 403 with another kind."""
    path = API + operation.path.replace("{id}", str(world.queue_a)).replace("{ticket}", "x")
    send = working.get if operation.method == "GET" else working.post
    missing = send(path)
    is_problem(missing, 401, "token_missing")
    assert missing.headers["WWW-Authenticate"].startswith("Bearer")
    is_problem(send(path, headers={"Authorization": "Bearer nonsense"}), 401, "token_unknown")
    is_problem(send(path, headers=tokens["board"]), 403, "token_kind")

    def revoke(session: Any) -> None:
        for token in session.scalars(select(AccessToken)):
            token.revoked_at = NOW

    write(revoke)
    is_problem(send(path, headers=tokens["desk"]), 401, "token_unknown")


def test_a_token_reaches_its_own_queue_and_desk_only(working: Any, world: Any, tokens: Any) -> None:
    code = give(working, world, tokens, "a").get_json()["ticket"]
    other = working.post(
        f"{API}/queues/{world.queue_b}/tickets",
        json={"service": "NID-01", "request_id": "o"},
        headers=tokens["kiosk"],
    )
    is_problem(other, 403, "other_queue")
    body = {"request_id": "x"}
    desk = working.post(f"{API}/desks/{world.desks_a[1]}/next", json=body, headers=tokens["desk"])
    is_problem(desk, 403, "other_desk")
    is_problem(
        working.post(f"{API}/tickets/{code}/start", json=body, headers=tokens["other"]), 403, "other_queue"
    )
    named = {"request_id": "y", "desk": world.desks_a[1]}
    is_problem(
        working.post(f"{API}/tickets/{code}/start", json=named, headers=tokens["desk"]), 403, "other_desk"
    )


def test_a_transfer_stays_within_the_site(working: Any, world: Any, tokens: Any) -> None:
    code = give(working, world, tokens, "a").get_json()["ticket"]
    working.post(f"{API}/desks/{world.desks_a[0]}/next", json={"request_id": "n"}, headers=tokens["desk"])
    path = f"{API}/tickets/{code}/transfer"
    away = {"request_id": "t", "queue": world.queue_b, "service": "NID-01"}
    is_problem(working.post(path, json=away, headers=tokens["desk"]), 403, "other_site")
    is_problem(working.post(path, json={"request_id": "t"}, headers=tokens["desk"]), 422, "invalid_request")


# ---- positions


def _fixes(db_session: Any) -> list[tuple[float, float, float | None]]:
    db_session.rollback()
    rows = db_session.scalars(select(Position).order_by(Position.at)).all()
    return [(row.lat, row.lon, row.speed_kmh) for row in rows]


AT = int(NOW.timestamp())


def _senders(token: str) -> dict[str, dict[str, Any]]:
    """One position, 24.5 N 32.92 E at 36 km/h, as each kind of device sends it."""
    bearer = {"Authorization": f"Bearer {token}"}
    import base64

    basic = {"Authorization": "Basic " + base64.b64encode(f"van:{token}".encode()).decode()}
    osmand = {"id": token, "lat": "24.5", "lon": "32.92", "timestamp": str(AT), "speed": "19.4384"}
    traccar = {
        "location": {
            "timestamp": NOW.isoformat(),
            "coords": {"latitude": 24.5, "longitude": 32.92, "speed": 10.0, "accuracy": 5, "heading": 90},
            "battery": {"level": 0.8, "is_charging": False},
        },
        "device_id": token,
    }
    owntracks = {"_type": "location", "lat": 24.5, "lon": 32.92, "tst": AT, "vel": 36, "tid": "v1"}
    return {
        "osmand query": {"query_string": osmand},
        "traccar milliseconds": {"query_string": {**osmand, "timestamp": str(AT * 1000)}},
        "osmand form": {"data": osmand},
        "traccar 9 json": {"json": traccar},
        "owntracks basic": {"json": owntracks, "headers": basic},
        "owntracks bearer": {"json": owntracks, "headers": bearer},
        "plain json": {
            "json": [{"lat": 24.5, "lon": 32.92, "at": NOW.isoformat(), "speed_kmh": 36}],
            "headers": bearer,
        },
    }


@pytest.mark.parametrize("sender", list(_senders("x")))
def test_each_kind_of_device_is_understood_and_a_resend_is_not_stored_twice(
    client: Any, world: Any, tokens: Any, db_session: Any, sender: str
) -> None:
    request = _senders(tokens["device"]["Authorization"].split()[1])[sender]
    answers = [client.post(f"{API}/positions", **request) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert _fixes(db_session) == [(24.5, 32.92, pytest.approx(36.0, abs=0.1))]
    center = db_session.get(Center, world.center_a)
    assert (center.lat, center.lon, center.last_heard_at) == (24.5, 32.92, NOW)
    if sender.startswith("owntracks"):
        assert answers[0].get_json() == []
    else:
        assert [answer.get_json()["stored"] for answer in answers] == [1, 0]


def test_osmand_may_send_by_get_and_a_batch_is_stored_whole(
    client: Any, tokens: Any, db_session: Any
) -> None:
    token = tokens["device"]["Authorization"].split()[1]
    sent = {"id": token, "lat": 24.5, "lon": 32.92, "timestamp": AT}
    assert client.get(f"{API}/positions", query_string=sent).status_code == 200
    batch = [{"lat": 24.5 + n / 100, "lon": 32.9, "at": AT - 60 * n} for n in range(3)]
    answer = client.post(f"{API}/positions", json=batch, headers=tokens["device"])
    assert answer.get_json() == {"received": 3, "stored": 2}
    assert len(_fixes(db_session)) == 3


def test_a_batch_with_one_wrong_position_stores_nothing_and_names_it(
    client: Any, tokens: Any, db_session: Any
) -> None:
    batch = [{"lat": 24.5, "lon": 32.9, "at": AT}, {"lat": 99, "lon": "east", "at": "yesterday"}]
    answer = client.post(f"{API}/positions", json=batch, headers=tokens["device"])
    faults = is_problem(answer, 422, "invalid_request")["errors"]
    assert {fault["field"] for fault in faults} == {"[1].lat", "[1].lon", "[1].timestamp"}
    assert _fixes(db_session) == []


def test_messages_of_owntracks_that_are_no_position_are_accepted_and_ignored(
    client: Any, tokens: Any, db_session: Any
) -> None:
    answer = client.post(f"{API}/positions", json={"_type": "lwt", "tst": AT}, headers=tokens["device"])
    assert (answer.status_code, answer.get_json()) == (200, [])
    assert _fixes(db_session) == []
