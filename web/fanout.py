"""One message to all screens of a room, encoded once and written straight to their sockets.

Flask-SocketIO puts a packet into the queue of each client, wakes a writer for each, and each builds the same websocket
frame again: 38 microseconds of CPU a delivery. Here the frame is built once and each client's outlet (web/wire.py)
takes it as it is. The bytes on the wire are those of the stock path. Order is kept by the outlets, which every other
packet to the client goes through too.

It stands on insides of python-engineio, python-socketio and simple-websocket. `READ` names the pieces that were
read and what their source was; where one differs, nothing is replaced and the stock path serves (`Fanout.fast` is
False, said in the log and in /metrics).
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import engineio
import simple_websocket
import socketio as sio
from engineio.async_drivers import _websocket_wsgi
from engineio.packet import MESSAGE, Packet
from flask_socketio import SocketIO
from socketio.packet import EVENT

from web.wire import Outlet, WebsocketOverWire, frame

LOG = logging.getLogger(__name__)
PING_EVERY_S = 5
PING_TIMEOUT_S = 4
"""A screen whose line is silently cut knows after nine seconds at most, and says so within ten."""
AT_ONCE = 256
"""Deliveries of one message after which others get their turn."""
READ: dict[Callable[..., Any], str] = {
    engineio.Server._handle_connect: "33793606bfb9",
    engineio.Server.send_packet: "0c8454e55d52",
    engineio.base_server.BaseServer.create_queue: "fc1f1c8f568a",
    engineio.socket.Socket.poll: "4a460fe434d1",
    engineio.socket.Socket.send: "d93341b33b0c",
    engineio.socket.Socket.receive: "c7c6469a8184",
    engineio.socket.Socket.close: "c6dde7d32f47",
    engineio.socket.Socket.check_ping_timeout: "564a763a0774",
    engineio.socket.Socket.schedule_ping: "d2c08b9c531a",
    engineio.socket.Socket._upgrade_websocket: "7faf86259e56",
    engineio.socket.Socket._websocket_handler: "1e821a31517f",
    engineio.packet.Packet.encode: "6c41fd73fbb2",
    _websocket_wsgi.SimpleWebSocketWSGI.__call__: "be4c552047c9",
    _websocket_wsgi.SimpleWebSocketWSGI.close: "38246821b1af",
    _websocket_wsgi.SimpleWebSocketWSGI.wait: "dadb13494773",
    simple_websocket.ws.Base.__init__: "c6f9b81e77a2",
    simple_websocket.ws.Base.close: "01aff917b462",
    simple_websocket.ws.Base._handle_events: "b36266bd4893",
    simple_websocket.Server.__init__: "ee29799c560e",
    simple_websocket.Server.handshake: "5cf432fe60d3",
    sio.Manager.emit: "268ea53c990c",
    sio.Manager.get_participants: "e2d051d50d7d",
    sio.Server._send_eio_packet: "d769039e8489",
}
"""What the outlets rely on, with a digest of its source as it was read."""


def digest_of(piece: Callable[..., Any]) -> str:
    """A short name of a function's source; empty when there is none to read."""
    try:
        source = inspect.getsource(piece)
    except (OSError, TypeError):
        return ""
    return hashlib.blake2s(source.encode(), digest_size=6).hexdigest()


def unread() -> list[str]:
    """Names of the pieces whose source is not what was read."""
    return [
        f"{piece.__module__}.{piece.__qualname__}"
        for piece, known in READ.items()
        if digest_of(piece) != known
    ]


class Fanout:
    """Sends messages to rooms of one Socket.IO server: fast where it may, by the stock path else."""

    def __init__(self, target: SocketIO, *, fast: bool = True) -> None:
        self._target = target
        strange = unread() if fast else []
        if strange:
            LOG.warning("fan-out: by the stock path, the libraries have changed (%s)", ", ".join(strange))
        self.fast = fast and not strange
        self.delivered = 0
        """Messages written or handed on since the start, one for each client."""
        self._pulse: Pulse | None = None

    def install(self) -> None:
        """Give the server's clients outlets. Call once, right after `SocketIO.init_app`."""
        eio = self._target.server.eio
        if not self.fast or eio._async["websocket"] is None:
            self.fast = False
            return
        stock = eio._async["queue"]
        eio._async = {
            **eio._async,
            "queue": lambda *a, **k: Outlet(stock(*a, **k)),
            "websocket": self._websocket,
        }
        self._pulse = Pulse(eio)

    def _websocket(self, handler: Callable[[Any], Any], server: Any) -> WebsocketOverWire:
        assert self._pulse is not None
        self._pulse.take(handler.__self__)  # type: ignore[attr-defined]
        return WebsocketOverWire(handler, server)

    def listens(self, *, namespace: str, room: str) -> bool:
        """Whether anybody here may hear what is sent to `room`."""
        return not self.fast or room in self._target.server.manager.rooms.get(namespace, {})

    def emit(self, event: str, body: Any, *, namespace: str, room: str) -> None:
        """Send `event` with one JSON `body` to every client of `room` that this process serves."""
        server = self._target.server
        if not self.fast:
            self._target.emit(event, body, namespace=namespace, to=room, ignore_queue=True)
            return
        if room not in server.manager.rooms.get(namespace, {}):
            return
        text = server.packet_class(EVENT, namespace=namespace, data=[event, body]).encode()
        if not isinstance(text, str):  # binary parts go as several packets
            self._target.emit(event, body, namespace=namespace, to=room, ignore_queue=True)
            return
        packet = Packet(MESSAGE, text)
        data = frame(packet.encode())
        clients = server.eio.sockets
        for number, (_sid, eio_sid) in enumerate(server.manager.get_participants(namespace, room), 1):
            client = clients.get(eio_sid)
            if client is None or client.closed or not client.queue.write(data):
                server._send_eio_packet(eio_sid, packet)
            self.delivered += 1
            if not number % AT_ONCE:
                self._target.sleep(0)

    def counts(self) -> dict[str, int]:
        """How many clients there are, how many of them have a backlog, and how many bytes wait in all."""
        outlets = [client.queue for client in list(self._target.server.eio.sockets.values())]
        waiting = [outlet.waiting for outlet in outlets if isinstance(outlet, Outlet)]
        return {
            "clients": len(outlets),
            "behind": sum(1 for n in waiting if n),
            "bytes": sum(waiting),
            "delivered": self.delivered,
            "fast": int(self.fast),
        }


class Pulse:
    """Pings of all websocket clients and the search for dead ones from one task, where engineio starts one a client."""

    TICK_S = 0.2
    PING = frame("2")

    def __init__(self, eio: Any) -> None:
        self._eio = eio
        self._due: deque[tuple[float, Any]] = deque()
        self._started = False
        self._lock = threading.Lock()

    def take(self, client: Any) -> None:
        """From its next pong on this client is pinged from here."""
        client.schedule_ping = lambda: self._schedule(client)
        with self._lock:
            if not self._started:
                self._started = True
                self._eio.start_background_task(self._run)

    def _schedule(self, client: Any) -> None:
        if client.last_ping:
            client.last_ping = None
            self._due.append((time.monotonic() + self._eio.ping_interval, client))

    def _run(self) -> None:
        sweep = time.monotonic()
        while True:
            self._eio.sleep(self.TICK_S)
            now = time.monotonic()
            try:
                self._ping(now)
                if now - sweep >= self._eio.ping_timeout / 2:
                    sweep = now
                    self._sweep()
            except Exception:
                # One client's trouble must not leave all others without pings.
                LOG.exception("fan-out: this round of pings failed; going on")

    def _ping(self, now: float) -> None:
        number = 0
        while self._due and self._due[0][0] <= now:
            _at, client = self._due.popleft()
            if not client.closing and not client.closed:
                client.last_ping = time.time()
                if not client.queue.write(self.PING):
                    client.send(Packet(2))
            number += 1
            if not number % AT_ONCE:
                self._eio.sleep(0)

    def _sweep(self) -> None:
        """Close clients that answered no ping, whatever their transport."""
        for number, (sid, client) in enumerate(list(self._eio.sockets.items()), 1):
            if client.closed:
                self._eio.sockets.pop(sid, None)
            elif not client.closing:
                client.check_ping_timeout()
            if not number % AT_ONCE:
                self._eio.sleep(0)
