"""docs/queue-cases.md names a test for every case, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "queue-cases.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
PARTS = {
    "Issuing": 17,
    "Calling": 14,
    "Serving": 12,
    "Board": 6,
    "Estimates and notices": 5,
    "Roles": 4,
    "Whole lines": 7,
    "A desk without its server": 7,
    "Durability": 3,
}
"""Parts, and how many cases each has at least: a row that is lost is noticed."""


def rows() -> dict[str, list[tuple[str, str]]]:
    """Part -> (case, what holds it) of its table."""
    found: dict[str, list[tuple[str, str]]] = {}
    part = ""
    for line in TABLE.read_text().splitlines():
        if line.startswith("## "):
            part = line[3:]
        elif line.startswith("| ") and not line.startswith("| case "):
            _begin, case, held, _end = (cell.strip() for cell in line.split("|"))
            found.setdefault(part, []).append((case, held))
    return found


def test_every_part_has_its_cases() -> None:
    """No part and no row was lost, no case stands twice."""
    found = rows()
    assert {part: len(cases) for part, cases in found.items()} == PARTS
    for cases in found.values():
        assert len({case for case, _held in cases}) == len(cases)


def test_every_case_names_tests_that_exist() -> None:
    """At least one test a case; each is a function of that name in that file."""
    defined: dict[str, set[str]] = {}
    faults = []
    for cases in rows().values():
        for case, held in cases:
            named = NAMED.findall(held)
            if not named or NAMED.sub("", held).strip(" ,"):
                faults.append(f"{case}: {held}")
            for file, name in named:
                if file not in defined:
                    path = ROOT / file
                    tree = ast.parse(path.read_text()) if path.exists() else ast.Module([], [])
                    defined[file] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
                if name not in defined[file]:
                    faults.append(f"{case}: there is no {file}::{name}")
    assert faults == []
