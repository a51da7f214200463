"""One baseline in a process of its own, which speaks as `python -m routing solve --progress` does.

    python -m tests.bench.baselines {pyvrp,ortools} PROBLEM --out PLAN --seconds 60 --seed 1

Prints a line {"elapsed", "objective"} as its plan gets better. Its seconds begin when its model is built: building a
model in Python is no part of the method. Exit code 3: the baseline cannot state the problem (why: on standard
error); 4: it found no plan.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from routing import load, save
from tests.bench.baselines import ortools_arm, pyvrp_arm
from tests.bench.baselines.statement import Unstatable, state

ARMS = {"pyvrp": pyvrp_arm.solve, "ortools": ortools_arm.solve}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one baseline; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.baselines", description=__doc__)
    parser.add_argument("arm", choices=sorted(ARMS))
    parser.add_argument("problem")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)

    def say(elapsed: float, objective: int) -> None:
        print(json.dumps({"elapsed": round(elapsed, 3), "objective": objective}), flush=True)

    try:
        statement = state(load(options.problem))
        plan = ARMS[options.arm](statement, seconds=options.seconds, seed=options.seed, say=say)
    except Unstatable as error:
        print(error, file=sys.stderr)
        return 3
    if plan is None:
        return 4
    save(plan, options.out)
    remarks = list(statement.remarks)
    if options.arm == "pyvrp" and any(pool.max_drive is not None for pool in statement.pools):
        remarks.append("driving limits are kept by dropping stops afterwards")
    for remark in remarks:
        print(json.dumps({"remark": remark}), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # taking a large model down takes the library longer than it is worth
