"""Putting a network in place of the present one without losing anything that happened there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from fleet.errors import Conflict
from fleet.importing.upsert import Upserted, delete_where, references, upsert
from fleet.network import catalogue, rows, write
from fleet.network.records import FixedRecord, GovernorateRecord, MobileRecord, UnitRecord, VillageRecord
from fleet.store import Center, Crew, Governorate, LocalUnit, Site, SiteQueue
from queueing.store import Base, Desk, Queue

OF_SITE = ("site", "site_queue", "visit_value")
OF_QUEUE = ("site_queue", "queue_service", "desk", "forecast_hour")
OF_DESK = ("desk_service",)
OF_CENTER = ("crew",)
"""Tables that belong to a row and go with it (or are computed anew); any other reference is history and keeps it."""

RETIRED = "not in the imported network"


@dataclass(frozen=True)
class Network:
    """A whole network as records; `people` and `nearest` as `fixed.catchments` gives them."""

    governorates: Sequence[GovernorateRecord]
    units: Sequence[UnitRecord]
    fixed: Sequence[FixedRecord]
    people: Sequence[int]
    villages: Sequence[VillageRecord]
    nearest: Sequence[tuple[int, float]]
    mobile: Sequence[MobileRecord]


@dataclass
class Change:
    """What was done, in all and per table."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    kept_inactive: int = 0
    tables: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, table: str, **numbers: int) -> None:
        """Add numbers of a table to the totals."""
        own = self.tables.setdefault(table, {})
        for name, number in numbers.items():
            own[name] = own.get(name, 0) + number
            setattr(self, name, getattr(self, name) + number)


def put_in_place(session: Session, network: Network, *, seed: int, replace: bool) -> Change:
    """Upsert everything by its code, then take out of use what the network does not have.

    Raises Conflict (`network_has_history`) before any change when history stands at what would go and not `replace`.
    """
    gone_sites = _gone(session, Site, [r.code for r in network.fixed] + [r.code for r in network.villages])
    gone_centers = _gone(session, Center, [r.code for r in network.mobile])
    history = _site_history(session, gone_sites)
    center_history = references(session, "center", gone_centers, owned=OF_CENTER)
    if (history or center_history) and not replace:
        counts: Counter[str] = sum([*history.values(), *center_history.values()], Counter())
        raise Conflict(
            "network_has_history",
            f"{len(history)} places and {len(center_history)} vans that would go have a history. "
            "Import with replace to keep them out of use with their history.",
            rows=dict(counts),
        )
    change = Change()
    change.count("service", added=catalogue.ensure_services(session))
    governorates = upsert(
        session, Governorate, [rows.governorate_row(r) for r in network.governorates], key="iso"
    )
    _tell(change, "governorate", governorates)
    units = upsert(session, LocalUnit, [rows.unit_row(r, governorates.ids) for r in network.units])
    _tell(change, "local_unit", units)
    fixed = _put_fixed(session, network, governorates.ids, units.ids, seed)
    _tell(change, "site", fixed)
    fixed_ids = [fixed.ids[r.code] for r in network.fixed]
    villages = upsert(
        session,
        Site,
        [
            rows.village_row(r, fixed_ids[near], km, governorates.ids, units.ids)
            for r, (near, km) in zip(network.villages, network.nearest, strict=True)
        ],
    )
    _tell(change, "site", villages)
    _put_mobile(session, network, governorates.ids, seed, change)
    _retire_sites(session, gone_sites, history, change)
    _retire_centers(session, gone_centers, center_history, change)
    _retire_areas(session, network, change)
    session.expire_all()
    return change


def _tell(change: Change, table: str, done: Upserted) -> None:
    change.count(table, added=done.added, changed=done.changed)


def _gone(session: Session, entity: type[Site] | type[Center], codes: Iterable[str]) -> dict[int, str]:
    wanted = set(codes)
    in_use = Site.active if entity is Site else Center.status_reason != RETIRED
    known = session.execute(select(entity.id, entity.code).where(in_use))
    return {identity: code for identity, code in known if code not in wanted}


def _put_fixed(
    session: Session, network: Network, governorates: rows.Ids, units: rows.Ids, seed: int
) -> Upserted:
    done = upsert(
        session,
        Site,
        [
            rows.fixed_row(r, people, governorates, units, synthetic=False)
            for r, people in zip(network.fixed, network.people, strict=True)
        ],
    )
    new = [(r, people) for r, people in zip(network.fixed, network.people, strict=True) if r.code in done.new]
    write.add_queues(
        session,
        [r for r, _ in new],
        [people for _, people in new],
        [done.ids[r.code] for r, _ in new],
        seed=seed,
    )
    return done


def _put_mobile(
    session: Session, network: Network, governorates: rows.Ids, seed: int, change: Change
) -> None:
    said = {g.iso for g in network.governorates if g.nights is not None or g.night_cost is not None}
    kept = {
        code: {"nights": nights, "night_cost": cost}
        for code, nights, cost in session.execute(select(Center.code, Center.nights, Center.night_cost))
    }
    wanted = [
        # What a planner set for a van stands, unless the file has an opinion.
        rows.center_row(r, governorates, seed) | ({} if r.iso in said else kept.get(r.code, {}))
        for r in network.mobile
    ]
    done = upsert(session, Center, wanted)
    _tell(change, "center", done)
    new = [r for r in network.mobile if r.code in done.new]
    if new:
        session.execute(insert(Crew), [rows.crew_row(r, done.ids[r.code]) for r in new])
    # A van that stands in its depot moves with it; one that is out stays where it was last heard.
    session.execute(
        update(Center)
        .where(Center.id.in_(done.ids.values()), Center.last_heard_at.is_(None))
        .values(lat=Center.depot_lat, lon=Center.depot_lon)
        .execution_options(synchronize_session=False)
    )


def _site_history(session: Session, sites: Mapping[int, str]) -> dict[int, Counter[str]]:
    """What points at these sites, at their queues or at those queues' desks."""
    found = {
        site: Counter(tables) for site, tables in references(session, "site", sites, owned=OF_SITE).items()
    }
    owner = dict(_queues_of(session, sites))
    for queue, tables in references(session, "queue", owner, owned=OF_QUEUE).items():
        found.setdefault(owner[queue], Counter()).update(tables)
    desks = dict(session.execute(select(Desk.id, Desk.queue_id)).all())
    of_sites = {desk: owner[queue] for desk, queue in desks.items() if queue in owner}
    for desk, tables in references(session, "desk", of_sites, owned=OF_DESK).items():
        found.setdefault(of_sites[desk], Counter()).update(tables)
    return found


def _queues_of(session: Session, sites: Iterable[int]) -> list[tuple[int, int]]:
    wanted = set(sites)
    links = session.execute(select(SiteQueue.queue_id, SiteQueue.site_id))
    return [(queue, site) for queue, site in links if site in wanted]


def _retire_sites(
    session: Session, gone: Mapping[int, str], history: Mapping[int, object], change: Change
) -> None:
    kept = [site for site in gone if site in history]
    removed = [site for site in gone if site not in history]
    if kept:
        for start in range(0, len(kept), 500):
            part = kept[start : start + 500]
            session.execute(update(Site).where(Site.id.in_(part)).values(active=False))
        queues = [queue for queue, _ in _queues_of(session, kept)]
        for start in range(0, len(queues), 500):
            part = queues[start : start + 500]
            session.execute(update(Queue).where(Queue.id.in_(part)).values(state="closed"))
            session.execute(update(Desk).where(Desk.queue_id.in_(part)).values(state="closed"))
    _unlink_nearest(session, removed)
    queues = [queue for queue, _ in _queues_of(session, removed)]
    tables = Base.metadata.tables
    desks = list(session.scalars(select(Desk.id).where(Desk.queue_id.in_(queues)))) if queues else []
    delete_where(session, tables["desk_service"], "desk_id", desks)
    for name in OF_QUEUE:
        delete_where(session, tables[name], "queue_id", queues)
    delete_where(session, tables["queue"], "id", queues)
    delete_where(session, tables["visit_value"], "site_id", removed)
    delete_where(session, tables["site"], "id", removed)
    change.count("site", removed=len(removed), kept_inactive=len(kept))


def _unlink_nearest(session: Session, removed: Sequence[int]) -> None:
    """Kept villages may name a center that goes as their nearest one."""
    for start in range(0, len(removed), 500):
        part = removed[start : start + 500]
        session.execute(
            update(Site)
            .where(Site.nearest_fixed_id.in_(part))
            .values(nearest_fixed_id=None, nearest_fixed_km=None)
            .execution_options(synchronize_session=False)
        )


def _retire_centers(
    session: Session, gone: Mapping[int, str], history: Mapping[int, object], change: Change
) -> None:
    kept = [center for center in gone if center in history]
    removed = [center for center in gone if center not in history]
    if kept:
        session.execute(
            update(Center).where(Center.id.in_(kept)).values(status="out_of_service", status_reason=RETIRED)
        )
    delete_where(session, Base.metadata.tables["crew"], "center_id", removed)
    delete_where(session, Base.metadata.tables["center"], "id", removed)
    change.count("center", removed=len(removed), kept_inactive=len(kept))


def _retire_areas(session: Session, network: Network, change: Change) -> None:
    """Local units, then governorates, that the network does not have and nothing points at any more."""
    units = {r.code for r in network.units}
    known = session.execute(select(LocalUnit.id, LocalUnit.code))
    change.count(
        "local_unit", removed=_remove_free(session, "local_unit", [i for i, c in known if c not in units])
    )
    isos = {r.iso for r in network.governorates}
    areas = session.execute(select(Governorate.id, Governorate.iso))
    change.count(
        "governorate", removed=_remove_free(session, "governorate", [i for i, c in areas if c not in isos])
    )


def _remove_free(session: Session, table: str, ids: Sequence[int]) -> int:
    used = references(session, table, ids) if ids else {}
    free = [identity for identity in ids if identity not in used]
    delete_where(session, Base.metadata.tables[table], "id", free)
    return len(free)
