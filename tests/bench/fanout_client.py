"""Many websocket clients in one light process: plain sockets and epoll, no library.

    python -m tests.bench.fanout_client PORT FIRST COUNT ROOMS

Client number n joins room n % ROOMS. Says `ready` when all have joined; at each line on its standard input it says one
line of JSON: what came since the last one, whether each room's numbers rose by one, and a histogram of delays in steps
of 20 microseconds (clock: CLOCK_MONOTONIC, the same in all processes of a machine).
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import sys
import time
from collections import Counter

STEP_NS = 20_000
AT_ONCE = 100
"""Connections on their way at the same time."""
BODY = re.compile(rb'"seq":(\d+),"t":(\d+)')
HELLO = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def masked(text: str) -> bytes:
    """A short text frame as clients send it, under a mask of zeros."""
    data = text.encode()
    return bytes((0x81, 0x80 | len(data), 0, 0, 0, 0)) + data


PONG = masked("3")
JOIN = masked("40/live,")


class Client:
    """One connection and where it stands."""

    __slots__ = ("joined", "next", "room", "socket", "tail")

    def __init__(self, port: int, room: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.sendall(HELLO)
        self.socket.setblocking(False)
        self.room = room
        self.tail = b""
        self.next = -1
        """The next number of its room that has to come, -1: any."""
        self.joined = False


class Crowd:
    """All clients of this process."""

    def __init__(self, port: int, first: int, count: int, rooms: int) -> None:
        self._port, self._rooms = port, rooms
        self._to_come = list(range(first, first + count))
        self._poll = select.epoll()
        self._clients: dict[int, Client] = {}
        self._joining = 0
        self.count = count
        self.joined = 0
        self.delays: Counter[int] = Counter()
        self.received = self.gaps = self.lost_lines = 0

    def step(self, timeout: float) -> None:
        """Open what is to come, then read what is there."""
        while self._to_come and self._joining < AT_ONCE:
            client = Client(self._port, self._to_come.pop() % self._rooms)
            self._clients[client.socket.fileno()] = client
            self._poll.register(client.socket.fileno(), select.EPOLLIN)
            self._joining += 1
        for number, _what in self._poll.poll(timeout):
            if number == 0:
                self._report()
            else:
                self._read(self._clients[number])

    def listen(self) -> None:
        """From now on answer lines of the standard input."""
        self._poll.register(0, select.EPOLLIN)

    def _report(self) -> None:
        if not sys.stdin.readline():
            sys.exit(0)
        said = {
            "received": self.received,
            "gaps": self.gaps,
            "lost_lines": self.lost_lines,
            "delays": self.delays,
        }
        print(json.dumps(said), flush=True)
        self.delays = Counter()
        self.received = self.gaps = 0
        for client in self._clients.values():
            client.next = -1

    def _read(self, client: Client) -> None:
        try:
            data = client.socket.recv(262_144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.lost_lines += 1
            self._poll.unregister(client.socket.fileno())
            del self._clients[client.socket.fileno()]
            client.socket.close()
            return
        now = time.monotonic_ns()
        if client.tail:
            data = client.tail + data
        at, size = 0, len(data)
        if data.startswith(b"HTTP/"):
            end = data.find(b"\r\n\r\n")
            if end < 0:
                client.tail = data
                return
            at = end + 4
        while size - at >= 2:
            length, head = data[at + 1], 2
            if length == 126:
                if size - at < 4:
                    break
                length, head = data[at + 2] << 8 | data[at + 3], 4
            elif length == 127:
                raise ValueError("no such long frames are expected")
            if size - at < head + length:
                break
            begin = at + head
            at = begin + length
            if data.startswith(b'42/live,["changed"', begin):
                self._took(client, data, begin, at, now)
            else:
                self._answer(client, data[begin:at])
        client.tail = data[at:]

    def _took(self, client: Client, data: bytes, begin: int, end: int, now: int) -> None:
        found = BODY.search(data, begin, end)
        assert found is not None
        number = int(found[1])
        # A run begins each room at 0; whatever does not follow is a gap.
        self.gaps += number != (client.next if client.next >= 0 else 0)
        client.next = number + 1
        self.received += 1
        self.delays[(now - int(found[2])) // STEP_NS] += 1

    def _answer(self, client: Client, payload: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            if payload == b"2":
                client.socket.send(PONG)
            elif payload.startswith(b"0{"):
                client.socket.send(JOIN)
            elif payload.startswith(b"40/live,"):
                client.socket.send(masked(f'42/live,["watch",{{"room":{client.room}}}]'))
            elif payload.startswith(b'42/live,["state"') and not client.joined:
                client.joined = True
                self.joined += 1
                self._joining -= 1


def main() -> None:
    """Join, then listen until the standard input ends."""
    port, first, count, rooms = (int(word) for word in sys.argv[1:5])
    crowd = Crowd(port, first, count, rooms)
    while crowd.joined < count:
        crowd.step(1.0)
    print("ready", flush=True)
    crowd.listen()
    while True:
        crowd.step(5.0)


if __name__ == "__main__":
    main()
