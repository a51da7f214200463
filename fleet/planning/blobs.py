"""Problems and solutions as stored: gzipped JSON, and decoded once for the many questions about one plan."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from routing.problem import Problem
from routing.travel import Travel


def pack(data: Mapping[str, Any]) -> bytes:
    """Return `data` as gzipped JSON; equal data give equal bytes (no time stamp)."""
    return gzip.compress(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(), 6, mtime=0)


def unpack(blob: bytes) -> dict[str, Any]:
    """Return what `pack` packed; an empty blob is an empty object."""
    return json.loads(gzip.decompress(blob)) if blob else {}  # type: ignore[no-any-return]


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A stored problem ready for questions. `problem` carries no pins: who asks says which visits are
    pinned."""

    raw: dict[str, Any]
    problem: Problem
    travel: Travel
    people: Mapping[tuple[str, str, int], float]
    """Expected people served by (site, class, stay) on the reference day."""
    waiting: Mapping[tuple[str, str, int], int]
    """How much of the value of (site, class, stay) is waiting relieved; missing where it is not known."""

    def people_at(self, site: str, klass: str, stay: int, day: int) -> float:
        """Expected people served by a visit, with the day's percentage."""
        percent = self.problem.site_by_id[site].day_percent
        return self.people.get((site, klass, stay), 0.0) * (100 if percent is None else percent[day]) / 100


@lru_cache(maxsize=4)
def decode(blob: bytes) -> Decoded:
    """Decode a stored problem; cached by its bytes, so that a changed problem can never be mistaken for the
    old one."""
    raw = unpack(blob)
    problem = dataclasses.replace(Problem.from_json(raw), pinned=(), checked=True)
    offers = {
        (site["id"], klass, offer["stay"]): offer
        for site in raw["sites"]
        for klass, some in (site["offers"].items() if isinstance(site["offers"], dict) else ())
        for offer in some
    }
    people = {key: float(offer.get("people", 0.0)) for key, offer in offers.items()}
    waiting = {key: int(offer["waiting"]) for key, offer in offers.items() if "waiting" in offer}
    return Decoded(raw, problem, Travel(problem), people, waiting)
