"""A client of OSRM's `table` service (https://project-osrm.org/docs/v5.24.0/api/#table-service).

`GET /table/v1/{profile}/{lon},{lat};...?sources=...&destinations=...&annotations=duration,distance` answers with
seconds and metres. A server takes 100 x 100 cells by default (`--max-table-size`), so larger tables are asked in
blocks; one that takes less says `TooBig`, and the block is halved. So is one that fails whole with `NoSegment`, because
a single place lies off the roads, until it is known which.
"""

from __future__ import annotations

import http.client
import json
import math
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from routing.errors import RouterError
from routing.routers.table import Block, Point, Table, in_blocks

MOST = 100
TIMEOUT = 30.0


class Osrm:
    """Asks the server at `url` ("http://localhost:5000"), waiting `timeout` seconds for each answer."""

    name = "osrm"

    def __init__(
        self, url: str, *, profile: str = "driving", timeout: float = TIMEOUT, most: int = MOST
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise RouterError([f"osrm: {url!r} is no http or https address"])
        self.url = url.rstrip("/")
        self.profile, self.timeout, self.most = profile, timeout, most

    def matrix(self, points: Sequence[Point], targets: Sequence[Point] | None = None) -> Table:
        """Return the table from `points` to `targets`; None where OSRM finds no way. Raises `RouterError`."""
        everything = [*points] if targets is None else [*points, *targets]
        shift = 0 if targets is None else len(points)

        def ask(rows: range, columns: range) -> Block:
            return self._block(everything, rows, range(columns.start + shift, columns.stop + shift))

        return in_blocks(points, targets, self.most, ask)

    def _block(self, points: Sequence[Point], rows: range, columns: range) -> Block:
        used = sorted({*rows, *columns})
        place = {k: i for i, k in enumerate(used)}
        spots = ";".join(f"{points[k][1]:.6f},{points[k][0]:.6f}" for k in used)
        sources = ";".join(str(place[k]) for k in rows)
        destinations = ";".join(str(place[k]) for k in columns)
        query = f"sources={sources}&destinations={destinations}&annotations=duration,distance"
        status, answer = self._get(f"{self.url}/table/v1/{self.profile}/{spots}?{query}")
        code = answer.get("code")
        if code in ("TooBig", "NoSegment") and max(len(rows), len(columns)) > 1:
            return self._halves(points, rows, columns)
        if code == "NoSegment":
            return [[None]], [[None]]
        if status != 200 or code != "Ok":
            said = answer.get("message") or f"HTTP status {status}"
            raise RouterError([f"osrm: {self.url} answers {code or 'no code'}: {said}"])
        shape = len(rows), len(columns)
        seconds = self._numbers(answer, "durations", shape)
        metres = self._numbers(answer, "distances", shape)
        return seconds, [[None if one is None else one / 1000 for one in row] for row in metres]

    def _halves(self, points: Sequence[Point], rows: range, columns: range) -> Block:
        """Ask a block in halves of its longer side."""
        if len(rows) >= len(columns):
            middle = rows.start + len(rows) // 2
            upper = self._block(points, range(rows.start, middle), columns)
            lower = self._block(points, range(middle, rows.stop), columns)
            return upper[0] + lower[0], upper[1] + lower[1]
        middle = columns.start + len(columns) // 2
        left = self._block(points, rows, range(columns.start, middle))
        right = self._block(points, rows, range(middle, columns.stop))
        seconds = [a + b for a, b in zip(left[0], right[0], strict=True)]
        return seconds, [a + b for a, b in zip(left[1], right[1], strict=True)]

    def _get(self, url: str) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON object that the server answers, also with an error."""
        request = urllib.request.Request(url, headers={"Accept": "application/json"})
        try:
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as response:
                    status, raw = response.status, response.read()
            except urllib.error.HTTPError as error:
                with error:
                    status, raw = error.code, error.read()
        except TimeoutError as error:
            raise RouterError([f"osrm: {self.url} does not answer within {self.timeout:g} s"]) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            if isinstance(reason, TimeoutError):
                raise RouterError([f"osrm: {self.url} does not answer within {self.timeout:g} s"]) from error
            raise RouterError([f"osrm: {self.url} cannot be reached: {reason}"]) from error
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise RouterError(
                [f"osrm: {self.url} answers no JSON object (HTTP {status}); is it an OSRM server?"]
            )
        return status, answer

    def _numbers(self, answer: dict[str, Any], key: str, shape: tuple[int, int]) -> list[list[float | None]]:
        """Return a table of the answer after looking at its shape: a server that lies must not end in a plan."""
        rows = answer.get(key)
        if not isinstance(rows, list):
            hint = " (this OSRM may be too old for them)" if key == "distances" else ""
            raise RouterError([f"osrm: {self.url} answers without {key}{hint}"])
        found: list[list[float | None]] = []
        for row in rows:
            if not isinstance(row, list) or len(row) != shape[1] or not all(map(_length, row)):
                break
            found.append(row)
        if len(found) != len(rows) or len(rows) != shape[0]:
            raise RouterError(
                [f"osrm: {self.url} answers {key} that are no table of {shape[0]} x {shape[1]} numbers"]
            )
        return found


def _length(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= 10**10 and math.isfinite(value)
