"""One exchange over a bad line: small messages, patience in proportion, one connection kept."""

from __future__ import annotations

import http.client
import time
from typing import Any
from urllib.parse import urlsplit

from queueing.journal.packing import Unreadable, pack, unpack

PATH = "/sync/van"
CONTENT = "application/x-van-sync"
SMALLEST, FIRST, LARGEST = 1_500, 6_000, 48_000
"""Bytes of a message upwards: the smallest, the first, the largest."""
PATIENCE_S = 12.0
SLOWEST_BYTES_S = 700.0
"""What 2G gives at its worst."""


class NoLine(Exception):
    """Nothing came back, or not whole: what was sent may have arrived all the same."""


class Refused(Exception):
    """Headquarters answered, and said no: status and words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status, self.words = status, words


class Line:
    """The way to headquarters. `size` follows what gets through."""

    def __init__(self, address: str, token: str, *, patience_s: float = PATIENCE_S) -> None:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "localhost", parts.port
        self._path = parts.path.rstrip("/") + PATH
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": CONTENT}
        self._patience_s = patience_s
        self._open: http.client.HTTPConnection | None = None
        self.size = FIRST
        self.sent_bytes = self.got_bytes = self.exchanges = self.failures = 0

    def exchange(self, message: dict[str, Any], *, expect: int = 8_000) -> dict[str, Any]:
        """Send a message, give back the answer. Raises NoLine, Refused."""
        data = pack(message)
        patience = self._patience_s + (len(data) + expect) / SLOWEST_BYTES_S
        began = time.monotonic()
        try:
            connection = self._connect(patience)
            connection.request("POST", self._path, body=data, headers=self._headers)
            self.sent_bytes += len(data)
            response = connection.getresponse()
            body = self._read(response, began + patience)
            self.got_bytes += len(body)
            if response.status >= 500:  # restarting, or without its database: it does not refuse, it cannot
                raise http.client.HTTPException(f"headquarters answers {response.status}")
            if response.status != 200:
                self.close()
                raise Refused(response.status, body[:300].decode(errors="replace"))
            answer = unpack(body)
        except (OSError, http.client.HTTPException, Unreadable) as error:
            self.close()
            self.failures += 1
            self.size = max(SMALLEST, self.size // 2)
            raise NoLine(type(error).__name__) from error
        self.exchanges += 1
        took = time.monotonic() - began
        if took < self._patience_s / 2:
            self.size = min(LARGEST, self.size * 3 // 2)
        return answer

    def _connect(self, patience: float) -> http.client.HTTPConnection:
        if self._open is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._open = kind(self._host, self._port, timeout=patience)
        self._open.timeout = patience
        if self._open.sock is not None:
            self._open.sock.settimeout(patience)
        return self._open

    @staticmethod
    def _read(response: http.client.HTTPResponse, until: float) -> bytes:
        """The whole body, or an error: a trickle does not hold us for ever."""
        found = b""
        while piece := response.read(4096):
            found += piece
            if time.monotonic() > until:
                raise TimeoutError("the answer takes too long")
        return found

    def close(self) -> None:
        """Let the connection go."""
        if self._open is not None:
            self._open.close()
            self._open = None
