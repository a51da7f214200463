"""The map's own layers: what is built in, and what an installation puts in its place from GeoJSON files.

Nothing of the map comes from outside: outline, governorates and water are a file of ours (static/map), roads and finer
borders are taken in once by `network map`, simplified, and kept beside the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from fleet import nearby
from web.i18n import named

BUILT_IN = Path(__file__).parent / "static" / "map" / "egypt.geojson"
KINDS = ("land", "governorate", "water", "road")
BOX = (24.0, 21.0, 38.0, 33.0)
"""West, south, east, north, degrees: a layer that lies elsewhere is not one of Egypt."""
TOLERANCE = 0.004
"""Degrees (about 400 m) that a simplified line may stray: no more than a line's width at the map's usual size."""
DECIMALS = 3
MOST_BYTES = 40_000_000
Point = tuple[float, float]


class LayerError(ValueError):
    """A file is no layer; the message says which and why."""


def path_of(data_dir: Path) -> Path:
    """Return the file of the layers that this installation shows."""
    own = own_file(data_dir)
    return own if own.exists() else BUILT_IN


def own_file(data_dir: Path) -> Path:
    """Return where what was taken in is kept."""
    return data_dir / "map" / "layers.geojson"


def take_in(data_dir: Path, files: Mapping[str, Path]) -> dict[str, int]:
    """Put the layers of `files` (by kind) in the place of those shown now; return how many shapes each kind has then.

    Raises LayerError, and then nothing has changed.
    """
    shown: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for feature in json.loads(path_of(data_dir).read_text(encoding="utf-8"))["features"]:
        shown[feature["properties"]["kind"]].append(feature)
    for kind, path in files.items():
        shown[kind] = [_simple(feature, kind) for feature in _features(path, kind)]
    target = own_file(data_dir)
    target.parent.mkdir(parents=True, exist_ok=True)
    whole = {"type": "FeatureCollection", "features": [one for kind in KINDS for one in shown[kind]]}
    beside = target.with_suffix(".new")
    beside.write_text(json.dumps(whole, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    beside.replace(target)
    return {kind: len(some) for kind, some in shown.items()}


def forget(data_dir: Path) -> None:
    """Show the built-in layers again."""
    own_file(data_dir).unlink(missing_ok=True)


def _features(path: Path, kind: str) -> list[dict[str, Any]]:
    if path.stat().st_size > MOST_BYTES:
        raise LayerError(f"{path.name} is larger than {MOST_BYTES // 1_000_000} MB: simplify it first")
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        features = [one for one in data["features"] if one["geometry"] is not None]
    except (ValueError, TypeError, KeyError) as error:
        raise LayerError(f"{path.name} is no GeoJSON of features: {error}") from error
    lines, areas = ("LineString", "MultiLineString"), ("Polygon", "MultiPolygon")
    wanted = {"road": lines, "water": lines + areas}.get(kind, areas)
    found = [one for one in features if one["geometry"].get("type") in wanted]
    if not found:
        raise LayerError(
            f"{path.name} holds nothing that can be a layer of kind {kind}: it needs {' or '.join(wanted)}"
        )
    west, south, east, north = BOX
    for one in found:
        try:
            points = [point for line in _lines(one["geometry"]) for point in line]
        except (TypeError, ValueError, IndexError) as error:
            raise LayerError(f"{path.name}: coordinates are no numbers") from error
        if not any(west <= x <= east and south <= y <= north for x, y in points):
            raise LayerError(
                f"{path.name}: a shape lies outside Egypt; coordinates must be longitude, latitude"
            )
    return found


def _lines(geometry: Mapping[str, Any]) -> Iterable[list[Point]]:
    """Every line or ring of a shape."""
    depth = {"LineString": 0, "MultiLineString": 1, "Polygon": 1, "MultiPolygon": 2}[geometry["type"]]
    lines: list[Any] = [geometry["coordinates"]]
    for _level in range(depth):
        lines = [inner for outer in lines for inner in outer]
    for line in lines:
        yield [(float(point[0]), float(point[1])) for point in line]


def _simple(feature: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The shape with fewer points, and of what is known of it only what the map shows."""
    geometry, facts = feature["geometry"], feature.get("properties") or {}
    named = {key: str(facts[key])[:80] for key in ("iso", "ar", "en") if facts.get(key)}
    area = geometry["type"].endswith("Polygon")
    lines = [kept for line in _lines(geometry) if len(kept := thin(line)) >= (4 if area else 2)]
    shape: dict[str, Any] = (
        {"type": "MultiPolygon", "coordinates": [[line] for line in lines]}
        if area
        else {"type": "MultiLineString", "coordinates": lines}
    )
    return {"type": "Feature", "properties": {"kind": kind, **named}, "geometry": shape}


def thin(line: Sequence[Point], tolerance: float = TOLERANCE) -> list[Point]:
    """Return the line with the points that it needs to stay within `tolerance` (Ramer, Douglas, Peucker), rounded."""
    if len(line) < 3:
        return [(round(x, DECIMALS), round(y, DECIMALS)) for x, y in line]
    keep, spans = {0, len(line) - 1}, [(0, len(line) - 1)]
    if line[0] == line[-1]:  # a ring: its farthest point divides it, else it would be a line without length
        far = max(
            range(len(line)), key=lambda i: (line[i][0] - line[0][0]) ** 2 + (line[i][1] - line[0][1]) ** 2
        )
        keep.add(far)
        spans = [(0, far), (far, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        far, most = 0, tolerance
        for i in range(first + 1, last):
            away = _away(line[i], line[first], line[last])
            if away > most:
                far, most = i, away
        if far:
            keep.add(far)
            spans += [(first, far), (far, last)]
    rounded = [(round(line[i][0], DECIMALS), round(line[i][1], DECIMALS)) for i in sorted(keep)]
    return [point for n, point in enumerate(rounded) if n == 0 or point != rounded[n - 1]]


def _away(point: Point, one: Point, other: Point) -> float:
    """Distance of a point from the piece between two others, degrees."""
    dx, dy = other[0] - one[0], other[1] - one[1]
    long = dx * dx + dy * dy
    at = 0.0 if not long else max(0.0, min(1.0, ((point[0] - one[0]) * dx + (point[1] - one[1]) * dy) / long))
    return float(((point[0] - one[0] - at * dx) ** 2 + (point[1] - one[1] - at * dy) ** 2) ** 0.5)


def governorate_names(session: Session) -> list[list[Any]]:
    """Governorates' names for a map, the most peopled first: [latitude, longitude, name]."""
    ranked = sorted(nearby.governorates(session), key=lambda one: -one.population)
    return [[round(one.lat, 3), round(one.lon, 3), named(one)] for one in ranked]


def tiles_file() -> Path | None:
    """The file of detailed tiles, or None."""
    found: Path | None = current_app.extensions["settings"].map_tiles
    return found
