"""`/positions`: where vans are, as their devices send it. Every usual sender is understood as it is.

OsmAnd and Traccar Client send a query or form (`id, lat, lon, timestamp, speed` in knots); Traccar Client 9 and later
JSON `{location: {coords, timestamp}, device_id}`; OwnTracks JSON `{_type: "location", lat, lon, tst, vel}`. The
device's token comes as a bearer token, as the password of basic authorisation, or as the device identifier. The answer
is given after the commit: a sender that got no 200 sends again, and what was known already is not stored twice.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, NamedTuple

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from fleet.store import Center
from fleet.tracking import record_position
from web import clock
from web.accounts import KnownToken
from web.api.operation import Refused, bearer_token, known_token
from web.db import write

KMH_A_KNOT = 1.852
KMH_A_METRE_A_SECOND = 3.6
MAX_BATCH = 500


class Fix(NamedTuple):
    """One position: instant (aware), degrees, km/h if known."""

    at: datetime
    lat: float
    lon: float
    speed_kmh: float | None


def report() -> ResponseReturnValue:
    """Store what a device sends."""
    body = _json()
    token = _token(body)
    now = clock.now()
    own_tracks = isinstance(body, dict) and "_type" in body
    if own_tracks and body["_type"] != "location":
        return jsonify([])  # a last will, a way point: OwnTracks wants 200 and a list
    fixes = _fixes(body, now)
    center_id, device = token.center_id, f"token:{token.id}"

    def store(session: Session) -> int:
        center = session.get(Center, center_id)
        if center is None:
            raise Refused(403, "token_without_center", "this token belongs to no mobile center")
        stored = 0
        for fix in fixes:
            made = record_position(
                session,
                center,
                device=device,
                at=fix.at,
                lat=fix.lat,
                lon=fix.lon,
                now=now,
                speed_kmh=fix.speed_kmh,
            )
            stored += not made.repeated
        return stored

    stored = write(store)
    return jsonify([]) if own_tracks else jsonify(received=len(fixes), stored=stored)


def _json() -> Any:
    if not request.is_json:
        return None
    body = request.get_json(silent=True)
    if body is None:
        raise Refused(400, "malformed_json", "the body is not JSON")
    return body


def _token(body: Any) -> KnownToken:
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    if scheme == "bearer":
        return bearer_token(("device",))
    if scheme == "basic" and request.authorization is not None and request.authorization.password:
        return known_token(request.authorization.password, ("device",))
    text = request.values.get("id") or request.values.get("deviceid")
    if not text and isinstance(body, dict):
        text = body.get("device_id")
    return known_token(str(text), ("device",)) if text else bearer_token(("device",))


def _fixes(body: Any, now: datetime) -> list[Fix]:
    if body is None:
        return [_query_fix(now)]
    items = body if isinstance(body, list) else [body]
    flat: list[Any] = []
    for item in items:
        inner = item.get("location") if isinstance(item, dict) else None
        flat += inner if isinstance(inner, list) else [inner if inner is not None else item]
    if not 0 < len(flat) <= MAX_BATCH:
        raise _refused([("body", f"must carry 1 to {MAX_BATCH} positions")])
    return [_json_fix(item, now, f"[{n}]." if len(flat) > 1 else "") for n, item in enumerate(flat)]


def _query_fix(now: datetime) -> Fix:
    values = request.values
    lat, lon = values.get("lat"), values.get("lon")
    if lat is None and lon is None and "," in values.get("location", ""):
        lat, lon = values["location"].split(",", 1)
    return _fix(
        lat, lon, values.get("timestamp") or values.get("time"), values.get("speed"), KMH_A_KNOT, now, ""
    )


def _json_fix(item: Any, now: datetime, prefix: str) -> Fix:
    if not isinstance(item, dict):
        raise _refused([(prefix + "location", "must be an object")])
    if "coords" in item:
        coords = item["coords"] if isinstance(item["coords"], dict) else {}
        speed = coords.get("speed")
        speed = (
            None if isinstance(speed, (int, float)) and speed < 0 else speed
        )  # -1: the device does not know
        return _fix(
            coords.get("latitude"),
            coords.get("longitude"),
            item.get("timestamp"),
            speed,
            KMH_A_METRE_A_SECOND,
            now,
            prefix,
        )
    if "_type" in item:
        return _fix(item.get("lat"), item.get("lon"), item.get("tst"), item.get("vel"), 1.0, now, prefix)
    at = item.get("timestamp", item.get("at"))
    return _fix(item.get("lat"), item.get("lon"), at, item.get("speed_kmh"), 1.0, now, prefix)


def _fix(lat: Any, lon: Any, at: Any, speed: Any, to_kmh: float, now: datetime, prefix: str) -> Fix:
    faults: list[tuple[str, str]] = []
    north = _degrees(lat, 90, prefix + "lat", faults)
    east = _degrees(lon, 180, prefix + "lon", faults)
    when = now
    if at not in (None, ""):
        try:
            when = moment(at)
        except ValueError as error:
            faults.append((prefix + "timestamp", str(error)))
    kmh = _finite(speed)
    if faults:
        raise _refused(faults)
    return Fix(when, north, east, None if kmh is None or kmh < 0 else round(kmh * to_kmh, 1))


def moment(value: Any) -> datetime:
    """A sender's time: seconds or milliseconds since 1970, or ISO 8601 (UTC without an offset). Raises ValueError."""
    number = _finite(value)
    try:
        if number is not None:
            return datetime.fromtimestamp(number / 1000 if number > 100_000_000_000 else number, UTC)
        made = datetime.fromisoformat(str(value))
        return made.astimezone(UTC) if made.tzinfo else made.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("must be seconds since 1970 or an ISO 8601 time") from None


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _degrees(value: Any, limit: float, field: str, faults: list[tuple[str, str]]) -> float:
    number = _finite(value)
    if number is None:
        faults.append((field, "is missing" if value in (None, "") else "must be a number of degrees"))
        return 0.0
    if not -limit <= number <= limit:
        faults.append((field, f"must lie within -{limit} and {limit}"))
    return number


def _refused(faults: list[tuple[str, str]]) -> Refused:
    words = "; ".join(f"{field} {detail}" for field, detail in faults)
    return Refused(422, "invalid_request", words, errors=[{"field": f, "detail": d} for f, d in faults])
