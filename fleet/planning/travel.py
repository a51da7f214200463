"""Driving times of a week's problem from real roads: a router's table, kept by coordinates, in place of the formula.

An installation names an OSRM server or a folder of Valhalla's tiles. Each pair of places is asked once and kept in a
file of the data folder; the next week asks only for what is new. A router that fails leaves the formula in force, and
the problem says so under `roads`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from fleet.planning.traffic import Hours, by_clock
from routing.errors import RouterError
from routing.notes import MOST_MINUTES, MOST_WORTH
from routing.problem import Road
from routing.routers import Formula, Osrm, Point, Router, Table, Valhalla

NO_ROAD = -1
NOT_ASKED = -2
DIGITS = 5
"""Coordinates of the kept table: about a metre."""
MOST_KEPT = 6000
"""Places in the kept table; beyond that only those of the present problem stay (a pair takes 8 bytes)."""
OSRM_TIMEOUT = 30.0


@dataclass(frozen=True)
class Roads:
    """A router that is opened when it is needed, what tells its answers from another's, and where they are kept."""

    open: Callable[[], Router]
    name: str
    key: str
    folder: Path

    @property
    def file(self) -> Path:
        """The kept table."""
        return self.folder / f"roads-{hashlib.sha256(self.key.encode()).hexdigest()[:16]}.npz"


@dataclass(frozen=True)
class Driving:
    """What an installation knows of driving beyond the formula: a router, and traffic by the clock."""

    roads: Roads | None = None
    hours: Hours | None = None


def driven(session: Session, problem: Mapping[str, Any], driving: Driving | None) -> dict[str, Any]:
    """Return the problem with the router's table and the traffic of its days; as it is without either."""
    if driving is None:
        return dict(problem)
    return by_clock(session, by_road(problem, driving.roads), driving.hours)


def roads_of(
    folder: Path, *, router_url: str | None = None, valhalla_tiles: str | None = None
) -> Roads | None:
    """Return the roads that an installation's settings name; None means: the formula.

    New tiles are a new key: what the old ones said is not believed any more.
    """
    if router_url is not None:
        return Roads(
            lambda: Osrm(router_url, timeout=OSRM_TIMEOUT), "osrm", f"osrm {router_url.rstrip('/')}", folder
        )
    if valhalla_tiles is not None:
        tiles = Path(valhalla_tiles)
        newest = max((file.stat().st_mtime_ns for file in tiles.rglob("*.gph")), default=0)
        return Roads(lambda: Valhalla(tiles), "valhalla", f"valhalla {tiles.resolve()} {newest}", folder)
    return None


def by_road(problem: Mapping[str, Any], roads: Roads | None) -> dict[str, Any]:
    """Return the problem with the router's minutes and costs, and under `roads` how they came about.

    Pairs that no road joins keep the formula's times, because a point beside the roads is more likely wrong than
    unreachable: `by_formula` counts them, `off_road` names the places that nothing reaches (the first ten). When the
    router fails, the problem keeps its formula, and `failed` says why.
    """
    made = dict(problem)
    if roads is None or "road" not in problem["travel"]:
        return made
    places = problem["places"]
    points = [(round(p["lat"], DIGITS), round(p["lon"], DIGITS)) for p in places]
    try:
        minutes, km = _table(roads, points)
    except RouterError as error:
        made["roads"] = {"router": roads.name, "failed": str(error).splitlines()[0]}
        return made
    spec = problem["travel"]["road"]
    road = Road(spec["detour"], tuple(map(tuple, spec["speeds"])), spec["cost_per_km"])
    lost = np.argwhere(minutes == NO_ROAD)
    for i, j in lost.tolist():
        one = Formula(road).matrix([points[i]], [points[j]])
        minutes[i, j], km[i, j] = one.minutes[0][0] or 0, one.km[0][0] or 0.0
    cost = np.minimum(np.rint(road.cost_per_km * km), MOST_WORTH).astype(np.int64)
    np.fill_diagonal(minutes, 0)
    np.fill_diagonal(cost, 0)
    made["travel"] = {k: v for k, v in problem["travel"].items() if k != "road"} | {
        "minutes": np.minimum(minutes, MOST_MINUTES).tolist(),
        "cost": cost.tolist(),
    }
    made["roads"] = {"router": roads.name}
    if len(lost):
        count = np.bincount(lost.ravel(), minlength=len(points))
        nothing = [p["id"] for p, pairs in zip(places, count, strict=True) if pairs >= 2 * (len(points) - 1)]
        made["roads"] |= {"by_formula": len(lost), "off_road": nothing[:10]}
    return made


def _table(roads: Roads, points: Sequence[Point]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return minutes (NO_ROAD where there is none) and km over `points`; asks for what is not kept yet."""
    known, minutes, km = _read(roads.file)
    row = {point: i for i, point in enumerate(known)}
    fresh = list(dict.fromkeys(point for point in points if point not in row))
    if fresh:
        if len(known) + len(fresh) > MOST_KEPT:
            kept = sorted({row[point] for point in points if point in row})
            known, minutes, km = [known[i] for i in kept], minutes[np.ix_(kept, kept)], km[np.ix_(kept, kept)]
        known = [*known, *fresh]
        size, old = len(known), len(minutes)
        minutes = np.pad(minutes, (0, size - old), constant_values=NOT_ASKED)
        km = np.pad(km, (0, size - old))
        np.fill_diagonal(minutes, 0)
        row = {point: i for i, point in enumerate(known)}
    index = np.array([row[point] for point in points], dtype=np.intp)
    wanted = np.unique(index)
    if _ask(roads, known, wanted, minutes, km):
        _write(roads.file, known, minutes, km)
    grid = np.ix_(index, index)
    return minutes[grid], km[grid]


def _ask(
    roads: Roads,
    known: Sequence[Point],
    wanted: NDArray[np.intp],
    minutes: NDArray[np.int32],
    km: NDArray[np.float32],
) -> bool:
    """Fill in every pair of `wanted` that was never asked; say whether there was one."""
    missing = minutes[np.ix_(wanted, wanted)] == NOT_ASKED
    together: dict[bytes, list[int]] = {}
    for i in np.flatnonzero(missing.any(axis=1)).tolist():
        together.setdefault(missing[i].tobytes(), []).append(i)
    router = roads.open() if together else None
    for rows in together.values():
        assert router is not None
        starts, ends = wanted[rows], wanted[missing[rows[0]]]
        answer: Table = router.matrix([known[i] for i in starts], [known[j] for j in ends])
        grid = np.ix_(starts, ends)
        minutes[grid] = [[NO_ROAD if one is None else one for one in line] for line in answer.minutes]
        km[grid] = [[0.0 if one is None else one for one in line] for line in answer.km]
    return bool(together)


def _read(file: Path) -> tuple[list[Point], NDArray[np.int32], NDArray[np.float32]]:
    """Return what is kept; nothing when there is no file, or one that cannot be read."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            points = [(lat, lon) for lat, lon in kept["points"].tolist()]
            minutes, km = kept["minutes"], kept["km"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return [], np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32)
    if minutes.shape != (len(points),) * 2 or km.shape != minutes.shape:
        return [], np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32)
    return points, minutes, km


def _write(file: Path, points: Sequence[Point], minutes: NDArray[np.int32], km: NDArray[np.float32]) -> None:
    """Keep the table, whole or not at all. Of two plans that are made at once the last one's answers stay."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=file.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez_compressed(stream, points=np.array(points), minutes=minutes, km=km)
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
