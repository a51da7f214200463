"""A websocket client of plain sockets that keeps every byte, and servers in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START_S = 60.0


class Raw:
    """One client that has joined /live. `record` holds what the server sent after the handshake of HTTP."""

    def __init__(self, port: int, *, receive: int | None = None) -> None:
        self.socket = socket.socket()
        if receive:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        self.record = b""
        self._parsed = 0
        self.socket.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(1)
        assert b" 101 " in head, head
        self.until("0{")
        self.say("40/live,")
        self.until("40/live,")

    def say(self, text: str) -> None:
        """Send a text frame, masked as clients must."""
        data = text.encode()
        assert len(data) < 126
        mask = b"abcd"
        body = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        self.socket.sendall(bytes((0x81, 0x80 | len(data))) + mask + body)

    def watch(self, room: int) -> Raw:
        """Join a room and hear so."""
        self.say(f'42/live,["watch",{{"room":{room}}}]')
        self.until('42/live,["state"')
        return self

    def next(self) -> str:
        """The next text message that is no ping; pings are answered. Raises EOFError when the server has ended it."""
        while True:
            if (got := self._frame()) is not None:
                opcode, payload = got
                if opcode == 8:
                    raise EOFError
                if payload == b"2":
                    self.say("3")
                    continue
                return payload.decode()
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.record += more

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole frame of the record."""
        data = memoryview(self.record)[self._parsed :]
        if len(data) < 2:
            return None
        assert data[0] & 0x70 == 0, "no extension was agreed on"
        assert not data[1] & 0x80, "servers do not mask"
        assert data[0] & 0x80, "messages come in one frame each"
        size, at = data[1], 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + size or (size in (126, 127) and at == 2):
            return None
        self._parsed += at + size
        return data[0] & 0x0F, bytes(data[at : at + size])

    def until(self, begin: str) -> str:
        """The next message that begins so."""
        while not (message := self.next()).startswith(begin):
            pass
        return message

    def bodies(self, count: int, event: str = "changed") -> list[dict[str, Any]]:
        """The bodies of the next `count` events."""
        mark = f'42/live,["{event}",'
        return [json.loads(self.until(mark)[8:])[1] for _ in range(count)]

    def close(self) -> None:
        """Go without a word."""
        self.socket.close()


def without_names(record: bytes) -> bytes:
    """A record without what differs by chance: session ids and pings."""
    return re.sub(rb'"sid":"[^"]*"', b'"sid":"?"', record).replace(b"\x81\x012", b"")


@contextlib.contextmanager
def served(mode: str, kind: str, **more: str) -> Iterator[int]:
    """tests/web/fanout_app.py under gunicorn: `mode` gthread or gevent, `kind` fast or stock. Gives its port."""
    with gunicorn("tests.web.fanout_app:app", mode, {"FANOUT": kind, **more}) as port:
        yield port


@contextlib.contextmanager
def gunicorn(app: str, mode: str, env: Mapping[str, str], *arguments: str) -> Iterator[int]:
    """An application under gunicorn on a free port, stopped at the end."""
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "-k", mode, "--threads", "64", "--worker-connections", "12000",
        "-b", f"127.0.0.1:{port}", "--log-level", "warning", "--graceful-timeout", "1", *arguments, app,
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, start_new_session=True)
    try:
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def post(port: int, path: str, body: Any, timeout: float = 60.0) -> Any:
    """The JSON answer of a POST."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)


def get(port: int, path: str) -> Any:
    """The JSON answer of a GET."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return json.load(answer)
