"""Do our command, our checker and the referee agree, on every national file?

    python -m tests.bench.bench_referee [--files EG300d1-s7 ...] [--seconds 60] [--out var/bench/referee.jsonl]
                                        [--quick]

For each file: `python -m routing solve FILE --out PLAN --seconds N --seed 1`, then `python -m routing check FILE PLAN`
and, where it is there, `../shared/tools/check_plan.py FILE PLAN`. What the three print as objective, bound and gap must
be the same to the last digit. Exit code 1 when it is not. Rows go to --out and are not measured again.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.bench_plan import LIMITS
from tests.bench.figures import table, whole
from tests.bench.measure import NATIONAL, OURS, ROOT, SHARED, Row, name_of
from tests.bench.series import series_of, standard

JUDGE = SHARED / "tools" / "check_plan.py"
QUICK = {"EG300d1-s7": 4.0, "EG300d6r-s7": 6.0}
CLAIMS = ("objective", "bound", "gap")


def said(text: str) -> dict[str, str]:
    """Return the claims in the last line of what a command printed, as they are written; {} when it refuses."""
    line = (text.strip().splitlines() or [""])[-1]
    found = dict(re.findall(r"(\w+)=(\S+)", line))
    return {} if "INFEASIBLE" in line else {key: found[key] for key in CLAIMS if key in found}


def judged(path: Path, seconds: float) -> Row:
    """Solve the file by our command and return what it and those who check it say."""
    ours = [sys.executable, "-m", "routing"]
    with tempfile.TemporaryDirectory() as folder:
        plan = str(Path(folder) / "plan.json")
        began = time.monotonic()
        solving = _run([*ours, "solve", str(path), "--out", plan, "--seconds", f"{seconds:g}", "--seed", "1"])
        took = time.monotonic() - began
        checking = _run([*ours, "check", str(path), plan])
        judging = _run([sys.executable, str(JUDGE), str(path), plan]) if JUDGE.exists() else None
    row: Row = {"seconds": round(took, 2), "solve": said(solving), "check": said(checking)}
    row["referee"] = None if judging is None else said(judging)
    others = [row[who] for who in ("check", "referee") if row[who] is not None]
    row["agree"] = bool(row["solve"]) and all(other == row["solve"] for other in others)
    if not row["agree"]:
        row["failed"] = True
        row["why"] = "; ".join(text.strip()[-200:] for text in (solving, checking, judging or ""))
    return row


def _run(words: Sequence[str]) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout or done.stderr


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the files, the small ones first."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.bench_referee",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", nargs="+", help="names of national files; default: all")
    parser.add_argument("--seconds", type=float, help="the same limit for every file")
    standard(parser, "referee", "the smallest two, seconds each")
    options = parser.parse_args(arguments)
    if not NATIONAL.exists():
        print(f"no instances at {NATIONAL}", file=sys.stderr)
        return 2
    series = series_of(options, "referee")
    limits: dict[str, float] = {**(QUICK if options.quick else LIMITS)}
    agreed = True
    for name in options.files or limits:
        path = NATIONAL / f"{name}.json.gz"
        seconds = options.seconds or limits.get(name, 60.0)
        wanted = {"file": name_of(path), "method": OURS, "seed": 1, "limit": seconds}
        row = series.once(wanted, lambda path=path, seconds=seconds: judged(path, seconds))  # type: ignore[misc]
        agreed = agreed and row["agree"]
    return 0 if agreed else 1


def referee_table(rows: Sequence[Row]) -> str:
    """Return a line a file: what the command says, and who says the same."""
    lines = []
    for row in rows:
        ours = row["solve"]
        others = {"our checker": row["check"], "the referee": row["referee"]}
        absent = [who for who, other in others.items() if other is None]
        differ = [
            f"{who} says {_written(other)}" for who, other in others.items() if other not in (None, ours)
        ]
        verdict = "; ".join([*(differ or ["agree"]), *(f"{who} is not there" for who in absent)])
        if not ours:
            verdict = "no plan"
        claims = (whole(float(ours[key])) if key in ours else "" for key in ("objective", "bound"))
        lines.append(
            [row["file"], whole(row["limit"]), f"{row['seconds']:.1f}", *claims, ours.get("gap", ""), verdict]
        )
    return table("file|limit, s|seconds|objective|bound|gap|command, checker and referee", lines)


def _written(claims: dict[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in claims.items()) or "infeasible"


if __name__ == "__main__":
    sys.exit(main())
