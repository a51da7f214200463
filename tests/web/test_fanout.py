"""The fast way to many screens: the same bytes as the stock way, in order, whole, and nobody waits for the slow."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import engineio
import engineio.socket
import pytest
from engineio.packet import MESSAGE, Packet

from tests.web.raw_socket import ROOT, Raw, get, post, served, without_names
from web import fanout, wire
from web.fanout import Fanout, unread
from web.wire import BACKLOG_BYTES, Outlet, Wire, frame

MODES = ("gthread", "gevent")
BODIES = [
    {"queue": 1, "seq": 1, "part": "line"},
    {"queue": 1, "seq": 2, "part": "نداء", "label": "أ-017"},
    {"seq": 3, "text": "x" * 90},
    {"seq": 4, "text": "y" * 200},
    {"seq": 5, "text": "ع" * 12_000},
    {"seq": 6, "list": [1, 2.5, None, True, '"quoted"\n']},
]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """How the server runs: threads, or gevent (skipped where it is not installed)."""
    if request.param == "gevent":
        pytest.importorskip("gevent", reason="gevent is not installed")
    return str(request.param)


@pytest.fixture(scope="module")
def servers() -> Iterator[Any]:
    """`servers(mode, "fast", PING_S="1")` -> the port of such a server, started once for all tests."""
    with contextlib.ExitStack() as stack:
        ports: dict[Any, int] = {}

        def start(mode: str, kind: str, **more: str) -> int:
            key = (mode, kind, *more.items())
            if key not in ports:
                ports[key] = stack.enter_context(served(mode, kind, **more))
            wait_for(lambda: get(ports[key], "/counts")["clients"] == 0)  # of the test before
            return ports[key]

        yield start


@pytest.fixture
def client() -> Iterator[Any]:
    """`client(port)` -> a raw client, gone at the end."""
    made: list[Raw] = []

    def connect(port: int, **more: Any) -> Raw:
        made.append(Raw(port, **more))
        return made[-1]

    yield connect
    for one in made:
        one.close()


NARROW = {"SMALL_KERNEL": "4096"}
"""The kernel holds little for each client, so that backlogs are there."""


# ---- on the wire


def test_both_paths_send_the_same_bytes(mode: str, servers: Any, client: Any) -> None:
    """A raw client records everything after the handshake: short, long and very long frames, Arabic, two in a row."""
    records = []
    for kind in ("stock", "fast"):
        port = servers(mode, kind, **NARROW)
        assert get(port, "/counts")["fast"] == int(kind == "fast")
        one = client(port).watch(1)
        bodies = BODIES + BODIES[:4]
        post(port, "/emit", {"room": 1, "bodies": bodies})
        one.say('42/live,7["say",{"n":1}]')
        heard = one.bodies(len(bodies))
        assert [body["seq"] for body in heard] == [body["seq"] for body in bodies]
        one.until("43/live,7")
        records.append(without_names(one.record))
    assert records[0] == records[1]
    assert len(records[0]) > 70_000


def test_the_fast_path_is_taken_and_polling_clients_hear_the_same(mode: str, servers: Any) -> None:
    """A client on long polling and one on a websocket in one room: both hear all, in order; upgrade included."""
    node = node_client()
    port = servers(mode, "fast", **NARROW)
    runs = [start_node(node, port, how, 60) for how in ("polling", "websocket", "upgrade")]
    for run in runs:
        assert run.stdout is not None and run.stdout.readline().strip() == "ready"
    time_of_upgrade(runs[2])
    post(port, "/emit", {"room": 1, "bodies": [{"n": n} for n in range(20)], "senders": 3, "pause": 0.001})
    for run in runs:
        said = json.loads(run.communicate(timeout=60)[0].splitlines()[-1])
        for sender in range(3):
            assert [b["n"] for b in said["bodies"] if b["sender"] == sender] == list(range(20)), said["how"]
        assert said["transport"] == ("polling" if said["how"] == "polling" else "websocket")


def test_messages_through_an_upgrade_from_polling_stay_in_order(mode: str, servers: Any) -> None:
    """The official client begins with polling and goes over to a websocket while messages come: none is lost."""
    node = node_client()
    port = servers(mode, "fast", **NARROW)
    runs = [start_node(node, port, "upgrade", 150) for _ in range(3)]
    for run in runs:
        assert run.stdout is not None and run.stdout.readline().strip() == "ready"
    # "ready" comes before the upgrade is through: it happens while these are sent.
    post(port, "/emit", {"room": 1, "bodies": [{"n": n} for n in range(150)], "pause": 0.004})
    for run in runs:
        said = json.loads(run.communicate(timeout=60)[0].splitlines()[-1])
        assert [body["n"] for body in said["bodies"]] == list(range(150))
        assert said["transport"] == "websocket"


def test_order_and_completeness_under_concurrent_emits_and_slow_readers(
    mode: str, servers: Any, client: Any
) -> None:
    """Eight senders at once to twelve clients, half of which read late and through a narrow window: each hears
    sender's messages whole and in order, answers to its own questions between them included."""
    port = servers(mode, "fast", **NARROW)
    clients = [client(port, receive=2048 if n % 2 else None).watch(1) for n in range(12)]
    bodies = [{"n": n, "pad": "p" * (n * 7 % 300)} for n in range(40)]
    waiting: list[dict[str, int]] = []
    sending = threading.Thread(
        target=post, args=(port, "/emit", {"room": 1, "bodies": bodies, "senders": 8, "pause": 0.001})
    )
    sending.start()
    for number in range(10):
        clients[0].say(f'42/live,{number}["say",{{"n":{number}}}]')
    sending.join()
    waiting.append(get(port, "/counts"))
    assert waiting[0]["behind"] >= 1, "the narrow clients must lag, else this shows nothing"
    for one in clients:
        heard: dict[int, list[int]] = {}
        for body in one.bodies(8 * 40):
            heard.setdefault(body["sender"], []).append(body["n"])
        assert heard == {sender: list(range(40)) for sender in range(8)}
    assert get(port, "/counts")["behind"] == 0


def test_a_client_that_never_reads_is_dropped_and_holds_nobody_up(
    mode: str, servers: Any, client: Any
) -> None:
    """More than its backlog may hold: its connection ends; another in the room hears everything meanwhile."""
    port = servers(mode, "fast", **NARROW)
    dead, alive = client(port, receive=2048).watch(1), client(port).watch(1)
    assert get(port, "/counts")["clients"] == 2
    bodies = [{"n": n, "pad": "p" * 4000} for n in range(2 * BACKLOG_BYTES // 4000)]
    sending = threading.Thread(
        target=post, args=(port, "/emit", {"room": 1, "bodies": bodies, "pause": 0.001})
    )
    sending.start()
    assert [body["n"] for body in alive.bodies(len(bodies))] == list(range(len(bodies)))
    sending.join()
    wait_for(lambda: get(port, "/counts")["clients"] == 1)
    with pytest.raises((EOFError, ConnectionResetError)):
        while True:
            dead.next()
    assert client(port).watch(1), "it may come again"


def test_a_client_that_answers_no_ping_is_let_go(mode: str, servers: Any, client: Any) -> None:
    """Pings come from one task for all: who answers stays, who does not is closed in time."""
    port = servers(mode, "fast", PING_S="1", PONG_S="1")
    silent, alive = client(port), client(port)
    threading.Thread(target=lambda: quietly(alive.bodies, 1), daemon=True).start()
    pings = 0
    with pytest.raises((EOFError, ConnectionResetError)):
        while True:
            got = silent.socket.recv(4096)
            if not got:
                raise EOFError
            pings += got.count(b"\x81\x012")
    assert pings == 1
    wait_for(lambda: get(port, "/counts")["clients"] == 1)
    time.sleep(2.5)
    assert get(port, "/counts")["clients"] == 1, "who answers stays"


def test_threads_of_a_screen(mode: str, servers: Any, client: Any) -> None:
    """In threads a websocket needs two (its request's and its writer), not four."""
    if mode == "gevent":
        pytest.skip("greenlets are not threads")
    port = servers(mode, "fast", PING_S="1", PONG_S="1")
    clients = [client(port) for _ in range(10)]
    for one in clients:
        threading.Thread(target=lambda c=one: quietly(c.bodies, 1), daemon=True).start()
    # The first ping of a client still has a thread of its own; afterwards it has none.
    wait_for(lambda: get(port, "/counts")["threads"] <= 2 * 10 + 10)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_the_official_python_client_hears_all_in_order(
    mode: str, transport: str, servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python-socketio's own client beside others, under concurrent emits."""
    pytest.importorskip("websocket", reason="websocket-client is not installed")
    pytest.importorskip("requests", reason="requests is not installed")
    import socketio
    from engineio.payload import Payload

    # By default this client refuses an answer to a poll with more than 16 packets, which a burst has.
    monkeypatch.setattr(Payload, "max_decode_packets", 1000)
    # And it handles each message in a thread of its own, which says nothing of the order they came in.
    stock = engineio.Client._trigger_event
    monkeypatch.setattr(
        engineio.Client,
        "_trigger_event",
        lambda *given, **more: stock(*given, **{**more, "run_async": False}),
    )
    port = servers(mode, "fast", **NARROW)
    client = socketio.Client()
    heard: list[dict[str, Any]] = []
    ready = threading.Event()
    client.on("changed", heard.append, namespace="/live")
    client.on("state", lambda _state: ready.set(), namespace="/live")
    client.connect(f"http://127.0.0.1:{port}", namespaces=["/live"], transports=[transport])
    client.emit("watch", {"room": 1}, namespace="/live")
    assert ready.wait(10)
    post(port, "/emit", {"room": 1, "bodies": [{"n": n} for n in range(100)], "senders": 4})
    wait_for(lambda: len(heard) == 400)
    for sender in range(4):
        assert [body["n"] for body in heard if body["sender"] == sender] == list(range(100))
    client.disconnect()


# ---- the outlet alone


class Pair:
    """An outlet whose websocket is one end of a socket pair; `read` reads the other."""

    def __init__(self, kernel: int = 4096) -> None:
        near, self.far = socket.socketpair()
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kernel)
        self.outlet = Outlet(Queue())
        self.client = SimpleNamespace(upgraded=False, upgrading=False)
        self.near = near
        self.outlet.offer(Wire(near, self.outlet), self.client)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kernel)
        self.writer = threading.Thread(target=self._write, daemon=True)
        self.got: list[Any] = []

    def _write(self) -> None:
        self.got.append(self.outlet.get(timeout=30))

    def attach(self) -> None:
        """The websocket is there, engineio's writer runs."""
        self.client.upgraded = True
        self.writer.start()

    def read_all(self) -> list[str]:
        """All messages until the other side ends."""
        data = b""
        while chunk := self.far.recv(random.Random(len(data)).randint(1, 900)):
            data += chunk
        return messages(data)


def messages(data: bytes) -> list[str]:
    """The texts of whole frames; anything else fails."""
    found = []
    while data:
        assert data[0] == 0x81, "a frame begins where the last one ended"
        size, at = data[1], 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        assert size < 127 or at == 4
        found.append(data[at : at + size].decode())
        data = data[at + size :]
    return found


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connected outlet."""
    made = Pair()
    yield made
    made.near.close()
    made.far.close()


def test_an_outlet_is_a_plain_queue_until_the_websocket_is_there(pair: Pair) -> None:
    packets = [Packet(MESSAGE, str(n)) for n in range(3)]
    for packet in packets:
        pair.outlet.put(packet)
    assert not pair.outlet.write(frame("4early")), "nothing goes past what polling still has to fetch"
    assert pair.outlet.get(timeout=1) is packets[0]
    pair.outlet.task_done()
    pair.attach()
    wait_for(lambda: pair.outlet.write(frame("4later")))
    pair.outlet.put(None)
    pair.writer.join(5)
    assert pair.got == [None]
    pair.near.shutdown(socket.SHUT_WR)
    assert pair.read_all() == ["41", "42", "4later"]


def test_many_writers_and_a_narrow_line_never_mix_two_frames(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames and packets from six threads, sent in pieces of odd sizes: every frame whole, each thread's in order."""
    monkeypatch.setattr(wire, "BACKLOG_BYTES", 10**9)
    pair.attach()
    wait_for(lambda: pair.outlet.write(frame("4-:0:")))

    def write(name: int) -> None:
        for number in range(200):
            text = f"{name}:{number}:" + "z" * (number * 13 % 400)
            if number % 3:
                pair.outlet.write(frame("4" + text))
            else:
                pair.outlet.put(Packet(MESSAGE, text))

    writers = [threading.Thread(target=write, args=(name,)) for name in range(6)]
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.extend(pair.read_all()))
    reader.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    pair.outlet.put(None)
    pair.writer.join(20)
    assert not pair.outlet.lost
    pair.near.shutdown(socket.SHUT_WR)
    reader.join(20)
    by: dict[str, list[int]] = {}
    for message in heard:
        name, number, pad = message[1:].split(":")
        assert name == "-" or pad == "z" * (int(number) * 13 % 400)
        by.setdefault(name, []).append(int(number))
    assert by == {"-": [0]} | {str(name): list(range(200)) for name in range(6)}


def test_a_full_backlog_and_a_stall_drop_the_client(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.attach()
    wait_for(lambda: pair.outlet.write(frame("4a")))
    for _ in range(3 * BACKLOG_BYTES // 1000):
        pair.outlet.write(frame("4" + "b" * 1000))
    assert pair.outlet.lost
    assert pair.outlet.waiting == 0, "nothing is kept for who is gone"
    pair.writer.join(5)
    assert pair.got == [None], "engineio's writer ends, so that the connection is cleaned up"
    monkeypatch.setattr(wire, "STALL_S", 0.2)
    other = Pair()
    other.attach()
    wait_for(lambda: other.outlet.write(frame("4a")))
    other.outlet.write(frame("4" + "c" * 60_000))
    assert other.outlet.waiting
    other.writer.join(5)
    assert other.outlet.lost and other.got == [None]


def test_frames_are_those_of_the_standard() -> None:
    """Against wsproto, at every border of the length's forms."""
    from wsproto.frame_protocol import FrameProtocol

    stock = FrameProtocol(client=False, extensions=[])
    for size in (0, 1, 125, 126, 127, 65535, 65536, 70000):
        assert frame("a" * size) == bytes(stock.send_data("a" * size))
        assert frame(b"a" * size) == bytes(stock.send_data(b"a" * size))


# ---- when the libraries are not those that were read


def test_the_pinned_libraries_are_those_that_were_read() -> None:
    """Fails when a library is raised: read what has changed, then bring READ in web/fanout.py up to date."""
    assert unread() == []


def test_another_library_leaves_the_stock_path(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """A changed inside is named in the log, nothing is replaced, and messages go out by the library's own way."""
    monkeypatch.setitem(fanout.READ, engineio.socket.Socket.send, "000000000000")
    sent = []

    class Stock:
        server = SimpleNamespace(eio=SimpleNamespace(_async={"queue": Queue, "websocket": object}))

        def emit(self, *given: Any, **more: Any) -> None:
            sent.append((given, more))

    one = Fanout(Stock())  # type: ignore[arg-type]
    one.install()
    assert not one.fast and "Socket.send" in caplog.text
    assert Stock.server.eio._async["queue"] is Queue
    one.emit("changed", {"n": 1}, namespace="/live", room="queue:1")
    assert sent == [(("changed", {"n": 1}), {"namespace": "/live", "to": "queue:1", "ignore_queue": True})]


# ---- helpers


def wait_for(true: Any, seconds: float = 15.0) -> None:
    """Wait until `true()`; fail after so many seconds."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def quietly(work: Any, *given: Any) -> None:
    """Run until it is cut off."""
    try:
        work(*given)
    except (OSError, EOFError):
        return


def node_client() -> str:
    """The node program; skipped with the reason where node or the official client is missing."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (ROOT / "node_modules" / "socket.io-client").exists():
        pytest.skip("socket.io-client is not there (make setup fetches it)")
    return node


def start_node(node: str, port: int, how: str, count: int) -> subprocess.Popen[str]:
    """The official client from npm in a process: says "ready", then what it heard."""
    return subprocess.Popen(
        [node, str(Path(__file__).with_name("official_client.js")), str(port), how, str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def time_of_upgrade(run: subprocess.Popen[str]) -> None:
    """Wait until the client says that it has gone over to the websocket."""
    assert run.stdout is not None and run.stdout.readline().strip() == "upgraded"
