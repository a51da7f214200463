"""The house stays as it was laid: imports go one way, and there is no drawer for everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("fleet", "queueing", "routing", "web")
BESIDE = {"tests", "docs", "var", "node_modules", "build", "dist"}
FORBIDDEN = {"utils", "util", "common", "helpers", "core", "services", "misc", "shared_code"}


def test_imports_keep_the_contracts_of_pyproject() -> None:
    """import-linter finds every contract kept: layers, purity, one reader of the solver."""
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_there_are_contracts_to_keep() -> None:
    """A pyproject without contracts would pass the linter: these must be there."""
    text = (ROOT / "pyproject.toml").read_text()
    for name in ('type = "layers"', '"routing is pure"', '"only routing reaches the solver"'):
        assert name in text


def test_the_top_level_holds_four_packages_and_no_fifth() -> None:
    """No other folder with Python modules grows beside the four."""
    found = {path.parent.relative_to(ROOT).parts[0] for path in ROOT.glob("*/*.py")}
    assert found - BESIDE == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_or_folder_is_a_junk_drawer(package: str) -> None:
    """Names such as utils or helpers say nothing of what is inside."""
    named = [
        path
        for path in (ROOT / package).rglob("*")
        if path.stem in FORBIDDEN and "node_modules" not in path.parts
    ]
    assert named == []


@pytest.mark.parametrize("package", ("routing", "queueing", "fleet"))
def test_the_domain_reads_no_clock(package: str) -> None:
    """Time is an argument: the domain never asks for it."""
    clocks = ("datetime.now(", "datetime.utcnow(", "date.today(", "time.time(")
    allowed = {"routing"}  # a solver measures how long it solved
    found = [
        f"{path.relative_to(ROOT)}: {clock}"
        for path in (ROOT / package).rglob("*.py")
        for clock in clocks
        if package not in allowed and clock in path.read_text()
    ]
    assert found == []


COMMITS = ("queueing/engine.py", "queueing/postgres_bank.py")


@pytest.mark.parametrize("package", ("queueing", "fleet"))
def test_the_domain_never_commits(package: str) -> None:
    """Only queueing/engine.py's `transaction` commits, and the bank that is told to end its transaction in the trip
    that writes; verbs leave that to their caller."""
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / package).rglob("*.py")
        if ".commit()" in path.read_text() and str(path.relative_to(ROOT)) not in COMMITS
    ]
    assert found == []
