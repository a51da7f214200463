"""From records to rows in the database, in bulk: shared by the built-in network and by imports. Commits nothing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from fleet import demand
from fleet.network import catalogue, rows
from fleet.network.fixed import desks_for
from fleet.network.queues import QueueSpec, make_queues
from fleet.network.records import FixedRecord, GovernorateRecord, MobileRecord, UnitRecord, VillageRecord
from fleet.network.rows import Ids
from fleet.store import Center, Crew, Governorate, LocalUnit, Site, SiteQueue

COMPLEX_DRAW = 0.35
"""Share of its governorate's people whom the complex serves for the agencies it houses."""

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
"""Letters of a complex's queues; I, O and Q are left out because they read as digits or as each other."""

CHUNK = 2000


def write_governorates(session: Session, records: Sequence[GovernorateRecord]) -> dict[str, int]:
    """Insert governorates that are not there; ids by ISO code of all of them."""
    known = set(session.scalars(select(Governorate.iso)))
    missing = [rows.governorate_row(r) for r in records if r.iso not in known]
    if missing:
        session.execute(insert(Governorate), missing)
    return dict(session.execute(select(Governorate.iso, Governorate.id)).all())


def write_units(session: Session, records: Sequence[UnitRecord], governorates: Ids) -> dict[str, int]:
    """Insert local units; their ids by code."""
    values = [rows.unit_row(r, governorates) for r in records]
    ids = session.scalars(insert(LocalUnit).returning(LocalUnit.id, sort_by_parameter_order=True), values)
    return {record.code: unit_id for record, unit_id in zip(records, ids, strict=True)}


def write_fixed(
    session: Session,
    records: Sequence[FixedRecord],
    people: Sequence[int],
    governorates: Ids,
    units: Ids,
    *,
    seed: int,
    synthetic: bool = False,
) -> list[int]:
    """Insert fixed centers and complexes with their queues and desks; site ids in the order given.

    `people` are the catchments; for a complex the people who come to it.
    """
    if not records:
        return []
    values = [
        rows.fixed_row(r, count, governorates, units, synthetic=synthetic)
        for r, count in zip(records, people, strict=True)
    ]
    ids = list(session.scalars(insert(Site).returning(Site.id, sort_by_parameter_order=True), values))
    add_queues(session, records, people, ids, seed=seed)
    return ids


def add_queues(
    session: Session,
    records: Sequence[FixedRecord],
    people: Sequence[int],
    site_ids: Sequence[int],
    *,
    seed: int,
) -> None:
    """Give sites without queues their queues, desks counted from the load of `people` (one queue per agency in a
    complex)."""
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
    if queue_ids:
        links = [{"queue_id": queue, "site_id": site} for queue, site in zip(queue_ids, owners, strict=True)]
        session.execute(insert(SiteQueue), links)


def offered_load(people: float, minutes: float) -> float:
    """Erlangs at a place that serves `people`, with `minutes` mean service time, over its opening hours."""
    return demand.daily_requests(people) * minutes / (rows.CLOSE_MINUTE - rows.OPEN_MINUTE)


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
    governorates: Ids,
    units: Ids,
) -> None:
    """Insert candidate stops; `nearest` gives for each the index of its fixed center and the km."""
    values = [
        rows.village_row(r, fixed_ids[near], km, governorates, units)
        for r, (near, km) in zip(records, nearest, strict=True)
    ]
    for start in range(0, len(values), CHUNK):
        session.execute(insert(Site), values[start : start + CHUNK])


def write_mobile(session: Session, records: Sequence[MobileRecord], governorates: Ids, *, seed: int) -> int:
    """Insert mobile centers, standing in their depots, with their crews; the number made."""
    if not records:
        return 0
    values = [{**rows.center_row(r, governorates, seed), "lat": r.lat, "lon": r.lon} for r in records]
    ids = list(session.scalars(insert(Center).returning(Center.id, sort_by_parameter_order=True), values))
    session.execute(insert(Crew), [rows.crew_row(r, center) for center, r in zip(ids, records, strict=True)])
    return len(ids)
