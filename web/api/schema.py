"""The part of JSON Schema 2020-12 that the API's document uses, and one checker of values against it. Pure.

Requests are checked by the same schemas that the OpenAPI document shows, so the document cannot promise otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

Schema = dict[str, Any]
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}
_PARSED: dict[str, Callable[[str], date]] = {"date": date.fromisoformat, "date-time": datetime.fromisoformat}


class Fault(NamedTuple):
    """One wrong field: where it is (`wait.low`, `items[2].id`) and what is wrong, in a plain sentence."""

    field: str
    detail: str


def check(schema: Schema, value: Any, components: dict[str, Schema], field: str = "") -> list[Fault]:
    """Every way in which `value` breaks `schema`; `components` resolves `#/components/schemas/<name>`."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[-1]]
    if "anyOf" in schema:
        answers = [check(option, value, components, field) for option in schema["anyOf"]]
        return [] if any(not faults for faults in answers) else min(answers, key=len)
    wanted = schema.get("type")
    if wanted is not None:
        names = (wanted,) if isinstance(wanted, str) else wanted
        if type(value) not in _TYPES[names[0]] and not any(_is(value, name) for name in names):
            return [Fault(field, f"must be {' or '.join(names)}, it is {_name(value)}")]
    if "const" in schema and value != schema["const"]:
        return [Fault(field, f"must be {schema['const']!r}")]
    if "enum" in schema and value not in schema["enum"]:
        return [Fault(field, f"must be one of {', '.join(map(str, schema['enum']))}")]
    if isinstance(value, str):
        return _text(schema, value, field)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(schema, value, field)
    if isinstance(value, list):
        return _list(schema, value, components, field)
    if isinstance(value, dict):
        return _object(schema, value, components, field)
    return []


def from_text(schema: Schema, text: str) -> Any:
    """A query or path value in the type its schema names; the text itself where it is not of that type."""
    kind = schema.get("type")
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text)
    except ValueError:
        return text
    if kind == "boolean":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return text


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool) and name != "boolean":
        return False
    return isinstance(value, _TYPES[name])


def _name(value: Any) -> str:
    return next((name for name in _TYPES if _is(value, name)), type(value).__name__)


def _text(schema: Schema, value: str, field: str) -> list[Fault]:
    if "\0" in value or (not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value)):
        return [Fault(field, "has characters that are no text")]
    if len(value) < schema.get("minLength", 0):
        return [
            Fault(
                field,
                "must not be empty" if not value else f"needs at least {schema['minLength']} characters",
            )
        ]
    if len(value) > schema.get("maxLength", len(value)):
        return [Fault(field, f"must have at most {schema['maxLength']} characters")]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [Fault(field, schema.get("x-says") or f"must match {schema['pattern']}")]
    parse = _PARSED.get(schema.get("format", ""))
    if parse is not None:
        try:
            made = parse(value)
        except ValueError:
            return [
                Fault(
                    field,
                    "must be a date such as 2026-11-22" if schema["format"] == "date" else "must be a time",
                )
            ]
        if isinstance(made, datetime) and made.tzinfo is None:
            return [Fault(field, "must be a time with its offset, such as 2026-11-22T10:00:00+02:00")]
    return []


def _number(schema: Schema, value: float, field: str) -> list[Fault]:
    if value != value or value in (float("inf"), float("-inf")):
        return [Fault(field, "must be a finite number")]
    if value < schema.get("minimum", value):
        return [Fault(field, f"must be at least {schema['minimum']}")]
    if value > schema.get("maximum", value):
        return [Fault(field, f"must be at most {schema['maximum']}")]
    return []


def _list(schema: Schema, value: list[Any], components: dict[str, Schema], field: str) -> list[Fault]:
    if len(value) > schema.get("maxItems", len(value)):
        return [Fault(field, f"must have at most {schema['maxItems']} entries")]
    items = schema.get("items", {})
    return [f for n, item in enumerate(value) for f in check(items, item, components, f"{field}[{n}]")]


def _object(schema: Schema, value: dict[str, Any], components: dict[str, Schema], field: str) -> list[Fault]:
    prefix = f"{field}." if field else ""
    faults = [Fault(prefix + name, "is missing") for name in schema.get("required", ()) if name not in value]
    known = schema.get("properties", {})
    for name, part in known.items():
        if name in value:
            faults += check(part, value[name], components, prefix + name)
    more = schema.get("additionalProperties")
    if more is False:
        faults += [Fault(prefix + name, "is not known") for name in value if name not in known]
    elif isinstance(more, dict):
        for name in value.keys() - known.keys():
            faults += check(more, value[name], components, prefix + name)
    return faults
