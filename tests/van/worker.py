"""A laptop in a process of its own, to be killed.

    python -m tests.van.worker FOLDER URL TOKEN QUEUE DESK SECONDS SEED

Works and syncs without end; every request id is printed once its transaction has been committed. `SECONDS`: how far the
clock stands beyond the cast's morning.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from queueing.errors import QueueingError
from tests.van.cast import SERVICES, Machine
from tests.web.world import StillClock
from web.van.line import NoLine


def main() -> None:
    """Work until killed."""
    folder, url, token, queue, desk, seconds, seed = sys.argv[1:]
    clock = StillClock()
    clock.advance(seconds=float(seconds))
    chance = random.Random(int(seed))
    van = Machine(Path(folder), url, token, clock)
    print("ready", flush=True)
    given: list[str] = []
    fresh = van.rid

    def rid() -> str:
        given.append(fresh())
        return given[-1]

    van.rid = rid  # type: ignore[method-assign]
    while True:
        clock.advance(seconds=3)
        given.clear()
        try:
            kind = chance.random()
            if kind < 0.4:
                van.issue(int(queue), chance.choice(SERVICES))
            elif kind < 0.85:
                called = van.call(int(desk))
                if called is None:
                    continue
            else:
                van.laptop.sync(most=3)
        except (NoLine, QueueingError):
            continue
        for name in given:
            print(name, flush=True)


if __name__ == "__main__":
    main()
