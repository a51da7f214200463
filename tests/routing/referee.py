"""The referee beside the repository, when it is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"
needs_referee = pytest.mark.skipif(
    not (SHARED / "tools" / "check_plan.py").exists(),
    reason="the referee ../shared/tools/check_plan.py is missing",
)
needs_instances = pytest.mark.skipif(
    not (SHARED / "instances" / "national").exists(),
    reason="the instances in ../shared/instances are missing",
)


def load_referee() -> Any:
    """Return the referee's module."""
    spec = importlib.util.spec_from_file_location("check_plan", SHARED / "tools" / "check_plan.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
