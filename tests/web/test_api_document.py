"""The OpenAPI document and the routes cannot drift apart."""

from __future__ import annotations

import re
from typing import Any

import pytest

from web.api.document import PREFIX
from web.api.operations import OPERATIONS
from web.api.schema import Fault, check
from web.api.shapes import COMPONENTS


@pytest.fixture
def document(client: Any) -> dict[str, Any]:
    made: dict[str, Any] = client.get("/api/openapi.json").get_json()
    return made


def test_every_route_is_in_the_document_and_every_documented_path_is_a_route(app: Any, document: Any) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule[len(PREFIX) :]), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(PREFIX)
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    documented = {(path, method) for path, item in document["paths"].items() for method in item}
    assert routes == documented
    assert document["openapi"] == "3.1.0" and document["servers"] == [{"url": PREFIX}]


def test_names_of_operations_are_unique_and_path_parameters_declared(document: Any) -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(names) == len(set(names))
    for path, item in document["paths"].items():
        for operation in item.values():
            declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path)), path
            assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")


def test_every_example_is_valid_by_its_own_schema(document: Any) -> None:
    """Examples of bodies, answers and problems are what the checker of real requests accepts."""
    checked = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            contents = [answer.get("content", {}) for answer in operation["responses"].values()]
            contents.append(operation.get("requestBody", {}).get("content", {}))
            for content in contents:
                for media in content.values():
                    if "example" in media:
                        faults = check(media["schema"], media["example"], document["components"]["schemas"])
                        assert faults == [], (path, method, faults)
                        checked += 1
    assert checked >= 60


def test_every_reference_leads_somewhere_and_every_component_is_used(document: Any) -> None:
    text = str(document)
    wanted = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert wanted == set(document["components"]["schemas"])


def test_operations_name_the_tokens_they_need(document: Any) -> None:
    needs = {
        (path, method): [name for entry in operation["security"] for name in entry]
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert needs["/queues/{id}/tickets", "post"] == ["kiosk", "desk"]
    assert needs["/desks/{id}/next", "post"] == ["desk"]
    assert needs["/positions", "post"] == ["device"]
    assert needs["/visits", "get"] == needs["/tickets/{ticket}", "get"] == []


@pytest.mark.parametrize(
    ("schema", "value", "faults"),
    [
        ({"type": "integer"}, True, [Fault("", "must be integer, it is boolean")]),
        ({"type": "number", "minimum": 0}, float("nan"), [Fault("", "must be a finite number")]),
        ({"type": ["string", "null"]}, None, []),
        (
            {"type": "string", "format": "date"},
            "2026-13-01",
            [Fault("", "must be a date such as 2026-11-22")],
        ),
        (
            {"type": "array", "items": {"type": "integer"}},
            [1, "2"],
            [Fault("[1]", "must be integer, it is string")],
        ),
        ({"enum": ["a", "b"]}, "c", [Fault("", "must be one of a, b")]),
        ({"$ref": "#/components/schemas/Fault"}, {"field": "x"}, [Fault("detail", "is missing")]),
    ],
)
def test_the_checker_finds_what_is_wrong_and_where(schema: Any, value: Any, faults: Any) -> None:
    assert check(schema, value, COMPONENTS) == faults
