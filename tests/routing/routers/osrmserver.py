"""A real HTTP server that answers `table` requests in OSRM's exact shape, with OSRM's limits and errors.

Shapes, order of checks and messages are those of osrm-backend's docs/http.md and src/engine/plugins/table.cpp. Roads:
as the crow flies at 36 km/h (10 m/s); south of the equator lies an island, and north of 80 degrees there are none.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from routing.travel import great_circle_km

SPEED = 10  # metres a second


class OsrmServer(ThreadingHTTPServer):
    """Remembers how many cells each request asked for; `most` is --max-table-size; `say` replaces the next answers."""

    daemon_threads = True

    def __init__(self, most: int = 100) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.most = most
        self.asked: list[tuple[int, int]] = []
        self.say: tuple[int, bytes] | None = None
        self.hold = threading.Event()
        self.hold.set()

    @property
    def url(self) -> str:
        """The address to give to a client."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(most: int = 100) -> Iterator[OsrmServer]:
    """Run a server until the block ends."""
    server = OsrmServer(most)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: OsrmServer

    def do_GET(self) -> None:
        self.server.hold.wait(10)
        status, raw = self.server.say or self.table()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def table(self) -> tuple[int, bytes]:
        """Answer as OSRM does."""
        parts = urlsplit(self.path)
        found = re.fullmatch(r"/table/v1/(\w+)/([-\d.,;]+)", parts.path)
        if found is None:
            return _refuse("InvalidUrl", "URL string malformed close to position 1")
        spots = [tuple(map(float, spot.split(","))) for spot in found[2].split(";")]
        if any(not (abs(lon) <= 180 and abs(lat) <= 90) for lon, lat in spots):
            return _refuse("InvalidOptions", "Coordinates are invalid")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        sources = _picked(query.get("sources", "all"), len(spots))
        targets = _picked(query.get("destinations", "all"), len(spots))
        self.server.asked.append((len(sources), len(targets)))
        if len(sources) * len(targets) > self.server.most**2:
            return _refuse("TooBig", "Too many table coordinates")
        for i, (_, lat) in enumerate(spots):
            if lat > 80:
                return _refuse("NoSegment", f"Could not find a matching segment for coordinate {i}")
        metres = [[_metres(spots[i], spots[j]) for j in targets] for i in sources]
        answer: dict[str, Any] = {"code": "Ok"}
        annotations = query.get("annotations", "duration").split(",")
        if "distance" in annotations:
            answer["distances"] = [[None if m is None else round(m, 1) for m in row] for row in metres]
        if "duration" in annotations:
            answer["durations"] = [
                [None if m is None else round(m / SPEED, 1) for m in row] for row in metres
            ]
        answer["destinations"] = [_waypoint(spots[j]) for j in targets]
        answer["sources"] = [_waypoint(spots[i]) for i in sources]
        return 200, json.dumps(answer).encode()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _picked(given: str, count: int) -> list[int]:
    return list(range(count)) if given == "all" else [int(one) for one in given.split(";")]


def _metres(a: tuple[float, ...], b: tuple[float, ...]) -> float | None:
    if a == b:
        return 0.0
    return None if (a[1] < 0) != (b[1] < 0) else 1000 * great_circle_km(a[1], a[0], b[1], b[0])


def _waypoint(spot: tuple[float, ...]) -> dict[str, Any]:
    return {
        "hint": "AAAAgP___38AAA",
        "distance": 4.2,
        "name": "",
        "location": [round(one, 6) for one in spot],
    }


def _refuse(code: str, message: str) -> tuple[int, bytes]:
    return 400, json.dumps({"code": code, "message": message}).encode()
