"""What a scenario's changes may name, looked up once: where centers and sites lie, and of which kind they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import Center, Governorate, LocalUnit, Site


@dataclass(frozen=True, slots=True)
class Book:
    """By code: governorates by ISO code, districts by the local unit's code. `days` is the length of the
    problem, which began on `week`."""

    week: date
    days: int
    governorates: frozenset[str]
    center_governorate: Mapping[str, str]
    site_governorate: Mapping[str, str]
    site_kind: Mapping[str, str]
    site_unit: Mapping[str, str]
    unit_governorate: Mapping[str, str]
    klasses: frozenset[str]

    def with_centers(self, more: Mapping[str, str]) -> Book:
        """Return the book with new vans in it: governorate by code."""
        return replace(self, center_governorate={**self.center_governorate, **more})


def load_book(session: Session, problem: Mapping[str, Any], week: date) -> Book:
    """Return the book of a fleet-problem: only what it holds can be named."""
    isos = dict(session.execute(select(Governorate.id, Governorate.iso)).all())
    units = dict(session.execute(select(LocalUnit.id, LocalUnit.code)).all())
    unit_in = dict(session.execute(select(LocalUnit.code, LocalUnit.governorate_id)).all())
    held = {site["id"] for site in problem["sites"]}
    governorate_of: dict[str, str] = {}
    kind_of: dict[str, str] = {}
    unit_of: dict[str, str] = {}
    for code, kind, governorate, unit in session.execute(
        select(Site.code, Site.kind, Site.governorate_id, Site.local_unit_id)
    ):
        if code in held:
            governorate_of[code], kind_of[code], unit_of[code] = isos[governorate], kind, units[unit]
    centers = dict(session.execute(select(Center.code, Center.governorate_id)).all())
    return Book(
        week,
        len(problem["days"]),
        frozenset(isos.values()),
        {code: isos[g] for code, g in centers.items()},
        governorate_of,
        kind_of,
        unit_of,
        {code: isos[g] for code, g in unit_in.items()},
        frozenset(
            klass for site in problem["sites"] if isinstance(site["offers"], dict) for klass in site["offers"]
        ),
    )
