"""Rows that benchmarks measured, one line of JSON each, so that a long series can be stopped and taken up again: a run
that is there, of the same code, is not run again.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.bench.measure import OURS, ROOT, Row, machine, measure, name_of, warm_up

REPAIR = "repair"
ENGINE = ("routing/*.py", "routing/engine/**/*.py")
STATEMENT = ("tests/bench/baselines/__main__.py", "tests/bench/baselines/statement.py")
FANOUT_RIG = ("tests/web/fanout_app.py", "tests/bench/fanout_client.py", "tests/bench/bench_fanout.py")
FANOUT = ("web/wire.py", "web/fanout.py", *FANOUT_RIG)
RESTS_ON = {
    OURS: (ENGINE, ("ortools", "numba", "numpy")),
    REPAIR: ((*ENGINE, "routing/repair/*.py"), ("ortools", "numba", "numpy")),
    "fanout": (FANOUT, ("python-engineio", "python-socketio", "simple-websocket", "gevent")),
    "fanout-threads": (FANOUT, ("python-engineio", "python-socketio", "simple-websocket")),
    "fanout-stock": (FANOUT_RIG, ("python-engineio", "python-socketio", "simple-websocket", "gevent")),
    "fanout-node": ((*FANOUT_RIG, "tests/bench/fanout_node.js", "package-lock.json"), ()),
    "pyvrp": ((*STATEMENT, "tests/bench/baselines/pyvrp_arm.py"), ("pyvrp",)),
    "ortools": ((*STATEMENT, "tests/bench/baselines/ortools_arm.py"), ("ortools",)),
}
"""What the figures of each method rest on: files below the repository, and packages."""

ROWS = ROOT / "var" / "bench"
QUICK_ROWS = "quick.jsonl"
SHOWN = (
    "file", "method", "case", "seed", "objective", "bound", "gap", "first", "seconds", "memory", "full_objective",
    "changes", "full_changes", "agree", "why",
)  # fmt: skip


class Series:
    """A file of rows, one a line. A run that is in it already is not run again, unless it failed or what it measures
    (`version`) has changed since; `any_code` takes it whatever it measured. `fresh` forgets the rows of this part.
    """

    def __init__(self, path: Path, part: str, *, fresh: bool = False, any_code: bool = False) -> None:
        self.path, self.part, self.any_code = path, part, any_code
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = read_rows([path]) if path.exists() else []
        if fresh:
            rows = [row for row in rows if row["part"] != part]
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        self.rows = [row for row in rows if row["part"] == part]

    def run(
        self,
        method: str,
        path: Path,
        *,
        seconds: float,
        seed: int,
        processes: int = 1,
        until: float | None = None,
        **more: Any,
    ) -> Row:
        """Return the row of this run, measured now unless the file has it; `more` is written beside."""
        wanted = {"file": name_of(path), "method": method, "seed": seed, "limit": seconds}
        return self.once(
            wanted,
            lambda: (
                measure(method, path, seconds=seconds, seed=seed, processes=processes, until=until) | more
            ),
        )

    def once(self, wanted: Row, make: Callable[[], Row]) -> Row:
        """Return the row that says all of `wanted`, made now unless the file has it."""
        found = self.find(wanted)
        if found is not None:
            return found
        code = version(wanted["method"])
        warm_up(version(OURS))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.add(wanted | make() | {"code": code, "machine": machine(), "when": now})
        return self.rows[-1]

    def find(self, wanted: Row) -> Row | None:
        """Return the row of the file that says all of `wanted` and was measured on the code that is here now."""
        if not self.any_code:
            wanted = wanted | {"code": version(wanted["method"])}
        for row in self.rows:
            if all(row.get(key) == value for key, value in wanted.items()) and not row.get("failed"):
                return row
        return None

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row and say it."""
        whole = {"part": self.part, **row}
        self.rows.append(whole)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(whole, ensure_ascii=False) + "\n")
        print("  ".join(f"{key}={whole[key]}" for key in SHOWN if whole.get(key) is not None), flush=True)


def standard(parser: argparse.ArgumentParser, name: str, quick: str) -> None:
    """Give a benchmark the options that all of planning have; `quick` says what its short form does."""
    parser.add_argument("--out", type=Path, default=ROWS / f"{name}.jsonl", help="where the rows go")
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument(
        "--any-code", action="store_true", help="rows count as measured whatever code they were measured on"
    )


def series_of(options: argparse.Namespace, part: str) -> Series:
    """Return the series that the options ask for: the short form starts anew, in a file of its own."""
    out = options.out.with_name(QUICK_ROWS) if options.quick else options.out
    return Series(out, part, fresh=options.quick, any_code=options.any_code)


def version(method: str) -> str:
    """Return a short name of the code that a method's figures rest on: its own files and the solvers below it.

    A row of another version is not taken for a run of this one. Not the commit: a sentence changed in the docs, or an
    engine's competitor, must not cost hours of measuring.
    """
    patterns, packages = RESTS_ON[method]
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern)}):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            digest.update(f"{package} {metadata.version(package)}".encode())
    return digest.hexdigest()[:10]


def read_rows(paths: Iterable[Path]) -> list[Row]:
    """Return the rows of all files, in order."""
    return [
        json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines() if line
    ]
