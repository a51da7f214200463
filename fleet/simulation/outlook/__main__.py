"""`python -m fleet.simulation.outlook FACTS --out ANSWER`: plays a week in a process of its own."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from fleet.planning.blobs import unpack
from fleet.simulation.outlook.answer import bring
from fleet.simulation.outlook.facts import Facts


def main() -> int:
    """Read gzipped facts, write the answer at once when it is whole."""
    parser = argparse.ArgumentParser(prog="python -m fleet.simulation.outlook", description=__doc__)
    parser.add_argument("facts", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--seconds", type=float, help="no run begins later; the answer says how many there were"
    )
    asked = parser.parse_args()
    began = time.monotonic()
    facts = Facts.from_json(unpack(asked.facts.read_bytes()))

    def enough() -> bool:
        return asked.seconds is not None and time.monotonic() - began > asked.seconds

    answer = bring(facts, runs=asked.runs, seed=asked.seed, enough=enough)
    part = asked.out.with_suffix(".part")
    part.write_text(json.dumps(answer), encoding="utf-8")
    part.replace(asked.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
