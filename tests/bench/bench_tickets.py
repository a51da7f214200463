"""Tickets over HTTP beside a bare Flask echo on the same server: issue and call next, p99 at half load, the pattern
COUNT + 1 as the control, and an audit of the database after each run.

    python -m tests.bench.bench_tickets [--quick] [--database sqlite|postgresql] [--seconds 6] [--rounds 5] [--many]

32 keep-alive clients in processes of their own; rounds of echo, issue and call next take turns; figures are medians and
ratios of medians of one run. The control runs in two processes of sixteen threads on both databases and must be seen
to fail. --many: 200,000 tickets at 107 sites, then at 5, with calls beside them, 2 workers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.bench_tickets_world import (
    Counter,
    audit,
    audit_control,
    build,
    load,
    percentile,
    redis,
    server,
    stock,
)
from tests.databases import NoPostgres, running_postgres

CLIENTS = 32
STOCK = 150
"""People who stand in every line when the rounds begin: a round of calls may take more than tickets were given."""
SITES, HOT_SITES = 107, 5
TARGETS = {("sqlite", "issue"): 0.65, ("sqlite", "call next"): 0.6, ("postgresql", "issue"): 0.5}
WORKERS = {"sqlite": 1, "postgresql": 2}
CONTROL_WORKERS, CONTROL_THREADS = 2, 16
"""As such systems are run: processes with threads. One process of greenlets alone would number right on SQLite by
accident: no call of its driver lets another request in, so that none comes between the count and the insert."""
P99_MS = 100.0
SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """A fresh database that flushes as in production; its URL."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if kind == "sqlite":
            yield f"sqlite:///{Path(folder) / 'tickets.db'}"
            return
        with running_postgres(SAFE) as running:
            running.run("CREATE DATABASE tickets")
            yield running.url("tickets")


@contextlib.contextmanager
def ours(url: str, workers: int) -> Iterator[int]:
    """Our application over a database."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-data-"))
        env = {"DATABASE_URL": url, "DATA_DIR": folder, "REDIS_URL": ""}
        if workers > 1:
            env["REDIS_URL"] = stack.enter_context(redis())
        yield stack.enter_context(server("ours", workers=workers, env=env, name="our application"))


def issuing(sites: Sequence[Counter], run: str, clients: int = CLIENTS) -> list[dict[str, Any]]:
    """Clients that take tickets, each at its own sites in turn."""
    made = []
    for number in range(clients):
        mine = sites[number % len(sites) :: clients]
        made.append(
            {
                "path": [f"/api/v1/queues/{one.queue}/tickets" for one in mine],
                "token": [one.kiosk for one in mine],
                "body": f'{{"service": "id", "request_id": "i-{run}-{number}-%d"}}',
            }
        )
    return made


def calling(sites: Sequence[Counter], run: str, clients: int = CLIENTS) -> list[dict[str, Any]]:
    """Clerks who call the next person, each at desks of its own in turn."""
    made = []
    desks = [(n, desk) for n, one in enumerate(sites) for desk in one.desks]
    for number in range(clients):
        if len(sites) >= clients:
            mine = [sites[n].desks[0] for n in range(number, len(sites), clients)]
        else:
            mine = [desk for _site, desk in desks[number::clients]]
        made.append(
            {
                "path": [f"/api/v1/desks/{desk}/next" for desk, _token in mine],
                "token": [token for _desk, token in mine],
                "body": f'{{"request_id": "c-{run}-{number}-%d"}}',
            }
        )
    return made


def wrong(found: dict[str, int]) -> list[str]:
    """What an audit found that must not be."""
    return [f"{name}: {value}" for name, value in found.items() if name != "tickets" and value]


def beside_echo(kind: str, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Issue and call next beside the echo, then half load; one row each."""
    workers = WORKERS[kind]
    speeds: dict[str, list[float]] = {"echo": [], "issue": [], "call next": []}
    acknowledged: list[str] = []
    rows = []
    with database(kind) as url:
        sites = build(url, queues=SITES, desks_each=2)
        stock(url, sites, STOCK)
        with (
            server("echo", workers=workers, env={}, name="the echo") as echo_port,
            ours(url, workers) as port,
        ):
            for number in range(rounds + 1):
                took = seconds if number else 1.0  # the first round only warms up
                echo = load(echo_port, issuing(sites, "e"), seconds=took)
                issue = load(port, issuing(sites, f"{number}"), seconds=took, keep=["ticket"])
                call = load(port, calling(sites, f"{number}"), seconds=took)
                acknowledged += [said[0] for said in issue["said"]]
                for name, one, good in (("issue", issue, "201"), ("call next", call, "200")):
                    if set(one["status"]) - {good}:
                        print(f"{kind} {name}: answers {one['status']}", file=sys.stderr)
                if number:
                    speeds["echo"].append(echo["per_second"])
                    speeds["issue"].append(issue["per_second"])
                    speeds["call next"].append(call["per_second"])
            middle = {name: statistics.median(all_) for name, all_ in speeds.items()}
            for name, clients in (("issue", issuing(sites, "half")), ("call next", calling(sites, "half"))):
                if name == "issue":
                    half = load(port, clients, seconds=seconds, rate=middle[name] / 2, keep=["ticket"])
                    acknowledged += [said[0] for said in half["said"]]
                else:
                    half = load(port, clients, seconds=seconds * 0.9, rate=middle[name] / 2)
                rows.append(
                    {
                        "database": kind,
                        "workers": workers,
                        "what": name,
                        "per_second": middle[name],
                        "echo": middle["echo"],
                        "ratio": middle[name] / middle["echo"],
                        "half_p50": percentile(half["ms"], 0.5),
                        "half_p99": percentile(half["ms"], 0.99),
                    }
                )
        found = audit(url, acknowledged)
        for row in rows:
            row |= {"tickets": found["tickets"], "wrong": wrong(found)}
        with server(
            "control",
            workers=CONTROL_WORKERS,
            env={"DATABASE_URL": url},
            name="the control",
            threads=CONTROL_THREADS,
        ) as control_port:
            controlled = load(control_port, issuing(sites[:HOT_SITES], "control"), seconds=seconds)
        given = audit_control(url)
        rows.append(
            {
                "database": kind,
                "workers": CONTROL_WORKERS,
                "what": "control: COUNT + 1",
                "per_second": controlled["per_second"],
                "echo": middle["echo"],
                "ratio": controlled["per_second"] / middle["echo"],
                "tickets": given["tickets"],
                "duplicates": given["duplicates"],
                "wrong": [f"duplicates: {given['duplicates']}"],
            }
        )
    return rows


def many(kind: str, tickets: int, sites: int) -> dict[str, Any]:
    """So many tickets with calls beside them, over two workers where the database has several."""
    workers = WORKERS[kind]
    half = CLIENTS // 2
    with database(kind) as url:
        places = build(url, queues=sites, desks_each=max(2, -(-half // sites)))
        began = time.perf_counter()
        with ours(url, workers) as port:
            jobs = issuing(places, "m", half) + calling(places, "m", half)
            # One job for both: clients take turns, so as many calls as tickets.
            answer = load(port, jobs, seconds=3600.0, most=2 * tickets, keep=["ticket"])
        found = audit(url)
        return {
            "database": kind,
            "workers": workers,
            "what": f"{tickets:,} at {sites} sites with calls",
            "per_second": answer["per_second"],
            "half_p99": percentile(answer["ms"], 0.99),
            "tickets": found["tickets"],
            "wrong": wrong(found),
            "seconds": time.perf_counter() - began,
            "status": answer["status"],
        }


def show(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table."""
    lines = [
        "| database, workers | what | per second | echo | of the echo | p50, p99 at half load, ms | tickets | wrong |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        times = f"{row['half_p50']:.1f}, {row['half_p99']:.1f}" if "half_p50" in row else ""
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        echo = f"{row['echo']:,.0f}" if "echo" in row else ""
        lines.append(
            f"| {row['database']}, {row['workers']} | {row['what']} | {row['per_second']:,.0f} | {echo} | {ratio} |"
            f" {times} | {row['tickets']:,} | {'; '.join(row['wrong']) or 'nothing'} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure; exit code 1 when a number is wrong or a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="short rounds, to see that it works")
    parser.add_argument("--database", choices=("sqlite", "postgresql"))
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--many", action="store_true", help="also 200,000 tickets at 107 and at 5 sites")
    parser.add_argument("--rows", type=Path, help="append the rows to this file, one line of JSON each")
    options = parser.parse_args()
    seconds, rounds = (2.0, 3) if options.quick else (options.seconds, options.rounds)
    rows: list[dict[str, Any]] = []
    try:
        for kind in [options.database] if options.database else ["sqlite", "postgresql"]:
            try:
                rows += beside_echo(kind, seconds, rounds)
                if options.many or options.quick:
                    for sites in (SITES, HOT_SITES):
                        rows.append(many(kind, 5_000 if options.quick else 200_000, sites))
            except NoPostgres as reason:
                print(f"postgresql left out: {reason}", file=sys.stderr)
    finally:  # what has been measured is told, whatever breaks after it
        print(show(rows))
    if options.rows:
        with options.rows.open("a") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)
    return 1 if faults(rows, quick=options.quick) else 0


def faults(rows: Sequence[dict[str, Any]], *, quick: bool) -> list[str]:
    """What is not as it should be, each said on stderr. Short rounds say nothing of speed."""
    found = []
    for row in rows:
        if row["what"].startswith("control"):
            if not row["duplicates"]:
                found.append(f"{row['database']} {row['what']}: made no duplicate, so it shows nothing")
            continue
        name = f"{row['database']} {row['what']}"
        found += [f"{name}: {one}" for one in row["wrong"]]
        target = TARGETS.get((row["database"], row["what"]))
        if not quick and target is not None and row["ratio"] < target:
            found.append(f"{name}: {row['ratio']:.2f} of the echo, wanted {target}")
        if not quick and row.get("half_p50") is not None and row["half_p99"] > P99_MS:
            found.append(f"{name}: p99 {row['half_p99']:.0f} ms at half load, wanted {P99_MS:.0f}")
    for line in found:
        print(line, file=sys.stderr)
    return found


if __name__ == "__main__":
    sys.exit(main())
