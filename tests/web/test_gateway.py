"""The SMS gateway's client, against a server that answers as gateways do."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.web.carriers import counterpart
from web.gateway import Away, Gateway, Gone, Refused, read_gateway

NUMBER, TEXT = "+201001234567", "يأتي مركز متنقل & غدًا"


def test_each_form_carries_number_text_and_the_messages_number() -> None:
    """JSON, form fields, or all in the address: whole Arabic text, the headers of the papers, the same id."""
    with counterpart() as there:
        Gateway(f"{there.url}/send", headers={"Authorization": "Bearer k"}).send(NUMBER, TEXT, "17")
        Gateway(f"{there.url}/f", "form", {"mobile": "{digits}", "msg": "{text}", "ref": "{id}"}).send(
            NUMBER, TEXT, "17"
        )
        Gateway(there.url + "/q?to={digits}&text={text}&id={id}", "none").send(NUMBER, TEXT, "17")
    as_json, form, query = there.got
    assert json.loads(as_json.body) == {"to": NUMBER, "text": TEXT, "id": "17"}
    assert as_json.headers["Authorization"] == "Bearer k" and "json" in as_json.headers["Content-Type"]
    assert parse_qs(form.body.decode()) == {"mobile": [NUMBER[1:]], "msg": [TEXT], "ref": ["17"]}
    assert query.method == "GET" and not query.body
    assert parse_qs(urlsplit(query.path).query) == {"to": [NUMBER[1:]], "text": [TEXT], "id": ["17"]}


@pytest.mark.parametrize(
    ("status", "means"),
    [(200, None), (202, None), (400, Refused), (422, Refused), (410, Gone), (401, Away), (403, Away), (429, Away),
     (500, Away), (503, Away), (302, Away)],
)  # fmt: skip
def test_an_answer_means_taken_never_or_later(status: int, means: type[Exception] | None) -> None:
    """A bad number is given up; our own wrong key, a full gateway and a broken one are tried again."""
    with counterpart() as there:
        there.answers = [status]
        if means is None:
            Gateway(there.url).send(NUMBER, TEXT, "1")
        else:
            with pytest.raises(means) as error:
                Gateway(there.url).send(NUMBER, TEXT, "1")
            assert type(error.value) is means


def test_nobody_there_is_later() -> None:
    """A gateway that does not answer loses nothing."""
    with counterpart() as there:
        url = there.url
    with pytest.raises(Away):
        Gateway(url).send(NUMBER, TEXT, "1")


def test_settings_name_every_fault() -> None:
    """What cannot be right is said at start, all of it."""
    gateway, faults = read_gateway(
        {"SMS_URL": "gopher://x", "SMS_FORM": "xml", "SMS_FIELDS": "[1]", "SMS_HEADERS": "{"}
    )
    assert len(faults) == 4 and gateway is not None
    gateway, faults = read_gateway({"SMS_URL": "https://g.example/s", "SMS_FIELDS": '{"to": "{digits}"}'})
    assert not faults and gateway == Gateway("https://g.example/s", "json", {"to": "{digits}"}, {})
    assert read_gateway({}) == (None, [])
