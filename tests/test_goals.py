"""docs/ux-goals.md tells the truth about its checks: every test and benchmark that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(
    r"^\| (?!goal )(?!-)(?P<goal>[^|]+)\|(?P<target>[^|]+)\|(?P<reached>[^|]+)\|(?P<check>[^|]+)\|$", re.M
)
CHECK = re.compile(r"(?P<file>(?:tests|web)/[\w/]+\.py)?(?:::(?P<name>test_\w+))?")
MODULE = re.compile(r"python -m ((?:tests|web)(?:\.\w+)+)")


def rows() -> list[re.Match[str]]:
    return list(ROW.finditer((ROOT / "docs" / "ux-goals.md").read_text(encoding="utf-8")))


def missing(check: str) -> list[str]:
    """The files and tests that a cell names and that are not there; `::test_...` alone is of the file before."""
    wrong, source, file = [], "", ""
    check = MODULE.sub(lambda found: found[1].replace(".", "/") + ".py", check)
    for found in CHECK.finditer(check):
        if found["file"]:
            file = found["file"]
            path = ROOT / file
            source = path.read_text(encoding="utf-8") if path.is_file() else ""
            if not path.is_file():
                wrong.append(file)
        if found["name"] and not re.search(rf"^def {found['name']}\(", source, re.M):
            wrong.append(f"{file}::{found['name']}")
    return wrong


def test_every_goal_names_a_check_that_is_there() -> None:
    """A renamed test, or one that never was, is found here and not by somebody who trusts the table."""
    found = rows()
    assert len(found) >= 25
    wrong = [f"{row['goal'].strip()}: {fault}" for row in found for fault in missing(row["check"])]
    without = [row["goal"].strip() for row in found if not re.search(r"(tests|web)[/.]\w", row["check"])]
    assert not wrong and not without, (wrong, without)


def test_a_check_that_is_not_there_is_noticed() -> None:
    assert missing(
        "tests/test_goals.py::test_that_never_was, ::test_a_check_that_is_not_there_is_noticed"
    ) == ["tests/test_goals.py::test_that_never_was"]
    assert missing("tests/no_such_file.py") == ["tests/no_such_file.py"]
