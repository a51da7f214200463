"""Sixteen clients that keep a ledger: which request got which answer. A request without an answer is sent again, with
the same request id, until there is one."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.bench_tickets_world import Counter

KIOSKS, CLERKS = 10, 6


@dataclass(frozen=True)
class Answer:
    """What was acknowledged: the path and body that were sent, the status, the ticket (None: nobody waits)."""

    path: str
    token: str
    body: dict[str, Any]
    status: int
    ticket: str | None
    label: str | None


@dataclass
class Ledger:
    """Everything acknowledged, by request id. `wrong` collects what no client may ever see."""

    answers: dict[str, Answer] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    more: threading.Condition = field(default_factory=threading.Condition)
    up: bool = False
    """Clients may send."""
    under_way: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    resent: int = 0
    """Requests that got no answer the first time."""
    sampled: int = 0

    def note(self, answer: Answer) -> None:
        """One more answer."""
        with self.more:
            self.answers[answer.body["request_id"]] = answer
            self.more.notify_all()

    def let_go(self) -> None:
        """Clients send from now on."""
        with self.more:
            self.up = True
            self.more.notify_all()

    def pause(self) -> None:
        """Clients send nothing more."""
        with self.more:
            self.up = False

    def hold(self, *, patience_s: float) -> bool:
        """The same, and no request is under way any more: what is looked at stands still. False when one stays."""
        self.pause()
        with self.more:
            return self.more.wait_for(lambda: not self.under_way, patience_s)

    def send(self, port: int, path: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """One try, when clients may; 599 when there was no whole answer."""
        with self.more:
            self.more.wait_for(lambda: self.up)
            self.under_way += 1
        try:
            return post(port, path, token, body)
        except (OSError, http.client.HTTPException, ValueError):
            return 599, {}
        finally:
            with self.more:
                self.under_way -= 1
                self.more.notify_all()

    def wait_for(self, count: int, *, patience_s: float) -> bool:
        """Wait until there are `count` answers; False when they do not come."""
        with self.more:
            return self.more.wait_for(lambda: len(self.answers) >= count or bool(self.wrong), patience_s)


def post(port: int, path: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """One request over a connection of its own. Raises OSError or HTTPException when there is no whole answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), head)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else {}
    finally:
        connection.close()


class Clients:
    """Ten kiosks and six desks, each a thread that goes on until told to stop."""

    def __init__(self, port: int, places: Sequence[Counter], ledger: Ledger, seed: int) -> None:
        self._port, self._ledger = port, ledger
        desks = [desk for place in places for desk in place.desks]
        works: list[tuple[Any, tuple[Any, ...]]] = [
            (self._kiosk, (places[n % len(places)], f"k{n}", random.Random(seed * 100 + n)))
            for n in range(KIOSKS)
        ]
        works += [
            (self._clerk, (*desks[n], f"c{n}", random.Random(seed * 100 + 50 + n))) for n in range(CLERKS)
        ]
        self._threads = [threading.Thread(target=self._guarded, args=work, daemon=True) for work in works]

    def start(self) -> None:
        """Let them go."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Each ends after the answer it waits for."""
        self._ledger.over.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a client got no answer"

    def ask(self, path: str, token: str, body: dict[str, Any]) -> Answer:
        """Send until there is an answer. Nothing that these clients do may be refused."""
        tries = 0
        while True:
            status, said = self._ledger.send(self._port, path, token, body)
            if status < 500:
                break
            tries += 1
            if tries == 1:
                self._ledger.resent += 1
            if tries > 500:
                raise AssertionError(f"{path} {body}: no answer")
            self._ledger.over.wait(0.02)  # a moment before the next try, as any client
        if status not in (200, 201, 204):
            raise AssertionError(f"{path} {body}: {status} {said}")
        answer = Answer(path, token, body, status, said.get("ticket"), said.get("label"))
        self._ledger.note(answer)
        return answer

    def _guarded(self, work: Any, args: tuple[Any, ...]) -> None:
        try:
            while not self._ledger.over.is_set():
                work(*args)
        except Exception as error:
            with self._ledger.more:
                self._ledger.wrong.append(repr(error))
                self._ledger.more.notify_all()

    def _kiosk(self, place: Counter, name: str, chance: random.Random) -> None:
        body = {"service": chance.choice(("id", "birth")), "request_id": f"{name}-{chance.getrandbits(60):x}"}
        self.ask(f"/api/v1/queues/{place.queue}/tickets", place.kiosk, body)

    def _clerk(self, desk: int, token: str, name: str, chance: random.Random) -> None:
        def body(**more: Any) -> dict[str, Any]:
            return {"request_id": f"{name}-{chance.getrandbits(60):x}", **more}

        called = self.ask(f"/api/v1/desks/{desk}/next", token, body())
        if called.ticket is None:
            return
        ways = (
            ("start", "finish"),
            ("recall", "start"),
            ("start", "park", "resume", "finish"),
            ("miss",),
            (),
        )
        for verb in chance.choice(ways):
            self.ask(f"/api/v1/tickets/{called.ticket}/{verb}", token, body(desk=desk))

    def ask_again(self, chance: random.Random, count: int) -> None:
        """Acknowledged requests once more: the same ticket, and nothing new."""
        with self._ledger.more:
            # That nobody waits leaves no trace: asked again, somebody may have come.
            known = [answer for answer in self._ledger.answers.values() if answer.ticket is not None]
        for answer in chance.sample(known, min(count, len(known))):
            status, said = post(self._port, answer.path, answer.token, answer.body)
            assert status == 200, f"{answer} answered {status} {said} the second time"
            assert (said["ticket"], said["label"]) == (answer.ticket, answer.label), (answer, said)
            assert said["repeated"], (answer, said)
            self._ledger.sampled += 1
