"""`make bench`: every benchmark after the other, each alone on the machine, then the tables of docs/benchmarks.md.

    python -m tests.bench [--quick]

Planning takes hours. What var/bench has of the same code is not measured again, so that the command goes on where it
was stopped. --quick (`make bench QUICK=1`) runs the short forms, minutes in all, to see that they work; its tables are
only printed.
"""

from __future__ import annotations

import runpy
import sys
import traceback

from tests.bench.series import QUICK_ROWS, ROWS

ORDER = (
    "plan",
    "referee",
    "repair",
    "toptw",
    "growth",
    "seeds",
    "tickets",
    "desk",
    "history",
    "fanout",
    "van",
    "forecast",
    "night",
    "center",
    "simulation",
    "relief",
    "moments",
    "board",
    "week",
)
"""What the engine's promises rest on first."""
LONG_ONLY = ("simulation", "relief", "moments", "board", "week")
SHORT = tuple(name for name in ORDER if name not in LONG_ONLY)
"""Those that have a short form."""
DOCUMENT, PICTURE = "docs/benchmarks.md", "docs/pictures/growth.svg"


def module(name: str) -> str:
    """Return the module of a benchmark."""
    return "tests.bench.seeds" if name == "seeds" else f"tests.bench.bench_{name}"


def run(name: str, *arguments: str) -> bool:
    """Run a module as its command would; say whether it came to its end. One that fails keeps no other from running."""
    sys.argv = [name, *arguments]
    try:
        runpy.run_module(name, run_name="__main__")
    except SystemExit as ended:
        if ended.code not in (None, 0):  # its data is not there, or what it measured is not as it should be
            print(f"{name} ended with {ended.code}", file=sys.stderr, flush=True)
        return not isinstance(ended.code, str)
    except Exception:
        traceback.print_exc()
        return False
    return True


def main() -> int:
    """Run them all; exit code 1 when one broke."""
    quick = sys.argv[1:] == ["--quick"]
    if sys.argv[1:] and not quick:
        print(__doc__, file=sys.stderr)
        return 2
    whole = True
    for name in SHORT if quick else ORDER:
        print(f"\n## {name}\n", flush=True)
        whole &= run(module(name), *["--quick"] * quick)
    rows = [ROWS / QUICK_ROWS] if quick else sorted(set(ROWS.glob("*.jsonl")) - {ROWS / QUICK_ROWS})
    rows = [path for path in rows if path.exists()]
    if rows:
        print("\n## tables\n", flush=True)
        into = () if quick else ("--into", DOCUMENT, "--plot", PICTURE)
        whole &= run("tests.bench.tables", *map(str, rows), *into)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
