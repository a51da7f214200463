"""From records to rows, in bulk: shared by the built-in network and by imports. Nothing is committed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from fleet import demand
from fleet.names import search_key
from fleet.network import catalogue
from fleet.network.fixed import desks_for
from fleet.network.queues import QueueSpec, make_queues
from fleet.network.records import FixedRecord, GovernorateRecord, MobileRecord, UnitRecord, VillageRecord
from fleet.store import Center, Crew, Governorate, LocalUnit, Site, SiteQueue

OPEN_MINUTE, CLOSE_MINUTE = 510, 900
"""08:30 to 15:00: the default of `Site`."""

COMPLEX_DRAW = 0.35
"""Share of its governorate's people whom the complex serves for the agencies it houses."""

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
"""Letters of a complex's queues; I, O and Q are left out because they read as digits or as each other."""

Progress = Callable[[str, int, int], None]
EQUIPMENT = ("power", "link", "printer", "card_reader", "stamps", "step_free")


def write_governorates(session: Session, records: Sequence[GovernorateRecord]) -> dict[str, int]:
    """Insert governorates that are not there; ids by ISO code of all of them."""
    known = dict(session.execute(select(Governorate.iso, Governorate.id)).tuples().all())
    rows = [
        {
            "iso": r.iso, "name_ar": r.name_ar, "name_en": r.name_en, "capital_ar": r.capital_ar,
            "capital_en": r.capital_en, "region_ar": r.region_ar, "region_en": r.region_en,
            "lat": r.lat, "lon": r.lon, "population": r.population,
        }
        for r in records
        if r.iso not in known
    ]  # fmt: skip
    if rows:
        session.execute(insert(Governorate), rows)
    return dict(session.execute(select(Governorate.iso, Governorate.id)).tuples().all())


def write_units(
    session: Session, records: Sequence[UnitRecord], governorates: Mapping[str, int]
) -> dict[str, int]:
    """Insert local units; their ids by code."""
    rows = [
        {
            "code": r.code, "governorate_id": governorates[r.iso], "kind": r.kind, "name_ar": r.name_ar,
            "name_en": r.name_en, "lat": r.lat, "lon": r.lon, "population": r.population,
            "population_method": r.method, "source": r.source,
        }
        for r in records
    ]  # fmt: skip
    ids = session.scalars(insert(LocalUnit).returning(LocalUnit.id, sort_by_parameter_order=True), rows)
    return {record.code: uid for record, uid in zip(records, ids, strict=True)}


def write_fixed(
    session: Session,
    records: Sequence[FixedRecord],
    people: Sequence[int],
    governorates: Mapping[str, int],
    units: Mapping[str, int],
    *,
    seed: int,
    synthetic: bool = False,
) -> list[int]:
    """Insert fixed centers and complexes with their queues and desks; site ids in the order given.

    `people` are catchments; a complex serves `COMPLEX_DRAW` of the people given for it.
    """
    rows = [
        {
            "code": r.code, "kind": r.kind, "governorate_id": governorates[r.iso], "local_unit_id": units[r.unit],
            "name_ar": r.name_ar, "name_en": r.name_en, "landmark_ar": r.landmark_ar, "landmark_en": r.landmark_en,
            "search_key": search_key(r.name_ar, r.name_en, *r.aliases), "lat": r.lat, "lon": r.lon, "population": count,
            "synthetic": synthetic, "source": r.source, "open_minute": OPEN_MINUTE, "close_minute": CLOSE_MINUTE,
        }
        for r, count in zip(records, people, strict=True)
    ]  # fmt: skip
    site_ids = list(session.scalars(insert(Site).returning(Site.id, sort_by_parameter_order=True), rows))
    specs: list[QueueSpec] = []
    owners: list[int] = []
    offer = catalogue.fixed_offer(session)
    minutes = demand.mean_service_minutes(offer)
    for record, site_id, count in zip(records, site_ids, people, strict=True):
        rng = Random(f"desks/{seed}/{record.code}")
        if record.kind == "complex":
            made = _complex_specs(session, record, count, rng)
        else:
            desks = desks_for(offered_load(count, minutes), rng)
            made = [QueueSpec(record.name_ar, record.name_en, tuple(s.id for s in offer), desks)]
        specs += made
        owners += [site_id] * len(made)
    queue_ids = make_queues(session, specs)
    session.execute(
        insert(SiteQueue),
        [{"queue_id": q, "site_id": site} for q, site in zip(queue_ids, owners, strict=True)],
    )
    return site_ids


def offered_load(people: float, minutes: float) -> float:
    """Erlangs at a place that serves `people`, with `minutes` mean service time, over its opening hours."""
    return demand.daily_requests(people) * minutes / (CLOSE_MINUTE - OPEN_MINUTE)


def _complex_specs(session: Session, record: FixedRecord, people: int, rng: Random) -> list[QueueSpec]:
    offers = catalogue.complex_offer(session)
    shares = demand.service_shares([s for services in offers.values() for s in services])
    specs = []
    for letter, services in zip(LETTERS, offers.values(), strict=False):
        share = sum(shares[s.code] for s in services)
        load = offered_load(people * share, demand.mean_service_minutes(services))
        specs.append(
            QueueSpec(
                f"{record.name_ar} – {services[0].agency_ar}",
                f"{record.name_en} – {services[0].agency_en}",
                tuple(s.id for s in services),
                desks_for(load, rng),
                letter,
            )
        )
    return specs


def write_villages(
    session: Session,
    records: Sequence[VillageRecord],
    nearest: Sequence[tuple[int, float]],
    fixed_ids: Sequence[int],
    governorates: Mapping[str, int],
    units: Mapping[str, int],
    *,
    chunk: int = 2000,
) -> None:
    """Insert candidate stops; `nearest` gives for each the index of its fixed center and the km."""
    for start in range(0, len(records), chunk):
        part = records[start : start + chunk]
        rows = [
            {
                "code": r.code, "kind": "village", "governorate_id": governorates[r.iso],
                "local_unit_id": units[r.unit], "name_ar": r.name_ar, "name_en": r.name_en,
                "landmark_ar": r.landmark_ar, "landmark_en": r.landmark_en,
                "search_key": search_key(r.name_ar, r.name_en), "lat": r.lat, "lon": r.lon,
                "population": r.population, "nearest_fixed_id": fixed_ids[near], "nearest_fixed_km": km,
                "synthetic": r.synthetic, "source": r.source, "active": r.active,
            }
            for r, (near, km) in zip(part, nearest[start : start + chunk], strict=True)
        ]  # fmt: skip
        session.execute(insert(Site), rows)


def write_mobile(
    session: Session, records: Sequence[MobileRecord], governorates: Mapping[str, int], *, seed: int
) -> int:
    """Insert mobile centers with their crews; the number made."""
    rng = Random(f"equipment/{seed}")
    rows = [
        {
            "code": r.code, "name_ar": r.name_ar, "name_en": r.name_en, "governorate_id": governorates[r.iso],
            "depot_name_ar": r.depot_ar, "depot_name_en": r.depot_en, "depot_lat": r.lat, "depot_lon": r.lon,
            "klass": r.klass, "desks": r.desks, "setup_minutes": 30 if r.klass == "large" else 20,
            "equipment": {item: item != "step_free" or r.klass == "large" or rng.random() < 0.5 for item in EQUIPMENT},
            "lat": r.lat, "lon": r.lon,
        }
        for r in records
    ]  # fmt: skip
    ids = list(session.scalars(insert(Center).returning(Center.id, sort_by_parameter_order=True), rows))
    session.execute(
        insert(Crew),
        [
            {
                "center_id": center,
                "name_ar": f"طاقم {r.name_ar}",
                "name_en": f"Crew of {r.name_en}",
                "drivers": 1,
                "clerks": r.desks,
            }
            for center, r in zip(ids, records, strict=True)
        ],
    )
    return len(ids)
