"""Clients for the benchmark of tickets: keep-alive connections on raw sockets, driven by one loop, so that the client
costs little beside the server. Run as a process of its own:

    python -m tests.bench.bench_tickets_client < job.json > answer.json

A job: {"port", "seconds", "rate" (requests a second in all, 0: as fast as answers come), "most" (requests in all, 0: no
limit), "connections": [{"path", "token", "body" (with %d for a number that rises)}]}.
The answer: {"took", "answered", "status": {code: how many}, "ms": [latencies, from when a request was due], "said":
[the fields named in "keep" of every good answer]}.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import Counter, deque
from typing import Any


class Connection:
    """One keep-alive connection that has at most one request under way."""

    __slots__ = ("body", "due", "got", "head", "number", "paths", "socket")

    def __init__(self, port: int, job: dict[str, Any], number: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        paths = job["path"] if isinstance(job["path"], list) else [job["path"]]
        tokens = job["token"] if isinstance(job["token"], list) else [job["token"]] * len(paths)
        self.paths = deque(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
            for path, token in zip(paths, tokens, strict=True)
        )
        self.body: str = job["body"]
        self.number = number
        self.got = b""
        self.due = 0.0

    def send(self, due: float) -> None:
        """Send the next request; its time counts from `due`."""
        body = self.body % self.number
        self.number += 1
        head = self.paths[0]
        self.paths.rotate(-1)
        self.due = due
        self.socket.sendall(f"{head}{len(body)}\r\n\r\n{body}".encode())

    def receive(self) -> tuple[int, bytes] | None:
        """The answer (status, body) once it is whole."""
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.got += data
        end = self.got.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.got[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.got) < end + 4 + length:
            return None
        body = self.got[end + 4 : end + 4 + length]
        status = int(self.got[9:12])
        self.got = b""
        return status, body


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Carry out a job."""
    connections = [Connection(job["port"], one, one.get("from", 0)) for one in job["connections"]]
    keep, rate, most = job.get("keep", ()), job.get("rate", 0.0), job.get("most", 0)
    selector = selectors.DefaultSelector()
    for one in connections:
        selector.register(one.socket, selectors.EVENT_READ, one)
    took: list[float] = []
    status: Counter[int] = Counter()
    said: list[list[Any]] = []
    began = time.perf_counter()
    end = began + job["seconds"]
    sent = 0
    free = deque(connections)
    last = began
    while True:
        now = time.perf_counter()
        over = now >= end or (most and sent >= most)
        while free and not over:
            due = began + sent / rate if rate else now
            if due > now:
                break
            free.popleft().send(due)
            sent += 1
            over = bool(most and sent >= most)
        if over and len(free) == len(connections):
            break
        wait = max(0.0, began + sent / rate - now) if rate and free and not over else 5.0
        ready = selector.select(wait)
        if not ready and wait == 5.0:
            raise TimeoutError("no answer for five seconds")
        for entry, _mask in ready:
            answer = entry.data.receive()
            if answer is None:
                continue
            last = time.perf_counter()
            took.append(last - entry.data.due)
            status[answer[0]] += 1
            if keep and answer[0] in (200, 201):
                made = json.loads(answer[1])
                said.append([made.get(name) for name in keep])
            free.append(entry.data)
    return {
        "took": last - began,
        "answered": len(took),
        "status": status,
        "ms": [round(1000 * s, 2) for s in took],
        "said": said,
    }


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
