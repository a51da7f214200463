"""Habits of the project that a machine can hold."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def tracked_files() -> list[Path]:
    """Files git knows, as they stand in the working tree."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is not a git checkout")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_lock_file_names_no_download_address() -> None:
    """The npm lock file pins versions and hashes but no registry, so that any mirror serves."""
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {name: facts for name, facts in lock["packages"].items() if name}
    assert packages
    for name, facts in packages.items():
        assert "resolved" not in facts, name
        assert facts["integrity"], name


def test_every_requirement_is_pinned_and_says_why() -> None:
    """Each line of the requirement files names one version and one reason."""
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if line.strip() and not line.startswith(("#", "-r")):
                assert re.fullmatch(r"[A-Za-z0-9_.\[\]-]+==[\w.]+ +# \S.*", line), f"{name}: {line}"


def test_no_machine_path_and_no_private_address_is_committed() -> None:
    """Nothing tracked carries a path of somebody's machine or an address of a package mirror."""
    suspicious = re.compile(r"/home/\w|/root/|/work/(main|shared)|find-links|index-url|trusted-host")
    for path in tracked_files():
        if path.suffix in (".png", ".gz", ".svg") or path.name in ("test_project.py", "LICENSE"):
            continue
        found = suspicious.search(path.read_text(encoding="utf-8", errors="replace"))
        assert found is None, f"{path.relative_to(ROOT)}: {found and found.group()}"


def test_pages_ask_nothing_of_other_hosts() -> None:
    """Templates, styles and scripts of ours load nothing from elsewhere: closed networks are the rule."""
    loads = re.compile(r"""(?:src|href)=["']https?://|url\(["']?https?://|@import|fetch\(["']https?://""")
    for path in tracked_files():
        if path.suffix in (".html", ".css", ".js") and "web" in path.parts:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                found = loads.search(line)
                assert found is None or "<a " in line, f"{path.relative_to(ROOT)}:{number}"


def test_relative_links_of_the_documents_lead_somewhere() -> None:
    """Every link and picture in README and docs/ that names a file of the project names one that is there."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"
