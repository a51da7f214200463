"""Rows become records: every cell is checked, good rows go on, the others become faults with line and column."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from fleet.importing.reading import Fault, Row, Table
from fleet.network.geo import in_egypt
from fleet.network.records import GovernorateRecord

UNIT_KINDS = ("markaz", "qism", "city", "new_city")


class Bad(Exception):
    """A cell that cannot be used; becomes a fault of its row."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


@dataclass(frozen=True)
class UnitRow:
    """A usable row of a file of local units or new cities; `population` None where the file does not model it."""

    code: str
    iso: str
    kind: str
    name_ar: str
    name_en: str
    lat: float
    lon: float
    population: int | None
    method: str
    town_population: int
    source: str


@dataclass(frozen=True)
class LocalityRow:
    """A usable row of a file of villages and hamlets; `iso` is empty where the file names no governorate."""

    code: str
    iso: str
    name_ar: str
    name_latin: str
    lat: float
    lon: float
    population: int
    source: str


def governorate_rows(tables: Iterable[Table], faults: list[Fault]) -> list[GovernorateRecord]:
    """Usable governorates; faults are added to `faults`."""
    found: dict[str, GovernorateRecord] = {}
    for row in _rows(tables, "governorates"):
        try:
            iso = _key(row, "iso_3166_2", found)
            lat, lon = _point(row, "capital_lat", "capital_lon")
            found[iso] = GovernorateRecord(
                iso=iso,
                code=_text(row, "national_id_code", 4).zfill(2),
                admin1=row.values.get("geonames_admin1", ""),
                name_ar=_text(row, "name_ar", 80),
                name_en=_text(row, "name_en", 80),
                capital_ar=_text(row, "capital_ar", 80),
                capital_en=_text(row, "capital_en", 80),
                region_ar=row.values.get("region_ar", "")[:80],
                region_en=row.values.get("region_en", "")[:80],
                lat=lat,
                lon=lon,
                population=_whole(row, "population_census_2017", 1, 50_000_000),
                nights=_whole(row, "van_nights", 0, 13) if row.values.get("van_nights") else None,
                night_cost=_hours(row, "van_night_hours") if row.values.get("van_night_hours") else None,
            )
        except Bad as bad:
            faults.append(row.fault(bad.column, bad.reason))
    return list(found.values())


def unit_rows(tables: Iterable[Table], known: Collection[str], faults: list[Fault]) -> list[UnitRow]:
    """Usable local units of the `known` governorates; faults are added to `faults`."""
    found: dict[str, UnitRow] = {}
    for row in _rows(tables, "units"):
        try:
            code = _key(row, "unit_id", found)
            modelled = row.values["population_2017_modelled"]
            found[code] = UnitRow(
                code=code,
                iso=_governorate(row, known),
                kind=_one_of(row, "kind", UNIT_KINDS),
                name_ar=_text(row, "name_ar", 120),
                name_en=_text(row, "name_en", 120),
                lat=_point(row, "lat", "lon")[0],
                lon=_point(row, "lat", "lon")[1],
                population=_whole(row, "population_2017_modelled", 0, 20_000_000) if modelled else None,
                method=row.values["population_2017_method"][:60],
                town_population=_optional(row, "geonames_town_population"),
                source=f"{row.file}: {row.values.get('coord_source', '') or 'point of the file'}"[:80],
            )
        except Bad as bad:
            faults.append(row.fault(bad.column, bad.reason))
    return list(found.values())


def locality_rows(tables: Iterable[Table], known: Collection[str], faults: list[Fault]) -> list[LocalityRow]:
    """Usable villages and hamlets; an empty governorate is allowed (the point decides), an unknown one is a fault."""
    found: dict[str, LocalityRow] = {}
    for row in _rows(tables, "localities"):
        try:
            code = _key(row, "wof_id", found)
            lat, lon = _point(row, "lat", "lon")
            latin = _text(row, "name_latin", 160)
            found[code] = LocalityRow(
                code=code,
                iso=_governorate(row, known) if row.values["governorate_iso"] else "",
                name_ar=row.values["name_ar"][:160] if _is_arabic(row.values["name_ar"]) else "",
                name_latin=latin,
                lat=lat,
                lon=lon,
                population=_optional(row, "population"),
                source=f"{row.file}: {row.values.get('geom_source', '') or 'unknown source'}"[:80],
            )
        except Bad as bad:
            faults.append(row.fault(bad.column, bad.reason))
    return list(found.values())


def _rows(tables: Iterable[Table], kind: str) -> Iterable[Row]:
    for table in tables:
        if table.kind == kind:
            yield from table.rows


def _text(row: Row, column: str, most: int) -> str:
    value = row.values[column]
    if not value:
        raise Bad(column, "the cell is empty")
    if len(value) > most:
        raise Bad(column, f"longer than {most} characters")
    return value


def _key(row: Row, column: str, seen: Collection[str]) -> str:
    value = _text(row, column, 32)
    if value in seen:
        raise Bad(column, f"{value} is there a second time; the first row counts")
    return value


def _one_of(row: Row, column: str, allowed: Collection[str]) -> str:
    value = _text(row, column, 40)
    if value not in allowed:
        raise Bad(column, f"{value!r} is not one of {', '.join(allowed)}")
    return value


def _governorate(row: Row, known: Collection[str]) -> str:
    value = _text(row, "governorate_iso", 8)
    if value not in known:
        raise Bad("governorate_iso", f"there is no governorate {value!r}")
    return value


def _point(row: Row, lat_column: str, lon_column: str) -> tuple[float, float]:
    if not row.values[lat_column] or not row.values[lon_column]:
        raise Bad(
            lat_column if not row.values[lat_column] else lon_column, "no point: the coordinate is empty"
        )
    lat, lon = _number(row, lat_column), _number(row, lon_column)
    if not in_egypt(lat, lon):
        swapped = "; are latitude and longitude swapped?" if in_egypt(lon, lat) else ""
        raise Bad(lat_column, f"the point {lat:g}, {lon:g} is not in Egypt{swapped}")
    return lat, lon


def _number(row: Row, column: str) -> float:
    try:
        value = float(row.values[column])
    except ValueError:
        raise Bad(column, f"{row.values[column][:40]!r} is not a number") from None
    if not math.isfinite(value):
        raise Bad(column, f"{row.values[column][:40]!r} is not a finite number")
    return value


def _hours(row: Row, column: str) -> float:
    value = _number(row, column)
    if not 0 <= value <= 1000:
        raise Bad(column, f"{value:g} is not between 0 and 1000")
    return value


def _whole(row: Row, column: str, low: int, high: int) -> int:
    text = _text(row, column, 40)
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise Bad(column, f"{text!r} is not a whole number")
    value = int(text)
    if not low <= value <= high:
        raise Bad(column, f"{value} is not between {low} and {high}")
    return value


def _optional(row: Row, column: str) -> int:
    return _whole(row, column, 0, 50_000_000) if row.values.get(column) else 0


def _is_arabic(text: str) -> bool:
    return any("\u0621" <= ch <= "\u064a" for ch in text)
