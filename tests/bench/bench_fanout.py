"""Live messages to many screens: our fan-out beside stock Flask-SocketIO and Node's socket.io, one after the other in
one run, the same raw clients for all.

    python -m tests.bench.bench_fanout [--quick] [--clients 5000] [--rooms 100] [--seconds 20] [--rounds 3]
        [--held 10000]

Each server is one process. At an even pace it sends 100 bytes to room after room, together 20,000 deliveries a second;
then as many as it can (the ceiling). Delay is from the call of `emit` to the client's `recv`; CPU is the server's own,
all that it did meanwhile. Clients check that each room's numbers come whole and in order. Last, one process of ours
holds 10,000 clients.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.bench.fanout_client import STEP_NS
from tests.bench.figures import table
from tests.bench.measure import ROOT, Row, machine
from tests.bench.series import Series, series_of, standard, version
from tests.web.raw_socket import free_port, get, gunicorn, post

PART = "fanout"
METHODS = {
    "fanout": "ours, gevent",
    "fanout-threads": "ours, threads",
    "fanout-stock": "Flask-SocketIO as it comes, gevent",
    "fanout-node": "socket.io on Node",
}
BYTES = 100
DELIVERIES = 20_000
P99_MS = 5.0
CROWDS = 2
"""Processes of clients."""


@contextlib.contextmanager
def node() -> Iterator[int]:
    """Node's server on a free port. Raises FileNotFoundError where node or socket.io is missing."""
    program = shutil.which("node")
    if program is None or not (ROOT / "node_modules" / "socket.io").exists():
        raise FileNotFoundError("node or npm's socket.io is not there (npm ci)")
    port = free_port()
    process = subprocess.Popen([program, "tests/bench/fanout_node.js", str(port)], cwd=ROOT)
    try:
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                get(port, "/counts")
                break
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError("node's server did not start")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def server(method: str) -> Iterator[int]:
    """The server of a method; its port."""
    if method == "fanout-node":
        with node() as port:
            yield port
        return
    kind = "stock" if method == "fanout-stock" else "fast"
    mode = "gthread" if method == "fanout-threads" else "gevent"
    with gunicorn("tests.web.fanout_app:app", mode, {"FANOUT": kind}, "--threads", "6000") as port:
        yield port


class Crowds:
    """Processes of clients that have joined."""

    def __init__(self, port: int, clients: int, rooms: int) -> None:
        share = -(-clients // CROWDS)
        self._all = []
        for first in range(0, clients, share):
            some = min(share, clients - first)
            command = [
                sys.executable,
                "-m",
                "tests.bench.fanout_client",
                str(port),
                str(first),
                str(some),
                str(rooms),
            ]
            self._all.append(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
        for crowd in self._all:
            assert crowd.stdout is not None
            if crowd.stdout.readline().strip() != "ready":
                self.close()
                raise RuntimeError("not all clients could join")

    def report(self) -> dict[str, Any]:
        """What all have heard since the last report."""
        whole: dict[str, Any] = {"received": 0, "gaps": 0, "lost_lines": 0, "delays": Counter()}
        for crowd in self._all:
            assert crowd.stdin is not None and crowd.stdout is not None
            crowd.stdin.write("\n")
            crowd.stdin.flush()
            said = json.loads(crowd.stdout.readline())
            for key in ("received", "gaps", "lost_lines"):
                whole[key] += said[key]
            whole["delays"].update({int(step): n for step, n in said["delays"].items()})
        return whole

    def close(self) -> None:
        """Send them home."""
        for crowd in self._all:
            crowd.kill()
            crowd.wait()


@contextlib.contextmanager
def crowds(port: int, clients: int, rooms: int) -> Iterator[Crowds]:
    """`clients` joined clients, gone at the end."""
    made = Crowds(port, clients, rooms)
    try:
        yield made
    finally:
        made.close()


def share_ms(delays: Counter[int], share: float) -> float:
    """The delay that `share` of all deliveries did not exceed, ms (upper end of its step)."""
    left = share * sum(delays.values())
    for step in sorted(delays):
        left -= delays[step]
        if left <= 0:
            return (step + 1) * STEP_NS / 1e6
    return 0.0


def sent(port: int, crowd: Crowds, clients: int, rooms: int, seconds: float, deliveries: float) -> Row:
    """One run at a pace of so many deliveries a second, and what came of it."""
    crowd.report()
    asked = {
        "rooms": rooms,
        "seconds": seconds,
        "bytes": BYTES,
        "emits_per_second": deliveries * rooms / clients,
    }
    ran = post(port, "/run", asked, timeout=20 * seconds + 60)
    wanted = ran["emits"] * (clients // rooms)
    heard = crowd.report()
    until = time.monotonic() + 30
    while heard["received"] < wanted and time.monotonic() < until:
        time.sleep(0.2)
        more = crowd.report()
        # A new report begins its count anew: numbers that go on where they were are no gap.
        heard["received"] += more["received"]
        heard["lost_lines"] = more["lost_lines"]
        heard["delays"].update(more["delays"])
    return {
        "per_second": wanted / ran["seconds"],
        "p50_ms": share_ms(heard["delays"], 0.5),
        "p99_ms": share_ms(heard["delays"], 0.99),
        "cpu_us": 1e6 * ran["cpu_s"] / wanted,
        "lost": wanted - heard["received"],
        "gaps": heard["gaps"],
        "dropped": heard["lost_lines"],
        "late_ms": ran["latest_ms"],
    }


def measured(method: str, clients: int, rooms: int, seconds: float, rounds: int) -> dict[str, Row]:
    """The figures of one server: at the pace asked for (medians of rounds) and at its ceiling."""
    with server(method) as port:
        before = get(port, "/counts")["rss_kib"]
        with crowds(port, clients, rooms) as crowd:
            memory = (get(port, "/counts")["rss_kib"] - before) / clients
            pace = DELIVERIES * clients / 5000
            sent(port, crowd, clients, rooms, 1.0, pace)
            runs = [sent(port, crowd, clients, rooms, seconds, pace) for _ in range(rounds)]
            ceiling = sent(port, crowd, clients, rooms, min(seconds, 5.0), 6 * pace)
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    for key in ("lost", "gaps", "dropped"):
        middle[key] = sum(run[key] for run in runs)
    return {"pace": middle | {"kib_a_client": memory}, "ceiling": ceiling}


def held(clients: int, seconds: float) -> Row:
    """One process of ours that holds so many clients over several rounds of the product's pings, then reaches each."""
    began = time.monotonic()
    with gunicorn("tests.web.fanout_app:app", "gevent", {"PING_S": "5", "PONG_S": "4"}) as port:
        before = get(port, "/counts")["rss_kib"]
        with crowds(port, clients, 100) as crowd:
            joined = time.monotonic() - began
            time.sleep(seconds)
            counts = get(port, "/counts")
            run = sent(port, crowd, clients, 100, 1.0, clients)
    run |= {
        "joined_s": joined,
        "held": counts["clients"],
        "kib_a_client": (counts["rss_kib"] - before) / clients,
    }
    return run


def fanout_table(rows: Sequence[Row]) -> str:
    """The rows as markdown."""
    lines = []
    for row in rows:
        lines.append(
            [
                row["file"],
                METHODS[row["method"]],
                row["case"],
                f"{row['per_second']:,.0f}",
                f"{row['p50_ms']:.2f}",
                f"{row['p99_ms']:.2f}",
                f"{row['cpu_us']:.1f}",
                f"{row['kib_a_client']:.0f}" if row.get("kib_a_client") else "",
                f"{row['lost'] + row['gaps'] + row['dropped']:,}",
            ]
        )
    head = (
        "clients and rooms|server|case|deliveries a second|p50 ms|p99 ms|CPU a delivery, microseconds|KiB a client|"
        "lost, out of order or dropped"
    )
    return table(head, lines)


def faults(rows: Sequence[Row], *, quick: bool) -> list[str]:
    """What is not as promised. Short runs say nothing of speed, only of what was lost."""
    found = []
    cpu = {(row["file"], row["method"]): row["cpu_us"] for row in rows if row["case"] == "pace"}
    for row in rows:
        if row["method"] not in ("fanout", "fanout-threads"):
            continue
        name = f"{METHODS[row['method']]}, {row['file']}, {row['case']}"
        if row["lost"] or row["gaps"] or row["dropped"]:
            found.append(f"{name}: lost {row['lost']}, gaps {row['gaps']}, dropped {row['dropped']}")
        if row["case"] == "held" and row["held"] != row["clients"]:
            found.append(f"{name}: {row['held']} of {row['clients']} clients are held")
        if quick or row["method"] != "fanout" or row["case"] != "pace":
            continue
        if row["p99_ms"] > P99_MS:
            found.append(f"{name}: p99 {row['p99_ms']:.2f} ms, wanted {P99_MS:g}")
        node_cpu = cpu.get((row["file"], "fanout-node"))
        if node_cpu is not None and row["cpu_us"] > node_cpu:
            found.append(f"{name}: {row['cpu_us']:.1f} microseconds a delivery, Node {node_cpu:.1f}")
    return found


def write(series: Series, method: str, name: str, clients: int, case: str, row: Row) -> Row:
    """Add a row to the series."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    known = {"file": name, "method": method, "case": case, "clients": clients, "seed": 0}
    series.add(known | row | {"code": version(method), "machine": machine(), "when": when})
    return series.rows[-1]


def main() -> int:
    """Measure; exit code 1 when something was lost or a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    standard(parser, PART, "500 clients, short runs: to see that it works")
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--rooms", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--held", type=int, default=10_000, help="clients that one process must hold; 0 leaves it out"
    )
    parser.add_argument("--method", choices=METHODS, action="append", help="only these")
    options = parser.parse_args()
    if options.quick:
        options.clients, options.rooms, options.seconds, options.rounds = 500, 10, 3.0, 1
        options.held = min(options.held, 1000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(options.clients, options.held)
    if hard < most + 500:
        print(f"ulimit -n is {hard}; {most} clients need {most + 500}", file=sys.stderr)
        return 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * most + 500)), hard))
    series = series_of(options, PART)
    rows: list[Row] = []
    name = f"{options.clients:,} clients, {options.rooms} rooms"
    for method in options.method or [key for key in METHODS if key != "fanout-threads"]:
        try:
            both = measured(method, options.clients, options.rooms, options.seconds, options.rounds)
        except FileNotFoundError as missing:
            print(f"{METHODS[method]} left out: {missing}", file=sys.stderr)
            continue
        rows += [write(series, method, name, options.clients, case, row) for case, row in both.items()]
    if options.held:
        row = held(options.held, 10.0 if options.quick else 60.0)
        rows.append(
            write(series, "fanout", f"{options.held:,} clients, 100 rooms", options.held, "held", row)
        )
    print(fanout_table(rows))
    wrong = faults(rows, quick=options.quick)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
