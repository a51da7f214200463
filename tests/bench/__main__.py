"""`make bench`: every benchmark after the other, as markdown tables for docs/benchmarks.md.

    python -m tests.bench [--quick]

Those of planning take hours: each run of theirs has the machine to itself. What is in var/bench already is not measured
again; --quick runs those that have a short form, minutes in all, to see that they work.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

QUICK = sys.argv[1:] == ["--quick"]
FOLDER = Path(__file__).parent

if sys.argv[1:] and not QUICK:
    sys.exit(__doc__)
for path in sorted(FOLDER.glob("bench_*.py")):
    if QUICK and "--quick" not in path.read_text(encoding="utf-8"):
        continue
    print(f"\n## {path.stem}\n", flush=True)
    sys.argv = [str(path), *["--quick"] * QUICK]
    try:
        runpy.run_module(f"tests.bench.{path.stem}", run_name="__main__")
    except SystemExit as ended:  # one without its data must not keep the others from running
        if ended.code not in (None, 0):
            print(f"{path.stem} ended with {ended.code}", file=sys.stderr)

rows = FOLDER.parents[1] / "var" / "bench"
found = [rows / "quick.jsonl"] if QUICK else sorted(set(rows.glob("*.jsonl")) - {rows / "quick.jsonl"})
if any(path.exists() for path in found):
    print("\n## tables\n", flush=True)
    sys.argv = ["tables", *map(str, found)]
    runpy.run_module("tests.bench.tables", run_name="__main__")
