"""What a network is made of before it becomes rows: plain frozen values. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GovernorateRecord:
    """One governorate; `population` is the 2017 census, `code` the national-ID code used in names of
    centers."""

    iso: str
    code: str
    admin1: str
    name_ar: str
    name_en: str
    capital_ar: str
    capital_en: str
    region_ar: str
    region_en: str
    lat: float
    lon: float
    population: int
    nights: int | None = None
    night_cost: float | None = None
    """Nights in a row that its vans may stay away and person-hours a night, where a source says so."""


@dataclass(frozen=True)
class UnitRecord:
    """A town or local unit. `share` is what of its population lives in the town itself (1 where villages are
    apart)."""

    code: str
    iso: str
    kind: str
    name_ar: str
    name_en: str
    lat: float
    lon: float
    population: int
    method: str
    source: str
    has_center: bool = True
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class VillageRecord:
    """A candidate stop: a village with its hamlets."""

    code: str
    iso: str
    unit: str
    name_ar: str
    name_en: str
    lat: float
    lon: float
    population: int
    synthetic: bool
    source: str
    landmark_ar: str = ""
    landmark_en: str = ""
    active: bool = True


@dataclass(frozen=True)
class FixedRecord:
    """A fixed center or complex; `weight` is its share of its unit's people when the unit has several."""

    code: str
    kind: str
    iso: str
    unit: str
    name_ar: str
    name_en: str
    lat: float
    lon: float
    weight: float
    source: str
    landmark_ar: str = ""
    landmark_en: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class MobileRecord:
    """A mobile center with its home."""

    code: str
    iso: str
    name_ar: str
    name_en: str
    depot_ar: str
    depot_en: str
    lat: float
    lon: float
    klass: str
    desks: int
    nights: int = 0
    night_cost: float = 0.0
    """Person-hours a night."""
