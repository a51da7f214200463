"""A small Socket.IO server around the product's fan-out, alone: for tests of the wire and for its benchmark.

    FANOUT=fast|stock gunicorn -k gevent|gthread tests.web.fanout_app:app

Clients connect to /live and send `watch` {"room": 3}; HTTP requests make it emit.
"""

from __future__ import annotations

import gc
import os
import resource
import threading
import time
from pathlib import Path
from typing import Any

from flask import Flask, jsonify, request
from flask_socketio import Namespace, SocketIO, emit, join_room

from web.fanout import Fanout
from web.live import NAMESPACE, async_mode

app = Flask("fanout")
socketio = SocketIO()
fanout = Fanout(socketio, fast=os.environ.get("FANOUT", "fast") == "fast")
PING_S = float(os.environ.get("PING_S", "25"))


class Rooms(Namespace):  # type: ignore[misc]
    """What clients may ask."""

    def on_watch(self, data: Any) -> None:
        """Join a room; the answer goes the ordinary way."""
        join_room(f"room:{data['room']}")
        emit("state", {"room": data["room"]})

    def on_say(self, data: Any) -> Any:
        """An acknowledged message: the answer goes the ordinary way too, between emits."""
        emit("said", data)
        return data


socketio.on_namespace(Rooms(NAMESPACE))
socketio.init_app(
    app,
    async_mode=async_mode(),
    ping_interval=PING_S,
    ping_timeout=float(os.environ.get("PONG_S", "20")),
    **({"monitor_clients": False} if fanout.fast else {}),
)
fanout.install()
if os.environ.get("SMALL_KERNEL"):
    from web import wire

    wire.KERNEL_BYTES = int(os.environ["SMALL_KERNEL"])


@app.get("/counts")
def counts() -> Any:
    """Clients, and what waits for slow ones."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory = pages * resource.getpagesize() // 1024
    return jsonify(threads=threading.active_count(), rss_kib=memory, pid=os.getpid(), **fanout.counts())


@app.post("/emit")
def emit_bodies() -> Any:
    """{"room", "bodies", "senders"}: so many tasks emit the bodies at once, each in order, each under its number."""
    asked = request.get_json()
    done = []

    def send(number: int) -> None:
        for body in asked["bodies"]:
            fanout.emit(
                "changed", {**body, "sender": number}, namespace=NAMESPACE, room=f"room:{asked['room']}"
            )
            if asked.get("pause"):
                socketio.sleep(asked["pause"])
        done.append(number)

    for number in range(asked.get("senders", 1)):
        socketio.start_background_task(send, number)
    while len(done) < asked.get("senders", 1):
        socketio.sleep(0.01)
    return jsonify(sent=len(asked["bodies"]) * asked.get("senders", 1))


def used() -> float:
    """Seconds of CPU of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@app.post("/run")
def run() -> Any:
    """{"rooms", "emits_per_second", "seconds", "bytes"}: emit to room after room at an even pace; what it took."""
    asked = request.get_json()
    pad = "x" * max(0, asked["bytes"] - 60)
    gap = 1.0 / asked["emits_per_second"]
    total = round(asked["seconds"] * asked["emits_per_second"])
    gc.collect()
    began, cpu = time.monotonic(), used()
    latest = 0.0
    for number in range(total):
        due = began + number * gap
        ahead = due - time.monotonic()
        if ahead > 0.0005 or not number % 50:
            socketio.sleep(max(0.0, ahead))
        latest = max(latest, time.monotonic() - due)
        room = number % asked["rooms"]
        body = {"queue": room, "seq": number // asked["rooms"], "t": time.monotonic_ns(), "part": pad}
        fanout.emit("changed", body, namespace=NAMESPACE, room=f"room:{room}")
    took = time.monotonic() - began
    return jsonify(emits=total, seconds=took, cpu_s=used() - cpu, latest_ms=latest * 1000)
