"""The way of messages to one live screen: in order, whole, and never waiting for a screen that does not read.

python-engineio gives each client a queue and a writer that takes packets from it, builds a websocket frame of each and
sends it. An `Outlet` stands in the place of that queue. Until the client has a websocket it is an ordinary queue (long
polling works as ever). From then on whoever puts a packet writes it straight to the socket, as far as the socket takes
it at once; what it does not take waits in a bounded backlog, and the client's writer sends that as the socket allows.
One lock orders all of it, so that a message never overtakes another and never lands inside one that was sent in part.
A client whose backlog is full, or that reads nothing for too long, is dropped: it connects again and asks for what it
missed by number.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import simple_websocket
from engineio.async_drivers._websocket_wsgi import SimpleWebSocketWSGI

BACKLOG_BYTES = 128 * 1024
"""What waits for one slow client, beside what the kernel holds: about a thousand changes."""
KERNEL_BYTES = 64 * 1024
"""What the kernel may hold for one client; left alone it grows to megabytes."""
HEARD_BYTES = 64 * 1024
"""The longest message a client may send; screens send some forty bytes."""
STALL_S = 10.0
"""A client that has something to read and reads nothing for so long is dropped."""
FAREWELL_S = 2.0
"""How long a client that is being let go may take to read what is left."""


def frame(message: str | bytes) -> bytes:
    """One whole, unmasked, uncompressed websocket frame (RFC 6455, 5.2), as servers send it."""
    first, payload = (0x81, message.encode()) if isinstance(message, str) else (0x82, bytes(message))
    size = len(payload)
    if size < 126:
        head = bytes((first, size))
    elif size < 65536:
        head = struct.pack("!BBH", first, 126, size)
    else:
        head = struct.pack("!BBQ", first, 127, size)
    return head + payload


def writer_of(connection: Any) -> Callable[[bytes], int]:
    """Return what sends as many bytes as a socket takes at once, and raises BlockingIOError when it takes none.

    `connection` is a plain socket that blocks, or gevent's, whose own socket below never blocks.
    """
    below = getattr(connection, "_sock", None)
    if below is not None:
        return below.send  # type: ignore[no-any-return]

    def send(data: bytes) -> int:
        return connection.send(data, socket.MSG_DONTWAIT)  # type: ignore[no-any-return]

    return send


class Wire:
    """A socket for simple-websocket: reads as ever; what it writes goes through the client's outlet."""

    def __init__(self, connection: Any, outlet: Outlet) -> None:
        self._connection = connection
        self._outlet = outlet
        # A limit of time would make even a send that must not wait, wait. The dead are found by their missing pongs.
        connection.settimeout(None)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.write = writer_of(connection)

    def recv(self, size: int) -> bytes:
        """Bytes from the client; none when it has gone."""
        return self._connection.recv(size)  # type: ignore[no-any-return]

    def send(self, data: bytes) -> int:
        """Write all of `data`, which simple-websocket has built (the handshake, answers to pings and closing)."""
        self._outlet.write_or(bytes(data), self._connection.sendall)
        return len(data)

    def fileno(self) -> int:
        """The socket's number, -1 when it is closed."""
        return self._connection.fileno()  # type: ignore[no-any-return]

    def hang_up(self) -> None:
        """End both directions: whoever reads from this socket hears its end at once."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Nothing: the web server that gave the socket closes it."""


class Outlet:
    """What stands in the place of python-engineio's queue of one client (see above).

    `queue` is the queue of the mode the server runs in; it serves until the websocket is there.
    """

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._wire: Wire | None = None
        self._client: Any = None
        self._attached = False
        self._ended = False
        self._lost = False
        self._backlog: deque[bytes] = deque()
        self._waiting = 0
        """Bytes of the backlog."""

    # -- towards the websocket

    def offer(self, wire: Wire, client: Any) -> None:
        """Name the websocket of this client; it is used from the moment that engineio's writer runs."""
        self._wire, self._client = wire, client

    def write(self, data: bytes) -> bool:
        """Send a whole frame, or keep it for when the socket takes it. False: there is no websocket yet.

        Never waits. A client that is too far behind is dropped.
        """
        with self._lock:
            if not self._attached:
                return False
            self._write(data)
        return True

    def write_or(self, data: bytes, at_once: Callable[[bytes], Any]) -> None:
        """Send bytes of the websocket's own; by `at_once`, which may wait, while packets still go by the queue."""
        with self._lock:
            if self._attached:
                self._write(data)
            else:
                at_once(data)

    def _write(self, data: bytes) -> None:
        if self._lost:
            return
        assert self._wire is not None
        if not self._backlog:
            try:
                sent = self._wire.write(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._lose()
                return
            if sent == len(data):
                return
            data = data[sent:]
        elif self._waiting + len(data) > BACKLOG_BYTES:
            self._lose()
            return
        self._backlog.append(data)
        self._waiting += len(data)
        self._wake.set()

    def _lose(self) -> None:
        """Let go of a client that cannot be served any more."""
        self._lost = True
        self._backlog.clear()
        self._waiting = 0
        assert self._wire is not None
        self._wire.hang_up()
        self._wake.set()

    @property
    def lost(self) -> bool:
        """Whether this client was dropped, or its line broke while something was sent."""
        return self._lost

    @property
    def waiting(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._waiting

    # -- towards engineio: the interface of a queue

    def put(self, packet: Any) -> None:
        """A packet for this client; None ends its connection."""
        with self._lock:
            if not self._attached:
                self._queue.put(packet)
            elif packet is None:
                self._ended = True
                self._wake.set()
            else:
                self._write(frame(packet.encode()))

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The next packet for long polling. With a websocket: send the backlog until the connection ends, then None."""
        if not self._attached and self._ready():
            self._attach()
        if not self._attached:
            return self._queue.get(block=block, timeout=timeout)
        self._serve()
        return None

    def task_done(self) -> None:
        """A packet that polling took has been dealt with."""
        if not self._attached:
            self._queue.task_done()

    def join(self) -> None:
        """Wait until all has been sent, not for ever."""
        if not self._attached:
            self._queue.join()
            return
        until = time.monotonic() + FAREWELL_S
        while self._backlog and time.monotonic() < until:
            select.select([], [], [], 0.01)

    def _ready(self) -> bool:
        return self._wire is not None and self._client.upgraded and not self._client.upgrading

    def _attach(self) -> None:
        """From here on everything goes to the websocket, what came before it first."""
        with self._lock:
            self._attached = True
            while not self._queue.empty():
                packet = self._queue.get(block=False)
                self._queue.task_done()
                if packet is None:
                    self._ended = True
                else:
                    self._write(frame(packet.encode()))

    def _serve(self) -> None:
        """Send what the socket did not take at once, whenever it takes more, until the connection ends."""
        assert self._wire is not None
        while not self._lost:
            with self._lock:
                idle = not self._backlog
                if idle:
                    if self._ended:
                        return
                    self._wake.clear()
            if idle:
                self._wake.wait()
            elif self._writable(FAREWELL_S if self._ended else STALL_S):
                self._flush()
            else:
                with self._lock:
                    self._lose()

    def _writable(self, timeout: float) -> bool:
        assert self._wire is not None
        number = self._wire.fileno()
        if number < 0:
            return False
        poller = select.poll()
        poller.register(number, select.POLLOUT)
        return bool(poller.poll(timeout * 1000))

    def _flush(self) -> None:
        assert self._wire is not None
        with self._lock:
            while self._backlog:
                head = self._backlog[0]
                try:
                    sent = self._wire.write(head)
                except BlockingIOError:
                    return
                except OSError:
                    self._lose()
                    return
                self._waiting -= sent
                if sent < len(head):
                    self._backlog[0] = head[sent:]
                    return
                self._backlog.popleft()


class _NoThread:
    """simple-websocket starts a thread a client that only reads; ours reads where it is waited for."""

    name = ""

    def __init__(self, **_arguments: Any) -> None:
        pass

    def start(self) -> None:
        """Nothing to start."""


class _Websocket(simple_websocket.Server):  # type: ignore[misc]
    """simple-websocket's server side over a `Wire`, without its thread."""

    sock: Any
    connected: bool

    def __init__(self, environ: dict[str, Any], outlet: Outlet) -> None:
        self._outlet = outlet
        self.wire: Any = None
        super().__init__(environ, max_message_size=HEARD_BYTES, thread_class=_NoThread)

    def handshake(self) -> None:
        self.wire = self.sock = Wire(self.sock, self._outlet)
        super().handshake()

    def receive(self, timeout: float | None = None) -> Any:
        """The next message of the client. Raises ConnectionClosed when there will be none."""
        while not self.input_buffer:
            if not self.connected:
                raise simple_websocket.ConnectionClosed(self.close_reason, self.close_message)
            try:
                data = self.sock.recv(self.receive_bytes)
            except OSError:
                data = b""
            if not data:
                self.connected = False
                continue
            self.ws.receive_data(data)
            self.connected = self._handle_events()
        return self.input_buffer.pop(0)


class WebsocketOverWire(SimpleWebSocketWSGI):  # type: ignore[misc]
    """What engineio calls for an upgrade: its handler runs over our websocket, its queue becomes the outlet."""

    def __init__(self, handler: Callable[[Any], Any], server: Any) -> None:
        super().__init__(handler, server)
        self._client = handler.__self__  # type: ignore[attr-defined]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        # No compression: frames must be the same for all, and a compressor takes up to 256 kB a client.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        outlet: Outlet = self._client.queue
        self.ws = _Websocket(environ, outlet)
        outlet.offer(self.ws.wire, self._client)
        try:
            answer = self.app(self)
        finally:
            self.ws.wire.hang_up()
        if self.ws.mode == "gunicorn":
            raise StopIteration()
        if self.ws.mode == "werkzeug":
            raise ConnectionError()
        return answer

    def close(self) -> None:
        """Say goodbye where the client still hears it, and end the connection."""
        with contextlib.suppress(Exception):
            super().close()
        self.ws.wire.hang_up()
