"""The map of visits: nothing from outside, a list that says the same, layers that an installation brings itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from fleet.store import Visit
from tests.web import world as cast
from web import layers
from web.app import create_app
from web.settings import SettingsError, from_environment

HOSTS = ("http://", "https://", "//cdn", "//unpkg")


def visit_of(session: Session, number: int) -> Visit:
    return session.get_one(Visit, number)


@pytest.mark.parametrize("language", ["", "/en"])
def test_the_list_says_what_the_map_says(client: FlaskClient, world: cast.World, language: str) -> None:
    """Near a place the page lists its visits; asked for nothing, every governorate with how many come there."""
    near = client.get(f"{language}/map?near=24.47,32.95").get_data(as_text=True)
    assert f"{language}/visits/{world.visit_a}" in near
    whole = client.get(f"{language}/map").get_data(as_text=True)
    assert f"{language}/map?gov={world.governorate_a}" in whole
    assert ("1 visit" if language else "زيارة واحدة") in whole
    one = client.get(f"{language}/map?gov={world.governorate_a}").get_data(as_text=True)
    assert f"{language}/visits/{world.visit_a}" in one and f"{language}/visits/{world.visit_b}" not in one


def test_points_are_places_with_their_coming_visits(client: FlaskClient, world: cast.World) -> None:
    """Each place once, by its name; a day asked for leaves the others out; phones keep them for a minute."""
    answer = client.get("/map/points.json")
    points = answer.get_json()
    found = {visit[0]: visit for place in points["places"] for visit in place[3]}
    assert set(found) == {world.visit_a, world.visit_b}
    assert found[world.visit_a][3] == "open" and found[world.visit_b][3] == "announced"
    assert points["visit"] == "/visits/" and {row[2] for row in points["names"]} == {"أسوان", "القاهرة"}
    centers = {row[0] for row in points["centers"]}
    assert centers >= {world.site_a, world.site_b} and not centers & {world.village_a, world.village_b}
    assert "max-age=60" in answer.headers["Cache-Control"]
    today = client.get(f"/en/map/points.json?day={cast.TODAY}").get_json()
    assert [visit[0] for place in today["places"] for visit in place[3]] == [world.visit_a]


def test_a_cancelled_visit_stays_on_map_and_list_struck_through(
    client: FlaskClient, write: Callable[[Any], Any], world: cast.World
) -> None:
    """Nobody travels in vain: it is said in both."""

    def cancel(session: Session) -> None:
        visit_of(session, world.visit_b).status = "cancelled"

    write(cancel)
    points = client.get("/en/map/points.json").get_json()
    states = {visit[0]: visit[3] for place in points["places"] for visit in place[3]}
    assert states[world.visit_b] == "cancelled"
    page = client.get(f"/en/map?gov={world.governorate_b}").get_data(as_text=True)
    assert "<s>" in page and "Cancelled" in page


def test_nothing_of_the_map_comes_from_outside(client: FlaskClient) -> None:
    """Page and scripts name no other host; the base is answered 304 to whoever has it."""
    page = client.get("/map").get_data(as_text=True)
    static = Path(__file__).parents[2] / "web" / "static"
    for text in (
        page,
        *((static / name).read_text(encoding="utf-8") for name in ("map-base.js", "map-visits.js")),
    ):
        assert not any(host in text for host in HOSTS)
    assert "data-tiles" not in page and client.get("/map/tiles.pmtiles").status_code == 404
    base = client.get("/map/base.geojson")
    kinds = {one["properties"]["kind"] for one in base.get_json()["features"]}
    assert kinds == {"land", "governorate", "water"}
    assert client.get("/map/base.geojson", headers={"If-None-Match": base.headers["ETag"]}).status_code == 304


def test_wrong_addresses_show_the_whole_country(client: FlaskClient) -> None:
    """A cut-off link is better answered with the map than with an error."""
    for query in ("near=x", "gov=999999", "gov=x", "day=yesterday", "day=2020-01-01"):
        assert client.get(f"/en/map?{query}").status_code == 200


def test_a_file_of_tiles_is_a_setting(tmp_path: Path, template: tuple[Path, cast.World]) -> None:
    """With MAP_TILES the page names the file's address and it is answered by pieces; a file that is none is refused."""
    tiles = tmp_path / "egypt.pmtiles"
    tiles.write_bytes(b"PMTiles" + bytes(range(200)))
    cast.copy_database(template[0], tmp_path / "test.db")
    app = create_app(replace(cast.settings_for(tmp_path), map_tiles=tiles), time_source=cast.StillClock())
    client = app.test_client()
    assert 'data-tiles="/map/tiles.pmtiles"' in client.get("/map").get_data(as_text=True)
    piece = client.get("/map/tiles.pmtiles", headers={"Range": "bytes=0-6"})
    assert piece.status_code == 206 and piece.data == b"PMTiles"
    app.extensions["writer"].engine.dispose()
    environment = {"DATA_DIR": str(tmp_path), "MAP_TILES": str(tmp_path / "none.pmtiles")}
    with pytest.raises(SettingsError, match="MAP_TILES"):
        from_environment(environment)


def geojson(folder: Path, name: str, kind: str, coordinates: Any, **facts: Any) -> Path:
    path = folder / name
    shape = {"type": "Feature", "properties": facts, "geometry": {"type": kind, "coordinates": coordinates}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [shape]}))
    return path


def test_roads_are_taken_in_and_given_up(app: Flask, tmp_path: Path) -> None:
    """`network map --roads FILE` adds them to the base; `--built-in` shows the built-in layers again; a file of
    something else is refused in words and changes nothing."""
    folder = app.extensions["settings"].data_dir
    run = app.test_cli_runner().invoke
    roads = geojson(
        tmp_path, "roads.geojson", "LineString", [[31.2, 30.0], [31.2004, 29.5], [31.2, 29.0]], secret="x"
    )
    done = run(args=["network", "map", "--roads", str(roads)])
    assert done.exit_code == 0 and "road: 1" in done.output
    base = json.loads(app.test_client().get("/map/base.geojson").data)
    (road,) = [one for one in base["features"] if one["properties"]["kind"] == "road"]
    assert (
        road["geometry"]["coordinates"] == [[[31.2, 30.0], [31.2, 29.0]]]
        and "secret" not in road["properties"]
    )
    for wrong in (
        geojson(tmp_path, "points.geojson", "Point", [31, 30]),
        geojson(tmp_path, "turned.geojson", "LineString", [[30, 51], [29, 51]]),
        geojson(tmp_path, "words.geojson", "LineString", [["a", "b"], ["c", "d"]]),
    ):
        refused = run(args=["network", "map", "--roads", str(wrong)])
        assert refused.exit_code == 1 and wrong.name in refused.output
    assert run(args=["network", "map"]).exit_code == 2
    assert layers.path_of(folder) == layers.own_file(folder)
    assert run(args=["network", "map", "--built-in"]).exit_code == 0
    assert layers.path_of(folder) == layers.BUILT_IN


@given(st.lists(st.tuples(st.floats(25, 36), st.floats(22, 31)), min_size=2, max_size=40))
def test_a_thinned_line_stays_near_every_point(line: list[tuple[float, float]]) -> None:
    """Beginning and end stay, and no point of the line lies farther from the thinned one than the tolerance."""
    kept = layers.thin(line)
    slack = layers.TOLERANCE + 2 * 10**-layers.DECIMALS
    assert kept[0] == pytest.approx(line[0], abs=1e-3) and kept[-1] == pytest.approx(line[-1], abs=1e-3)
    for point in line:
        pieces = list(pairwise(kept)) or [(kept[0], kept[0])]
        assert min(layers._away(point, a, b) for a, b in pieces) <= slack
