"""Errors of the fleet: one family with stable codes, which `web/errors.py` maps once to responses."""

from __future__ import annotations

from typing import Any


class FleetError(Exception):
    """Something the fleet refuses: a stable snake_case `code`, a plain sentence, and JSON-able `details`."""

    status_hint = "conflict"
    """conflict | invalid | missing: what kind of answer suits, without the domain knowing HTTP."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r}, {self.message!r}, {self.details!r})"


class NotFound(FleetError):
    """A plan, center, site or visit that does not exist."""

    status_hint = "missing"


class Invalid(FleetError):
    """Input that can never be right: a wrong date, an unknown service, a point outside Egypt."""

    status_hint = "invalid"


class Conflict(FleetError):
    """Input fine by itself but not now: already published, changed meanwhile, history exists."""


class ImportRefused(Invalid):
    """Files that cannot be imported at all; `details['faults']` lists file, line, column and reason."""
