"""`make bench`: every benchmark after the other, as markdown tables for docs/benchmarks.md."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

for path in sorted(Path(__file__).parent.glob("bench_*.py")):
    print(f"\n## {path.stem}\n", flush=True)
    sys.argv = [str(path)]
    runpy.run_module(f"tests.bench.{path.stem}", run_name="__main__")
