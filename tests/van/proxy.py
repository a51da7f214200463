"""A bad line: a proxy on the loopback that understands HTTP just enough to lose, cut and delay whole messages.

What happens to an exchange is decided by `fate(n)` for the n-th exchange:
- ok           both ways whole
- lost         the request never arrives
- cut          only the first half of the request arrives, then the connection breaks
- unanswered   the request arrives, its answer does not
- half         only the first half of the answer arrives
- down         nobody listens (the connection breaks at once)

`Rate` makes it slow as well: bytes a second each way, seconds each way, and a share of segments that are lost and sent
again after a time-out, as TCP does.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

SEGMENT = 1_400


@dataclass(frozen=True)
class Rate:
    """2G by default: 30 kbit/s, 600 ms there and back, every tenth segment lost."""

    bytes_s: float = 30_000 / 8
    way_s: float = 0.3
    loss: float = 0.1
    again_s: float = 1.0
    """TCP's first time-out at such a delay; it doubles when the same segment is lost again."""


def always(_number: int) -> str:
    """A line on which nothing is lost."""
    return "ok"


class Proxy:
    """Listens on a free port of the loopback and passes exchanges on to `target`."""

    def __init__(
        self,
        target: int,
        *,
        fate: Callable[[int], str] = always,
        rate: Rate | None = None,
        seed: int = 1,
    ) -> None:
        self.target, self.fate, self.rate = target, fate, rate
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.exchanges = self.bytes_up = self.bytes_down = 0
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The address to give to a van."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(60)
        with client, contextlib.suppress(OSError, ValueError):
            if self.rate:
                time.sleep(self.rate.way_s * 2)  # the connection is made
            while self._exchange(client):
                pass

    def _exchange(self, client: socket.socket) -> bool:
        request = read_message(client)
        if not request:
            return False
        self.exchanges += 1
        what = self.fate(self.exchanges)
        self.bytes_up += len(request)
        if what in ("lost", "down"):
            return False
        if what == "cut":
            with socket.create_connection(("127.0.0.1", self.target), 10) as server:
                server.sendall(request[: len(request) // 2])
            return False
        self._carry(len(request))
        with socket.create_connection(("127.0.0.1", self.target), 30) as server:
            server.sendall(request)
            answer = read_message(server)
        self.bytes_down += len(answer)
        if what == "unanswered":
            return False
        if what == "half":
            client.sendall(answer[: len(answer) // 2])
            return False
        self._carry(len(answer))
        client.sendall(answer)
        return True

    def _carry(self, size: int) -> None:
        """Take the time that so many bytes need."""
        if self.rate is None:
            return
        rate, seconds = self.rate, self.rate.way_s
        for begin in range(0, size, SEGMENT):
            piece = min(SEGMENT, size - begin) + 40
            wait = rate.again_s
            while self._random.random() < rate.loss:
                seconds += wait + piece / rate.bytes_s
                wait *= 2
            seconds += piece / rate.bytes_s
        time.sleep(seconds)


def read_message(stream: socket.socket) -> bytes:
    """One HTTP message with its body by Content-Length; b"" when the other side has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = stream.recv(65_536)
        if not piece:
            return b""
        data += piece
    head, _gap, body = data.partition(b"\r\n\r\n")
    length = 0
    for row in head.split(b"\r\n")[1:]:
        name, _colon, value = row.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        piece = stream.recv(65_536)
        if not piece:
            return data
        body += piece
        data += piece
    return data
