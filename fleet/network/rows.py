"""Records as rows of tables (plain dictionaries): the one place that knows which column takes what. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from fleet.names import search_key
from fleet.network.records import FixedRecord, GovernorateRecord, MobileRecord, UnitRecord, VillageRecord

OPEN_MINUTE, CLOSE_MINUTE = 510, 900
"""08:30 to 15:00: the default of `Site`."""

EQUIPMENT = ("power", "link", "printer", "card_reader", "stamps", "step_free")
"""Readiness list of a mobile center."""

Row = dict[str, Any]
Ids = Mapping[str, int]


def governorate_row(r: GovernorateRecord) -> Row:
    """For `governorate`."""
    return {
        "iso": r.iso, "name_ar": r.name_ar, "name_en": r.name_en, "capital_ar": r.capital_ar,
        "capital_en": r.capital_en, "region_ar": r.region_ar, "region_en": r.region_en, "lat": r.lat, "lon": r.lon,
        "population": r.population,
    }  # fmt: skip


def unit_row(r: UnitRecord, governorates: Ids) -> Row:
    """For `local_unit`."""
    return {
        "code": r.code, "governorate_id": governorates[r.iso], "kind": r.kind, "name_ar": r.name_ar,
        "name_en": r.name_en, "lat": r.lat, "lon": r.lon, "population": r.population, "population_method": r.method,
        "source": r.source,
    }  # fmt: skip


def fixed_row(r: FixedRecord, people: int, governorates: Ids, units: Ids, *, synthetic: bool) -> Row:
    """For `site`, a fixed center or complex that serves `people`."""
    return {
        "code": r.code, "kind": r.kind, "governorate_id": governorates[r.iso], "local_unit_id": units[r.unit],
        "name_ar": r.name_ar, "name_en": r.name_en, "landmark_ar": r.landmark_ar, "landmark_en": r.landmark_en,
        "search_key": search_key(r.name_ar, r.name_en, *r.aliases), "lat": r.lat, "lon": r.lon, "population": people,
        "synthetic": synthetic, "source": r.source, "open_minute": OPEN_MINUTE, "close_minute": CLOSE_MINUTE,
        "active": True,
    }  # fmt: skip


def village_row(r: VillageRecord, fixed_id: int, km: float, governorates: Ids, units: Ids) -> Row:
    """For `site`, a candidate stop whose nearest fixed center is `fixed_id`, `km` away."""
    return {
        "code": r.code, "kind": "village", "governorate_id": governorates[r.iso], "local_unit_id": units[r.unit],
        "name_ar": r.name_ar, "name_en": r.name_en, "landmark_ar": r.landmark_ar, "landmark_en": r.landmark_en,
        "search_key": search_key(r.name_ar, r.name_en), "lat": r.lat, "lon": r.lon, "population": r.population,
        "nearest_fixed_id": fixed_id, "nearest_fixed_km": km, "synthetic": r.synthetic, "source": r.source,
        "active": r.active,
    }  # fmt: skip


def center_row(r: MobileRecord, governorates: Ids, seed: int) -> Row:
    """For `center`; the readiness list is drawn per center (small vans often have steps)."""
    rng = Random(f"equipment/{seed}/{r.code}")
    return {
        "code": r.code, "name_ar": r.name_ar, "name_en": r.name_en, "governorate_id": governorates[r.iso],
        "depot_name_ar": r.depot_ar, "depot_name_en": r.depot_en, "depot_lat": r.lat, "depot_lon": r.lon,
        "klass": r.klass, "desks": r.desks, "setup_minutes": 30 if r.klass == "large" else 20,
        "nights": r.nights, "night_cost": r.night_cost,
        "equipment": {item: item != "step_free" or r.klass == "large" or rng.random() < 0.5 for item in EQUIPMENT},
    }  # fmt: skip


def crew_row(r: MobileRecord, center_id: int) -> Row:
    """For `crew`: a driver and a clerk per desk."""
    return {
        "center_id": center_id, "name_ar": f"طاقم {r.name_ar}", "name_en": f"Crew of {r.name_en}", "drivers": 1,
        "clerks": r.desks,
    }  # fmt: skip
