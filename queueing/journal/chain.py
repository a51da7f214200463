"""The chain: canonical bytes of an entry, and the hash that ties it to its place and to the entry before. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

Body = Mapping[str, Any]
GENESIS = "0" * 64
"""The hash before the first entry of an epoch."""


def canonical(body: Body) -> str:
    """The one text of an entry: JSON with sorted keys, no spaces, no escapes but the needed. Refuses what JSON
    cannot hold exactly (fractions, infinities)."""
    _check(body)
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def link(before: str, device: str, epoch: str, sequence: int, text: str) -> str:
    """SHA-256, hexadecimal, over the hash before, the entry's place and its canonical text."""
    head = f"{before}|{device}|{epoch}|{sequence}|"
    return hashlib.sha256(head.encode() + text.encode()).hexdigest()


def links(before: str, device: str, epoch: str, first: int, texts: Iterable[str]) -> list[str]:
    """The hashes of consecutive entries."""
    found = []
    for place, text in enumerate(texts, first):
        before = link(before, device, epoch, place, text)
        found.append(before)
    return found


def _check(value: Any) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"keys of an entry are text, not {key!r}")
            _check(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check(inner)
    elif isinstance(value, float):
        # Two machines may print a fraction differently; times are whole microseconds, so none is needed.
        raise ValueError(f"an entry holds no fractions: {value!r}")
