"""Writes a small OpenStreetMap extract as `.osm.pbf`, by hand: nodes, and ways with their tags.

The format: https://wiki.openstreetmap.org/wiki/PBF_Format (protocol buffers in length-prefixed blobs).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Way = tuple[Sequence[int], Mapping[str, str]]


def write_osm(path: Path, nodes: Mapping[int, tuple[float, float]], ways: Sequence[Way]) -> None:
    """Write nodes {id: (lat, lon)} and ways (node ids, tags) to `path`."""
    words = [""]
    for _, tags in ways:
        words += [word for pair in tags.items() for word in pair]
    table = {word: i for i, word in reversed(list(enumerate(words)))}
    dense_ids, lats, lons = [], [], []
    for name, (lat, lon) in sorted(nodes.items()):
        dense_ids.append(name)
        lats.append(round(lat * 10**7))
        lons.append(round(lon * 10**7))
    dense = _packed(1, _deltas(dense_ids)) + _packed(8, _deltas(lats)) + _packed(9, _deltas(lons))
    groups = _bytes(2, _bytes(2, dense))
    for i, (refs, tags) in enumerate(ways, start=1):
        body = _field(1, 0) + _varint(i)
        body += _packed(2, [table[key] for key in tags]) + _packed(
            3, [table[value] for value in tags.values()]
        )
        groups += _bytes(2, _bytes(3, body + _packed(8, _deltas(refs))))
    block = _bytes(1, b"".join(_bytes(1, word.encode()) for word in words)) + groups
    head = b"".join(_bytes(4, word) for word in (b"OsmSchema-V0.6", b"DenseNodes"))
    path.write_bytes(_blob(b"OSMHeader", head) + _blob(b"OSMData", block))


def _blob(kind: bytes, content: bytes) -> bytes:
    body = _bytes(1, content)
    head = _bytes(1, kind) + _field(3, 0) + _varint(len(body))
    return struct.pack(">I", len(head)) + head + body


def _deltas(values: Iterable[int]) -> list[int]:
    """Return the differences as protocol buffers' sint64: zigzag."""
    found, before = [], 0
    for value in values:
        step, before = value - before, value
        found.append(step * 2 if step >= 0 else -step * 2 - 1)
    return found


def _packed(number: int, values: Iterable[int]) -> bytes:
    return _bytes(number, b"".join(map(_varint, values)))


def _bytes(number: int, content: bytes) -> bytes:
    return _field(number, 2) + _varint(len(content)) + content


def _field(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
