"""Valhalla in this process (PyPI `pyvalhalla`): road tiles from an OpenStreetMap file, tables from the tiles.

The package is optional: wheels with the tile builder need Python 3.12 or later.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from routing.errors import RouterError
from routing.routers.table import Block, Point, Table, in_blocks

BLOCK = 50
FARTHEST = 5_000_000  # metres between two places of a table; Valhalla's default is 400 km
LONGEST_EDGE = 10_000_000  # metres around all closed polygons of a request; Valhalla's default is 10 km
BUILD_SECONDS = 3 * 3600

Rings = list[list[list[float]]]


class Valhalla:
    """Answers from the tiles in `folder`, which `Valhalla.build` filled. Raises `RouterError` when it cannot."""

    name = "valhalla"

    def __init__(self, folder: str | Path, *, costing: str = "auto") -> None:
        package = _package()
        self.costing = costing
        self.folder = Path(folder)
        if not any(self.folder.rglob("*.gph")):
            raise RouterError([f"valhalla: no road tiles in {self.folder}"])
        self._failed: type[Exception] = package.ValhallaError
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(_config(package, self.folder, costing), file)
            file.flush()
            self._actor: Any = package.Actor(Path(file.name))

    @classmethod
    def build(cls, osm: str | Path, folder: str | Path, *, costing: str = "auto") -> Valhalla:
        """Build road tiles from the file `osm` (.osm.pbf) into `folder`, and return the router on them."""
        package = _package()
        if not Path(osm).is_file():
            raise RouterError([f"valhalla: no file {osm}"])
        Path(folder).mkdir(parents=True, exist_ok=True)
        program = Path(package.PYVALHALLA_DIR) / "bin" / "valhalla_build_tiles"
        if not program.exists():
            raise RouterError(
                ["valhalla: this pyvalhalla has no tile builder; it needs Python 3.12 or later"]
            )
        with tempfile.TemporaryDirectory() as drafts:
            config = Path(drafts) / "config.json"
            config.write_text(json.dumps(_config(package, Path(folder), costing)), encoding="utf-8")
            done = subprocess.run(
                [str(program), "-c", str(config), str(osm)],
                cwd=drafts,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=BUILD_SECONDS,
                check=False,
            )
        if done.returncode != 0 or not any(Path(folder).rglob("*.gph")):
            said = (done.stderr or done.stdout).strip().splitlines()
            raise RouterError([f"valhalla: no tiles came of {osm}: {said[-1] if said else done.returncode}"])
        return cls(folder, costing=costing)

    def matrix(
        self,
        points: Sequence[Point],
        targets: Sequence[Point] | None = None,
        *,
        closed: Sequence[Sequence[Point]] = (),
    ) -> Table:
        """Return the table from `points` to `targets`; None where Valhalla finds no way. No road that touches one of
        the `closed` polygons, each given by its corners, is driven."""
        ends = points if targets is None else targets
        rings = [[[lon, lat] for lat, lon in (*corners, corners[0])] for corners in closed]

        def ask(rows: range, columns: range) -> Block:
            return self._block([points[i] for i in rows], [ends[j] for j in columns], rings)

        return in_blocks(points, targets, BLOCK, ask)

    def _block(self, sources: Sequence[Point], targets: Sequence[Point], rings: Rings) -> Block:
        """Ask one block. A place off the roads fails the whole request: then halves tell which cells do."""
        request: dict[str, Any] = {
            "sources": [{"lat": lat, "lon": lon} for lat, lon in sources],
            "targets": [{"lat": lat, "lon": lon} for lat, lon in targets],
            "costing": self.costing,
            "verbose": False,
        }
        if rings:
            request["exclude_polygons"] = rings
        try:
            answer = self._actor.matrix(request)["sources_to_targets"]
        except self._failed:
            return self._halves(sources, targets, rings)
        return answer["durations"], answer["distances"]

    def _halves(self, sources: Sequence[Point], targets: Sequence[Point], rings: Rings) -> Block:
        if len(sources) == len(targets) == 1:
            return [[None]], [[None]]
        if len(sources) >= len(targets):
            middle = len(sources) // 2
            upper = self._block(sources[:middle], targets, rings)
            lower = self._block(sources[middle:], targets, rings)
            return upper[0] + lower[0], upper[1] + lower[1]
        middle = len(targets) // 2
        left = self._block(sources, targets[:middle], rings)
        right = self._block(sources, targets[middle:], rings)
        seconds = [a + b for a, b in zip(left[0], right[0], strict=True)]
        return seconds, [a + b for a, b in zip(left[1], right[1], strict=True)]


def _package() -> Any:
    try:
        import valhalla
    except ImportError as error:
        raise RouterError(
            [
                "valhalla: the package pyvalhalla is missing (pip install pyvalhalla, with Python 3.12 or later)"
            ]
        ) from error
    if not hasattr(valhalla, "PYVALHALLA_DIR"):
        raise RouterError(
            ["valhalla: this pyvalhalla is too old; 3.6 or later is needed, with Python 3.12 or later"]
        )
    return valhalla


def _config(package: Any, folder: Path, costing: str) -> dict[str, Any]:
    config: dict[str, Any] = package.get_config(tile_dir=folder, tile_extract="")
    config["service_limits"]["max_exclude_polygons_length"] = LONGEST_EDGE
    limits = config["service_limits"].setdefault(costing, {})
    limits.update(
        max_matrix_distance=FARTHEST, max_matrix_location_pairs=BLOCK * BLOCK, max_locations=2 * BLOCK
    )
    return config
