"""The bell between processes: whoever has committed rings in Redis, the others look into the outbox at once.

Redis carries no news, only that there are some: the outbox is the truth. Without Redis, or while it is gone, every
process looks by itself at a known pace (`Bell.pace_s`), so that nothing is lost and everything comes a little
later. Two threads wait for Redis; who commits never does.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

LOG = logging.getLogger(__name__)
CHANNEL = "live"
ALONE_S = 0.25
"""How often a process looks when no Redis is configured; what it commits itself it knows at once."""
SAFETY_S = 2.0
"""How often it looks although the bell works: for what was committed by somebody who rings no bell."""
SLOW_S = 1.0
"""How often it looks while Redis is gone: the promise that screens hear of a change within about a second."""
PAUSE_S = 0.05
"""Between two looks of a process that found something (web/live.py): what is committed meanwhile is read together. The
first of many goes out at once, the others that much later; a look of its own for each commit cost a seventh of a
ticket."""
REST_S = 0.8 * PAUSE_S
"""Between two rings: the first of many commits rings at once, and who hears it reads what the others left. A ring comes
before the next look is due, never so often that it would be one of its own."""
ANSWER_S = 2.0
"""How long Redis may take to answer before it counts as gone."""
AGAIN_S = (0.2, 0.5, 1.0, 2.0)
"""Waits before the next try to reach a Redis that is gone; the last one repeats."""


class Bell:
    """Rings in Redis at `url` and calls `heard` when another process rang. With None it is silent."""

    def __init__(self, url: str | None, heard: Callable[[], None]) -> None:
        self._url = url
        self._heard = heard
        self._rang = threading.Event()
        self._stop = threading.Event()
        self._running = False
        self._up = False
        self._name = secrets.token_hex(6).encode()
        """Tells our own rings from those of others."""
        self._client = (
            redis.Redis.from_url(
                url,
                socket_timeout=ANSWER_S,
                socket_connect_timeout=ANSWER_S,
                retry=Retry(NoBackoff(), 0),
                health_check_interval=0,
            )
            if url
            else None
        )

    @property
    def configured(self) -> bool:
        """Whether there is a Redis at all."""
        return self._client is not None

    @property
    def slow(self) -> bool:
        """True while a configured Redis cannot be reached: screens hear of changes later, and are told so."""
        return self._running and self.configured and not self._up

    @property
    def pace_s(self) -> float:
        """How long the relay may wait for a ring before it looks by itself."""
        if not self.configured:
            return ALONE_S
        return SAFETY_S if self._up else SLOW_S

    def start(self) -> None:
        """Begin to listen and to pass rings on."""
        self._running = True
        if self._client is not None:
            threading.Thread(target=self._listen, name="bell-hear", daemon=True).start()
            threading.Thread(target=self._pass_on, name="bell-ring", daemon=True).start()

    def stop(self) -> None:
        """End both threads; a bell that was stopped is not started again."""
        self._stop.set()
        self._rang.set()

    def ring(self) -> None:
        """Something was committed here. Returns at once in a process that serves; elsewhere after Redis answered."""
        if self._client is None:
            return
        if self._running:
            self._rang.set()
        elif not self._stop.is_set():
            self._ring_now()

    def _ring_now(self) -> None:
        assert self._client is not None
        try:
            self._client.publish(CHANNEL, self._name)
        except redis.RedisError:
            # The servers look by themselves; a command must not wait for Redis at each of its commits.
            self._stop.set()
            LOG.info("bell: Redis does not answer; the servers will look by themselves")

    def _pass_on(self) -> None:
        """Rings of many commits become one, while the last one is on its way and for a moment after it."""
        assert self._client is not None
        while not self._stop.is_set():
            self._rang.wait()
            self._rang.clear()
            if self._up and not self._stop.is_set():
                try:
                    self._client.publish(CHANNEL, self._name)
                except redis.RedisError as error:
                    LOG.info("bell: could not ring (%s)", error.__class__.__name__)
                self._stop.wait(REST_S)

    def _listen(self) -> None:
        tries = 0
        while not self._stop.is_set():
            try:
                self._hear()
                tries = 0
            except (redis.RedisError, OSError, ValueError) as error:
                if self._up:
                    LOG.warning(
                        "bell: Redis is gone (%s); looking every %.1f s", error.__class__.__name__, SLOW_S
                    )
                    tries = 0
            self._up = False
            self._stop.wait(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
            tries += 1

    def _hear(self) -> None:
        """Subscribe and listen until Redis is gone (its exception) or the bell is stopped."""
        assert self._client is not None
        with self._client.pubsub() as line:  # type: ignore[no-untyped-call]
            line.subscribe(CHANNEL)
            while not self._stop.is_set():
                # Every second without news a ping goes out: a Redis that was cut off without a word is noticed.
                message = line.get_message(timeout=1.0)
                if message is None:
                    line.ping()
                    message = line.get_message(timeout=ANSWER_S)
                    if message is None:
                        raise redis.TimeoutError("no answer to a ping")
                if message["type"] == "subscribe":
                    if not self._up:
                        LOG.info("bell: Redis is there")
                    self._up = True
                    # What was committed while nobody listened.
                    self._heard()
                elif message["type"] == "message" and message["data"] != self._name:
                    self._heard()
