"""Sites, mobile centers, queues as a list, and visits: where to go, for everybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from flask.typing import ResponseReturnValue
from geopy.distance import great_circle
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import joinedload

from fleet.errors import Invalid
from fleet.names import fold, search_key
from fleet.nearby import visits_near
from fleet.places import find_places, fit_of
from fleet.store import Center, Governorate, LocalUnit, Site, SiteQueue, Visit
from queueing.status import public_status
from queueing.store import EPOCH, Queue, QueueService, Service, to_micros
from web import clock
from web.api import paging, shapes
from web.api.operation import Refused
from web.db import read

LatLon = tuple[float, float]


def lat_lon(text: str) -> LatLon:
    """`24.09,32.90` -> (24.09, 32.9). Raises ValueError in plain words."""
    try:
        lat, lon = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError("must be latitude,longitude in degrees, such as 24.09,32.90") from None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise ValueError("latitude must lie within -90 and 90, longitude within -180 and 180")
    return lat, lon


def list_sites(
    governorate: str | None, q: str | None, near: LatLon | None, cursor: list[Any] | None, limit: int
) -> ResponseReturnValue:
    """`GET /sites`."""
    chosen = select(Site.id, Site.lat, Site.lon).where(
        Site.active, *_in(governorate, Site.governorate_id), *_named(q)
    )
    ids, next_cursor, distances = _page(chosen, Site.id, near, cursor, limit)
    rows = {
        row.id: row
        for row in read().scalars(
            select(Site)
            .where(Site.id.in_(ids))
            .options(joinedload(Site.governorate), joinedload(Site.local_unit))
        )
    }
    queues: dict[int, list[int]] = {}
    for site_id, queue_id in read().execute(
        select(SiteQueue.site_id, SiteQueue.queue_id)
        .where(SiteQueue.site_id.in_(ids))
        .order_by(SiteQueue.queue_id)
    ):
        queues.setdefault(site_id, []).append(queue_id)
    items = [{**shapes.site(rows[number], queues.get(number, [])), **distances(number)} for number in ids]
    return paging.answer(items, next_cursor)


def list_centers(
    governorate: str | None, q: str | None, near: LatLon | None, cursor: list[Any] | None, limit: int
) -> ResponseReturnValue:
    """`GET /centers`: mobile centers, `near` by their depots."""
    chosen = select(Center.id, Center.depot_lat, Center.depot_lon).where(
        *_in(governorate, Center.governorate_id)
    )
    if q:
        wanted = [word for word in fold(q).split() if word]
        found = [
            row.id
            for row in read().execute(
                select(
                    Center.id,
                    Center.name_ar,
                    Center.name_en,
                    Center.depot_name_ar,
                    Center.depot_name_en,
                    Center.code,
                )
            )
            if all(word in fold(" ".join(row[1:5])) or q.casefold() == row.code.casefold() for word in wanted)
        ]
        chosen = chosen.where(Center.id.in_(found))
    ids, next_cursor, distances = _page(chosen, Center.id, near, cursor, limit)
    rows = {
        row.id: row
        for row in read().scalars(
            select(Center).where(Center.id.in_(ids)).options(joinedload(Center.governorate))
        )
    }
    coming: dict[int, int] = {}
    for center_id, visit_id in read().execute(
        select(Visit.center_id, Visit.id)
        .where(
            Visit.center_id.in_(ids), Visit.closes_at > clock.now(), Visit.status.in_(("announced", "open"))
        )
        .order_by(Visit.opens_at)
    ):
        coming.setdefault(center_id, visit_id)
    items = [{**shapes.center(rows[number], coming.get(number)), **distances(number)} for number in ids]
    return paging.answer(items, next_cursor)


def list_queues(
    governorate: str | None, q: str | None, near: LatLon | None, cursor: list[Any] | None, limit: int
) -> ResponseReturnValue:
    """`GET /queues`: those of sites, and those of visits that are not over."""
    of_site = select(Queue.id, Site.lat, Site.lon).join(SiteQueue, SiteQueue.queue_id == Queue.id)
    of_visit = select(Queue.id, Site.lat, Site.lon).join(Visit, Visit.queue_id == Queue.id)
    conditions = [*_in(governorate, Site.governorate_id), *_named(q)]
    union = (
        of_site.join(Site, Site.id == SiteQueue.site_id)
        .where(*conditions)
        .union_all(
            of_visit.join(Site, Site.id == Visit.site_id).where(
                *conditions, Visit.status.in_(("announced", "open")), Visit.closes_at > clock.now()
            )
        )
        .subquery()
    )
    ids, next_cursor, distances = _page(select(union), union.c.id, near, cursor, limit)
    rows = {row.id: row for row in read().scalars(select(Queue).where(Queue.id.in_(ids)))}
    at_sites = select(SiteQueue.queue_id, SiteQueue.site_id).where(SiteQueue.queue_id.in_(ids))
    sites: dict[int, int] = {row.queue_id: row.site_id for row in read().execute(at_sites)}
    visits = {row.queue_id: row for row in read().scalars(select(Visit).where(Visit.queue_id.in_(ids)))}
    places = {
        row.id: row
        for row in read().scalars(
            select(Site)
            .where(Site.id.in_([*sites.values(), *(v.site_id for v in visits.values())]))
            .options(joinedload(Site.governorate))
        )
    }
    services = services_of(ids)
    items = []
    for number in ids:
        visit = visits.get(number)
        site = places[visit.site_id if visit else sites[number]]
        queue = rows[number]
        items.append(
            {
                "id": number,
                "name_ar": queue.name_ar,
                "name_en": queue.name_en,
                "state": queue.state,
                "site": sites.get(number),
                "visit": visit.id if visit else None,
                "governorate": shapes.governorate(site.governorate),
                "services": services.get(number, []),
                **distances(number),
            }
        )
    return paging.answer(items, next_cursor)


def list_visits(
    governorate: str | None,
    q: str | None,
    near: LatLon | None,
    date_from: str | None,
    service: str | None,
    cursor: str | None,
    limit: int,
) -> ResponseReturnValue:
    """`GET /visits`: near a point, or a place named by `q`, as fleet.nearby orders them; else the soonest first.

    Days from `from` on (today by default); cancelled visits stay in the list until their day is over, and say so.
    """
    now = clock.now()
    start = date.fromisoformat(date_from) if date_from else None
    governorate_id = _governorate_id(governorate)
    if near is None and q:
        found = find_places(read(), q, limit=1, governorate_id=governorate_id)
        if not found:
            return paging.answer([], None)
        near = (found[0].lat, found[0].lon)
    rows: list[tuple[Visit, float | None]]
    if near is not None:
        page = visits_near(
            read(),
            *near,
            now=now,
            date_from=start,
            service=service,
            governorate_id=governorate_id,
            limit=limit,
            after=cursor,
        )
        rows, next_cursor = [(found.visit, round(found.km, 2)) for found in page.visits], page.after
    else:
        rows, next_cursor = _soonest(now, start, service, governorate_id, cursor, limit)
    services = services_of([row.queue_id for row, _km in rows])
    items = []
    for row, km in rows:
        waiting = public_status(read(), row.queue, now).waiting if row.status == "open" else None
        items.append(
            shapes.visit(row, services=services.get(row.queue_id, []), waiting=waiting, distance_km=km)
        )
    return paging.answer(items, next_cursor)


def _soonest(
    now: datetime,
    start: date | None,
    service: str | None,
    governorate_id: int | None,
    cursor: str | None,
    limit: int,
) -> tuple[list[tuple[Visit, float | None]], str | None]:
    chosen = (
        select(Visit)
        .join(Site, Site.id == Visit.site_id)
        .where(Visit.status.in_(("announced", "open", "cancelled")), Visit.closes_at > now)
        .order_by(Visit.opens_at, Visit.id)
        .limit(limit + 1)
        .options(
            joinedload(Visit.center),
            joinedload(Visit.site).joinedload(Site.governorate),
            joinedload(Visit.queue),
        )
    )
    if start is not None:
        chosen = chosen.where(Visit.day >= start)
    if governorate_id is not None:
        chosen = chosen.where(Site.governorate_id == governorate_id)
    if service is not None:
        service_id = read().scalar(select(Service.id).where(Service.code == service))
        if service_id is None:
            raise Invalid("unknown_service", f"There is no service {service!r}.", service=service)
        chosen = chosen.join(QueueService, QueueService.queue_id == Visit.queue_id).where(
            QueueService.service_id == service_id
        )
    if cursor is not None:
        key = _decoded(cursor)
        paging.fits(key, int, int)
        opens_at = EPOCH + timedelta(microseconds=key[0])
        later = and_(Visit.opens_at == opens_at, Visit.id > key[1])
        chosen = chosen.where(or_(Visit.opens_at > opens_at, later))
    rows = list(read().scalars(chosen))
    more = len(rows) > limit
    rows = rows[:limit]
    after = paging.encode([to_micros(rows[-1].opens_at), rows[-1].id]) if more else None
    return [(row, None) for row in rows], after


def _decoded(cursor: str) -> list[Any]:
    try:
        return paging.decode(cursor)
    except ValueError:
        return []


def services_of(queue_ids: Sequence[int]) -> dict[int, list[str]]:
    """Codes of the services of each queue, the most wanted first."""
    found: dict[int, list[str]] = {}
    for queue_id, code in read().execute(
        select(QueueService.queue_id, Service.code)
        .join(Service, Service.id == QueueService.service_id)
        .where(QueueService.queue_id.in_(queue_ids))
        .order_by(Service.popularity.desc(), Service.code)
    ):
        found.setdefault(queue_id, []).append(code)
    return found


def _in(wanted: str | None, column: Any) -> list[ColumnElement[bool]]:
    """The condition that keeps a governorate."""
    number = _governorate_id(wanted)
    return [] if number is None else [column == number]


def _governorate_id(wanted: str | None) -> int | None:
    """The governorate named by its ISO code (EG-ASN or ASN), its id, or its name in either language; None: no wish."""
    if not wanted:
        return None
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
        match: ColumnElement[bool] = Governorate.id == int(wanted)
    else:
        code = wanted.upper()
        match = Governorate.iso.in_((code, f"EG-{code}"))
    found = read().scalar(select(Governorate.id).where(match))
    if found is None:
        asked = fold(wanted)
        rows = read().execute(select(Governorate.id, Governorate.name_ar, Governorate.name_en))
        found = next((row.id for row in rows if asked in (fold(row.name_ar), fold(row.name_en))), None)
    if found is None:
        fault = {"field": "governorate", "detail": "is not known"}
        raise Refused(422, "invalid_request", f"governorate {wanted} is not known", errors=[fault])
    return found


def _named(q: str | None) -> list[ColumnElement[bool]]:
    """The condition that keeps the sites whose name, or whose markaz's or governorate's, has the typed words."""
    if not q:
        return []
    typed = fold(q)
    if not typed:
        return [Site.id == -1]
    plain = typed.replace("%", "").replace("_", "")
    units = [
        row.id
        for row in read().execute(select(LocalUnit.id, LocalUnit.name_ar, LocalUnit.name_en))
        if fit_of(typed, search_key(row.name_ar, row.name_en)) is not None
    ]
    areas = [
        row.id
        for row in read().execute(select(Governorate.id, Governorate.name_ar, Governorate.name_en))
        if fit_of(typed, search_key(row.name_ar, row.name_en)) is not None
    ]
    return [
        or_(
            Site.search_key.like(f"%|{plain}%"),
            Site.search_key.like(f"% {plain}%"),
            Site.local_unit_id.in_(units),
            Site.governorate_id.in_(areas),
        )
    ]


def _page(
    chosen: Any, id_column: Any, near: LatLon | None, cursor: list[Any] | None, limit: int
) -> tuple[list[int], str | None, Callable[[int], dict[str, float]]]:
    """Ids of one page of rows (id, lat, lon): by id, or by distance when `near` is given; and its distances."""
    paging.fits(cursor, *((int,) if near is None else (float, int)))
    if near is None:
        ordered = chosen.order_by(id_column).limit(limit + 1)
        if cursor is not None:
            ordered = ordered.where(id_column > cursor[0])
        ids = [row[0] for row in read().execute(ordered)]
        more = len(ids) > limit
        ids = ids[:limit]
        return ids, paging.encode([ids[-1]]) if more else None, lambda number: {}
    keyed = sorted([round(great_circle(near, row[1:3]).km, 2), row[0]] for row in read().execute(chosen))
    rest = [key for key in keyed if cursor is None or key > cursor]
    page = rest[:limit]
    km = {number: distance for distance, number in page}
    return (
        [number for _distance, number in page],
        paging.encode(page[-1]) if len(rest) > limit else None,
        lambda number: {"distance_km": km[number]},
    )
