"""A van's day over a 2G line in real time, what it costs headquarters, and random days with losses, power cuts,
restores and clones.

    python -m tests.bench.bench_van [--quick] [--people 300] [--trials 300] [--runs 5] [--only line|intake|trials]

The line is a proxy on the loopback: 30 kbit/s each way, 600 ms there and back, every tenth segment of 1,400 bytes
lost and sent again after a time-out that doubles; in the second form every tenth exchange is lost whole as well. A day
of 300 people is written on a laptop without a line; measured is how long one sync then takes.

The random days (tests/van/trials.py) run with headquarters on both databases in turn; `lost` counts events that stand
on a laptop, or once stood at headquarters, and are not there at the end; `doubled` what happened once and stands there
twice.
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from queueing.journal.packing import pack, unpack
from queueing.rebuild import check
from tests.bench.figures import table
from tests.van.cast import Machine, Office, requests
from tests.van.proxy import Proxy, Rate
from tests.van.source import Source, sources
from tests.van.trials import FATES, Trial
from tests.web import world as cast
from web.van.line import CONTENT, LARGEST, PATH, Line

TARGET_S = 120.0
LOSS = 0.1
"""Of the random days' exchanges."""
SUMS = (
    "events", "failures", "crashes", "restores", "clones", "office_restores", "choices", "lost", "doubled",
)  # fmt: skip


def a_day(van: Machine, people: int, seed: int) -> int:
    """People come, some leave, some are missed or set aside; returns the events written. The clock moves, not the
    watch."""
    chance = random.Random(seed)
    world_queue, desks = van.queue, van.desks  # type: ignore[attr-defined]
    came, parked = 0, []
    while came < people or any(van.call(desk) for desk in desks):
        if came < people:
            phone = f"+2010{chance.randint(0, 10**8):08d}" if chance.random() < 0.4 else None
            van.issue(world_queue, chance.choice(("NID-01", "BIR-01", "FAM-01")), phone=phone)
            came += 1
        van.clock.advance(seconds=chance.randint(20, 80))
        for desk in desks:
            called = van.call(desk)
            if called is None:
                continue
            van.clock.advance(seconds=chance.randint(5, 40))
            fate = chance.random()
            if fate < 0.06:
                van.do("miss", called.id, desk)
            elif fate < 0.1:
                van.do("park", called.id, desk, note="صورة البطاقة")
                parked.append(called.id)
            else:
                van.do("start", called.id, desk)
                van.clock.advance(seconds=chance.randint(30, 120))
                if chance.random() < 0.5:
                    van.do("finish", called.id, desk)
    for ticket in parked:
        van.do("leave", ticket)
    return len(van.read(lambda s: requests(s, world_queue)))


def over_2g(source: Source, folder: Path, people: int, seed: int, lost: float) -> dict[str, float]:
    """One day, one sync over the line."""
    clock = cast.StillClock()
    office = Office(source, folder / "office", clock)
    proxy = Proxy(office.port, seed=seed)
    van = Machine(folder / "van", proxy.url, office.token, clock)
    van.queue, van.desks = source.world.queue_visit_a, source.world.desks_visit_a  # type: ignore[attr-defined]
    try:
        van.laptop.sync(pull=1)
        van.days()
        for desk in van.desks:  # type: ignore[attr-defined]
            van.sit(desk)
        events = a_day(van, people, seed)
        van.laptop.seal()
        before_up, before_down, before = proxy.bytes_up, proxy.bytes_down, proxy.exchanges
        chance = random.Random(seed)
        proxy.rate = Rate()
        proxy.fate = lambda _n: chance.choice(FATES) if chance.random() < lost else "ok"
        van.laptop.line.close()
        began = time.monotonic()
        sent = van.laptop.sync(keep_trying=50)
        took = time.monotonic() - began
        queue = van.queue  # type: ignore[attr-defined]
        assert office.read(lambda s: requests(s, queue)) == van.read(lambda s: requests(s, queue)), (
            "not the same"
        )
        assert not [d for d in office.read(lambda s: check(s, [queue])) if d.what != "number"]
        return {
            "seconds": took, "events": events, "entries": sent, "up": proxy.bytes_up - before_up,
            "down": proxy.bytes_down - before_down, "exchanges": proxy.exchanges - before,
        }  # fmt: skip
    finally:
        van.off()
        proxy.close()
        office.close()


class _Direct(Line):
    """The way to headquarters without a line: what its answer costs there."""

    def __init__(self, office: Office) -> None:
        super().__init__("http://headquarters", office.token)
        self._client = office.app.test_client()
        self.answers: list[tuple[float, int]] = []

    def exchange(self, message: dict[str, Any], *, expect: int = 0) -> dict[str, Any]:
        data = pack(message)
        began = time.perf_counter()
        answer = self._client.post(PATH, data=data, content_type=CONTENT, headers=self._headers)
        self.answers.append((time.perf_counter() - began, len(message["entries"])))
        assert answer.status_code == 200, answer.text
        self.size = min(LARGEST, self.size * 3 // 2)
        return unpack(answer.data)


def taken_in(source: Source, folder: Path, people: int, seed: int) -> dict[str, float]:
    """One day: what headquarters needs for its events, for the longest answer, and for one without anything new."""
    clock = cast.StillClock()
    office = Office(source, folder / "office", clock)
    van = Machine(folder / "van", "http://headquarters", office.token, clock)
    van.laptop.line = line = _Direct(office)
    van.queue, van.desks = source.world.queue_visit_a, source.world.desks_visit_a  # type: ignore[attr-defined]
    try:
        van.laptop.sync(pull=1)
        van.days()
        for desk in van.desks:  # type: ignore[attr-defined]
            van.sit(desk)
        events = a_day(van, people, seed)
        van.laptop.seal()
        line.answers.clear()
        van.laptop.sync()
        day = list(line.answers)
        van.laptop.sync()
        return {
            "events": events,
            "answers": len(day),
            "ms an event": sum(seconds for seconds, _entries in day) / events * 1000,
            "longest ms": max(seconds for seconds, _entries in day) * 1000,
            "empty ms": line.answers[-1][0] * 1000,
        }
    finally:
        van.off()
        office.close()


def _some_trials(seeds: Sequence[int], kind: str) -> tuple[Counter[str], list[str]]:
    """Trials of one process: sums, and what failed by seed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    total: Counter[str] = Counter()
    failed = []
    with _folder() as folder, sources(folder / "source", (kind,)) as made:
        for seed in seeds:
            trial = Trial(seed, made[kind], folder / str(seed), loss=LOSS)
            try:
                trial.go()
            except Exception as error:
                failed.append(f"{kind} seed {seed}: {type(error).__name__}: {error}"[:300])
                print(failed[-1], file=sys.stderr, flush=True)
            finally:
                trial.close()
            total.update({name: getattr(trial.figures, name) for name in SUMS})
            shutil.rmtree(folder / str(seed))
    return total, failed


@contextmanager
def _folder() -> Iterator[Path]:
    """In memory where that is possible: power cuts are cuts between steps here, no disk is asked."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="bench-van-", dir=place) as name:
        yield Path(name)


def random_days(trials: int, kinds: Sequence[str], workers: int, first: int) -> bool:
    """Print the sums of that many days, alternating between the databases; False when one failed."""
    rows, failures = [], []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = {
            (kind, n): list(range(first, first + trials))[place :: len(kinds)][n::workers]
            for place, kind in enumerate(kinds)
            for n in range(workers)
        }
        jobs = {part: pool.submit(_some_trials, seeds, part[0]) for part, seeds in parts.items()}
        for kind in kinds:
            total: Counter[str] = Counter()
            for n in range(workers):
                some, failed = jobs[kind, n].result()
                total.update(some)
                failures += failed
            days = sum(len(seeds) for part, seeds in parts.items() if part[0] == kind)
            mine = sum(line.startswith(kind) for line in failures)
            rows.append([kind, str(days), *(str(total[name]) for name in SUMS), str(mine)])
    print(table("headquarters on|days|" + "|".join(SUMS).replace("_", " ") + "|failed", rows))
    for line in failures:
        print(line)
    return not failures


def line_of_2g(source: Source, people: int, runs: int) -> bool:
    """Print how long a day takes over the line; False when one took longer than it may."""
    lines, good = [], True
    for words, lost in (("segments lost", 0.0), ("segments and whole exchanges lost", 0.1)):
        rows = []
        for seed in range(runs):
            with _folder() as folder:
                rows.append(over_2g(source, folder, people, seed, lost))
        middle = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        worst = max(row["seconds"] for row in rows)
        good &= worst <= TARGET_S
        lines.append(
            [
                words, f"{people}", f"{middle['events']:.0f}", f"{middle['seconds']:.1f}", f"{worst:.1f}",
                f"{middle['up'] / middle['events']:.1f}", f"{middle['up']:.0f}", f"{middle['down']:.0f}",
                f"{middle['exchanges']:.0f}",
            ]
        )  # fmt: skip
    print(table("line|people|events|seconds|worst|bytes an event|bytes up|bytes down|exchanges", lines))
    return good


def intake(made: Mapping[str, Source], people: int, runs: int) -> None:
    """Print what a day costs headquarters, on each database."""
    rows = []
    for kind, source in made.items():
        found = []
        for seed in range(runs):
            with _folder() as folder:
                found.append(taken_in(source, folder, people, seed))
        middle = {key: statistics.median(row[key] for row in found) for key in found[0]}
        rows.append(
            [kind, *(f"{value:.2f}" if "ms" in key else f"{value:.0f}" for key, value in middle.items())]
        )
    print(table("headquarters on|" + "|".join(middle), rows))


def main() -> int:
    """Measure and print; exit code 1 when a target was missed or a random day failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--first", type=int, default=5_000, help="seed of the first random day")
    parser.add_argument("--workers", type=int, default=2, help="processes of the random days")
    parser.add_argument("--only", choices=("line", "intake", "trials"))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="both without it")
    options = parser.parse_args()
    runs, trials = (1, 10) if options.quick else (options.runs, options.trials)
    kinds = (options.database,) if options.database else ("sqlite", "postgresql")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    good = True
    if options.only in (None, "line", "intake"):
        with _folder() as folder, sources(folder / "source", kinds) as made:
            if options.only != "intake":
                good &= line_of_2g(made[kinds[-1]], options.people, runs)
            if options.only != "line":
                intake(made, options.people, runs)
    if options.only in (None, "trials"):
        good &= random_days(trials, kinds, options.workers, options.first)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
