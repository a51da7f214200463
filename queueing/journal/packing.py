"""The small form of a message for a bad line: columns instead of rows, times as differences, deflated with a dictionary
that both sides have. Pure. docs/van-protocol.md describes it.

A message is a JSON object. Lists of entries in it (`entries`, `lost`) are turned into columns: entries with the same
keys make one group; a column whose values are all equal is written once. Ticket codes that were named before in the
same message are written as their number. Random identifiers do not shrink; everything else nearly vanishes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

VERSION = 1
MOST_BYTES = 4_000_000
"""What a message may hold after inflating: more is an attack or a mistake."""
LISTS = ("entries", "lost")
DICTIONARY = (
    b'{"service":"NID-01","ahead":0}{"undoes":0,"action":"call"}{"note":""}{"flag":"forgotten"}'
    b'"waiting","called","serving","served","parked","missed","left","cancelled","booked","transferred"'
    b'"issue","call","start","finish","miss","recall","park","resume","requeue","leave","close","arrive","undo"'
    b'"kiosk","phone","staff","booking","schedule","scheduler","same":"fields":"rows":"order":"k","c","a","f","t","d",'
    b'"w","r","h","x","n","s","ticket","row","desk","queue","visit","shift","open","closed","state","operator",'
    b'{"aged_from":,"appointment_at":,"channel":"kiosk","code":"","day":"2026-","issued_at":17,"label":"M00",'
    b'"number":,"phone":"+2010","priority":0,"promised_high_s":,"promised_low_s":,"queue_id":,"service_id":}'
    b'{"v":1,"device":"","epoch":"","segment":"","now":1,"high":,"first":,"before":"","cursor":,"entries":{"groups":['
    b'"ack":,"hash":"","verdict":"ok","changes":[["ticket","'
)


class Unreadable(ValueError):
    """Bytes that are no message: cut short, changed on the way, or not ours."""


def pack(message: dict[str, Any]) -> bytes:
    """A message as bytes."""
    small = {key: _columns(value) if key in LISTS else value for key, value in message.items()}
    text = json.dumps(small, separators=(",", ":"), ensure_ascii=False).encode()
    deflate = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    return deflate.compress(text) + deflate.flush()


def unpack(data: bytes) -> dict[str, Any]:
    """The message in some bytes. Raises Unreadable; a message that was cut anywhere is unreadable."""
    inflate = zlib.decompressobj(zlib.MAX_WBITS, DICTIONARY)
    try:
        text = inflate.decompress(data, MOST_BYTES)
        if not inflate.eof or inflate.unused_data:
            raise Unreadable("the message is incomplete")
        small = json.loads(text)
        if not isinstance(small, dict):
            raise Unreadable("a message is an object")
        return {key: _rows(value) if key in LISTS else value for key, value in small.items()}
    except (zlib.error, ValueError, TypeError, LookupError, AttributeError) as error:
        raise Unreadable(str(error)) from error


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows as groups of columns, and in which group each row stands."""
    groups: list[dict[str, Any]] = []
    places: dict[tuple[str, ...], int] = {}
    order: list[int] = []
    codes: dict[Any, int] = {}
    time = 0
    for row in rows:
        fields = tuple(sorted(row))
        if fields not in places:
            places[fields] = len(groups)
            groups.append({"fields": list(fields), "rows": [[] for _ in fields]})
        place = places[fields]
        order.append(place)
        for column, name in zip(groups[place]["rows"], fields, strict=True):
            value = row[name]
            if name == "h":
                value, time = value - time, value
            elif name == "c":
                if value in codes:
                    value = codes[value]
                else:
                    codes[value] = len(codes)
            column.append(value)
    for group in groups:
        for n, column in enumerate(group["rows"]):
            if len(column) > 1 and all(_same(value, column[0]) for value in column):
                group["rows"][n] = {"same": column[0]}
    return {"groups": groups, "order": order}


def _rows(packed: dict[str, Any]) -> list[dict[str, Any]]:
    """The inverse of `_columns`."""
    counts = [0] * len(packed["groups"])
    codes: list[Any] = []
    time = 0
    rows = []
    for place in packed["order"]:
        group, at = packed["groups"][place], counts[place]
        counts[place] += 1
        row: dict[str, Any] = {}
        for name, column in zip(group["fields"], group["rows"], strict=True):
            value = column["same"] if isinstance(column, dict) else column[at]
            if name == "h":
                time = value = value + time
            elif name == "c":
                if isinstance(value, int):
                    value = codes[value]
                else:
                    codes.append(value)
            row[name] = value
        rows.append(row)
    return rows


def _same(value: Any, other: Any) -> bool:
    """Equal and of the same type: 1 and true differ in an entry's hash."""
    return type(value) is type(other) and value == other and not isinstance(value, (dict, list))
