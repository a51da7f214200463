"""Loading official-style CSV files in place of the network that is there.

    report = import_files(session, [Path("governorates.csv"), Path("local_units.csv")], now=now)

Files are recognised by their headers: governorates (`iso_3166_2`), local units and new cities (`unit_id`), villages and
hamlets (`wof_id`). A governorates file may say `van_nights` (the most nights in a row that its vans stay away) and
`van_night_hours` (person-hours a night). Bad rows are reported by file, line and column and left out; a file with a
missing column, another encoding or an unknown header refuses the whole import, because half a network helps nobody. The
same files again change nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from fleet.errors import ImportRefused
from fleet.importing.model import model_units, model_villages
from fleet.importing.reading import Fault, Table, read_table
from fleet.importing.records import governorate_rows, locality_rows, unit_rows
from fleet.importing.replace import Network, put_in_place
from fleet.network.builder import SETTING, Size
from fleet.network.fixed import catchments, draw_complex, draw_fixed
from fleet.network.mobile import draw_mobile
from fleet.network.records import GovernorateRecord
from fleet.network.towns import governorates as built_in_governorates
from fleet.network.villages import draw_villages
from fleet.network.write import COMPLEX_DRAW
from fleet.store import ImportFault, Setting

__all__ = ["Fault", "Report", "import_files"]


@dataclass(frozen=True)
class Report:
    """What an import did. Counts are rows of all tables together; `tables` has them apart."""

    added: int
    changed: int
    removed: int
    kept_inactive: int
    """Places and vans that history points at: taken out of use instead of removed."""
    rows: int
    """Rows read, good and bad."""
    governorates: int
    units: int
    fixed: int
    villages: int
    candidates: int
    """Villages where a center can stop."""
    mobile: int
    without_arabic_name: int
    without_governorate: int
    """Villages whose file names no governorate; that of the nearest local unit was taken."""
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.added} added, {self.changed} changed, {self.removed} removed, "
            f"{self.kept_inactive} kept out of use; "
            f"{self.units} local units, {self.fixed} fixed centers, {self.candidates} candidate stops among "
            f"{self.villages} villages, {self.mobile} mobile centers; {len(self.faults)} faults"
        )


def import_files(
    session: Session,
    paths: Sequence[Path | str],
    *,
    now: datetime,
    replace: bool = False,
    seed: int = 1,
    size: Size | None = None,
) -> Report:
    """Load the files in place of the present network; does not commit.

    Without a governorates file the built-in table of 27 serves; without a villages file stops are drawn around the
    units and marked synthetic. Where tickets, plans or visits stand at places that would go, raises Conflict
    (`network_has_history`) unless `replace`: then those places are kept out of use, with their history. Raises
    ImportRefused (`import_refused`) with `faults` when a file cannot be used at all or no usable local unit is left.
    """
    size = size or Size()
    files = [Path(path) for path in paths]
    tables = [read_table(path) for path in files]
    _refuse_if_unusable(tables)
    faults = [fault for table in tables for fault in table.faults]
    governorates = _governorates(tables, faults)
    known = {g.iso for g in governorates}
    units = model_units(unit_rows(tables, known, faults))
    if not units:
        raise ImportRefused(
            "import_refused",
            "No usable row of local units was given.",
            faults=[vars(f) for f in sorted(faults)],
        )
    localities = locality_rows(tables, known, faults)
    network = _network(governorates, units, localities, seed, size)
    change = put_in_place(session, network, seed=seed, replace=replace)
    _keep_faults(session, tables, sorted(faults), now)
    _keep_source(session, files, seed, now)
    session.flush()
    return Report(
        added=change.added,
        changed=change.changed,
        removed=change.removed,
        kept_inactive=change.kept_inactive,
        rows=sum(len(t.rows) + len(t.faults) for t in tables),
        governorates=len(governorates),
        units=len(units),
        fixed=len(network.fixed),
        villages=len(network.villages),
        candidates=sum(v.active for v in network.villages),
        mobile=len(network.mobile),
        without_arabic_name=sum(not locality.name_ar for locality in localities),
        without_governorate=sum(not locality.iso for locality in localities),
        tables=change.tables,
        faults=sorted(faults),
    )


def _refuse_if_unusable(tables: Sequence[Table]) -> None:
    refusals = sorted(fault for table in tables for fault in table.refusals)
    if not tables:
        raise ImportRefused("import_refused", "No file was given.", faults=[])
    if refusals:
        missing = [
            f"{f.file}: {f.column + ': ' if f.column else ''}{f.reason} (line {f.line})" for f in refusals
        ]
        raise ImportRefused(
            "import_refused",
            "Nothing was imported. " + "; ".join(missing) + ".",
            faults=[vars(fault) for fault in refusals],
        )


def _governorates(tables: Sequence[Table], faults: list[Fault]) -> list[GovernorateRecord]:
    if any(table.kind == "governorates" for table in tables):
        return governorate_rows(tables, faults)
    return list(built_in_governorates())


def _network(governorates: Any, units: Any, localities: Any, seed: int, size: Size) -> Network:
    if localities:
        towns, villages, inhabitants = model_villages(localities, units, seed=seed)
    else:
        shares = [int(unit.population * 0.4) for unit in units]
        towns = shares
        rural = [_with_people(unit, share) for unit, share in zip(units, shares, strict=True)]
        present = [g for g in governorates if any(u.iso == g.iso for u in units)]
        sums = {g.iso: sum(u.population for u in units if u.iso == g.iso) for g in present}
        count = min(size.villages, 40 * len(present))
        villages = draw_villages(
            [_with_people(g, sums[g.iso]) for g in present],
            rural,
            count=max(count, 6 * len(present)),
            seed=seed,
        )
        inhabitants = [village.population for village in villages]
    townspeople = [_with_people(unit, people) for unit, people in zip(units, towns, strict=True)]
    real = [_with_people(village, people) for village, people in zip(villages, inhabitants, strict=True)]
    fixed = draw_fixed(
        townspeople, real, count=size.fixed, seed=seed, source="assumed at the local unit's point"
    )
    people, nearest = catchments(townspeople, real, fixed)
    present_isos = {unit.iso for unit in units}
    for governorate in governorates:
        if governorate.iso in size.complexes and governorate.iso in present_isos:
            fixed.append(draw_complex(governorate, units, source="programme"))
            people.append(int(COMPLEX_DRAW * governorate.population))
    return Network(
        governorates=governorates,
        units=units,
        fixed=fixed,
        people=people,
        villages=villages,
        nearest=nearest,
        mobile=draw_mobile(governorates, count=max(size.mobile, len(governorates)), seed=seed),
    )


def _with_people(record: Any, people: int) -> Any:
    return dataclasses.replace(record, population=people)


def _keep_faults(session: Session, tables: Sequence[Table], faults: Sequence[Fault], now: datetime) -> None:
    """The faults of these files in place of what earlier runs found in them; equal ones keep the time they were
    seen."""
    names = [table.file for table in tables]
    present = session.execute(
        select(ImportFault.file, ImportFault.line, ImportFault.column, ImportFault.reason).where(
            ImportFault.file.in_(names)
        )
    )
    wanted = [(f.file[:200], f.line, f.column[:80], f.reason[:400]) for f in faults]
    if sorted(tuple(row) for row in present) == sorted(wanted):
        return
    session.execute(delete(ImportFault).where(ImportFault.file.in_(names)))
    if wanted:
        session.execute(
            insert(ImportFault),
            [{"file": f, "line": n, "column": c, "reason": r, "seen_at": now} for f, n, c, r in wanted],
        )


def _keep_source(session: Session, files: Sequence[Path], seed: int, now: datetime) -> None:
    """Remember where the network came from; unchanged files leave the setting as it is."""
    stamps = [{"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in files]
    value = {"source": "import", "seed": seed, "files": sorted(stamps, key=lambda s: s["name"])}
    setting = session.get(Setting, SETTING)
    if setting is None:
        session.add(Setting(key=SETTING, value={**value, "at": now.isoformat()}))
    elif {k: v for k, v in setting.value.items() if k != "at"} != value:
        setting.value = {**value, "at": now.isoformat()}
