"""Importing official-style files: good rows go in, faults are told by line, twice is once, history stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from fleet import network
from fleet.errors import Conflict, ImportRefused
from fleet.importing import Fault, Report, import_files
from fleet.importing.reading import read_table
from fleet.places import find_places
from fleet.store import Center, Governorate, ImportFault, LocalUnit, Setting, Site, SiteQueue
from queueing import counter, desks
from queueing.store import Base, Queue, Ticket
from tests.databases import sqlite_memory

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
OFFICIAL = [
    SHARED / name
    for name in ("governorates.csv", "local_units.csv", "new_cities.csv", "places_wof_localities.csv")
]
UNITS = (
    "unit_id,governorate_iso,kind,name_ar,name_en,lat,lon,population_2017_modelled,population_2017_method\n"
)
PLACES = "wof_id,name_latin,name_ar,lat,lon,governorate_iso,geom_source,population\n"
GOOD_UNITS = (
    "LU1,EG-GH,markaz,مركز طنطا,Tanta,30.788,31.002,900000,census\n"
    "LU2,EG-GH,city,مدينة قطور,Qutour,30.972,30.976,,inside its markaz\n"
    "LU3,EG-ASN,markaz,مركز أسوان,Aswan,24.09,32.90,300000,census\n"
)
GOOD_PLACES = (
    "1,Kafr Essam,كفر عصام,30.80,31.02,EG-GH,geonames,\n"
    "2,`Izbat `Awad,,30.79,31.05,EG-GH,geonames,\n"
    "3,Daraw,دراو,24.41,32.92,EG-ASN,qs_pg,60000\n"
    "4,Nowhere,مكان,24.2,32.9,,geonames,\n"
)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A small set of good files."""
    units, places = tmp_path / "units.csv", tmp_path / "villages.csv"
    units.write_text("\ufeff" + UNITS + GOOD_UNITS, encoding="utf-8")
    places.write_text("\ufeff" + PLACES + GOOD_PLACES, encoding="utf-8")
    return [units, places]


def with_rows(path: Path, rows: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + rows, encoding="utf-8")


def load(session: Session, paths: list[Path], *, now: datetime = NOW, replace: bool = False) -> Report:
    """An import of the small files, with six buildings instead of 312."""
    return import_files(session, paths, now=now, replace=replace, size=network.Size(fixed=6))


def counts(session: Session) -> dict[str, int]:
    session.flush()
    return {
        t.name: session.scalar(select(func.count()).select_from(t)) or 0 for t in Base.metadata.sorted_tables
    }


def test_files_replace_the_built_in_network(session: Session, files: list[Path]) -> None:
    """On both databases: no built-in town, village or building is left, vans are there, the catalogue stays."""
    network.build(session, seed=1, now=NOW)
    report = load(session, files, now=NOW)
    assert (report.units, report.villages, report.fixed, report.mobile) == (3, 4, 7, 107)
    assert session.scalar(select(func.count()).select_from(LocalUnit)) == 3
    assert not session.scalar(select(func.count()).select_from(Site).where(Site.synthetic))
    assert report.removed == 250 + 312 + 900 and report.faults == [], "only the complex of Aswan is the same"
    assert session.get_one(Setting, "network").value["source"] == "import"
    assert network.summary(session, made=False).services == 141
    queues = session.scalar(select(func.count()).select_from(Queue))
    assert queues == session.scalar(select(func.count()).select_from(SiteQueue)), (
        "no queue is left without a site"
    )


def test_the_same_files_twice_change_nothing(memory: Session, files: list[Path]) -> None:
    with_rows(files[0], "LU9,EG-XX,markaz,م,m,30,31,1,c\n")
    load(memory, files, now=NOW)
    before, seen = counts(memory), memory.scalar(select(ImportFault.seen_at))
    again = load(memory, files, now=datetime(2026, 12, 1, tzinfo=UTC))
    assert (again.added, again.changed, again.removed) == (0, 0, 0) and counts(memory) == before
    assert memory.scalar(select(ImportFault.seen_at)) == seen


def test_a_changed_file_changes_only_its_row(memory: Session, files: list[Path]) -> None:
    load(memory, files, now=NOW)
    text = files[1].read_text(encoding="utf-8").replace("Kafr Essam", "Kafr Isam")
    files[1].write_text(text, encoding="utf-8")
    site = memory.scalars(select(Site).where(Site.code == "W1")).one()
    report = load(memory, files, now=NOW)
    assert (report.added, report.removed) == (0, 0) and report.changed >= 1
    memory.refresh(site)
    assert site.name_en == "Kafr Isam" and "isam" in site.search_key


def test_a_village_that_left_the_file_goes_and_one_that_came_is_added(
    memory: Session, files: list[Path]
) -> None:
    load(memory, files, now=NOW)
    text = files[1].read_text(encoding="utf-8").replace("2,`Izbat `Awad,,30.79", "7,Shabshir,شبشير,30.95")
    files[1].write_text(text, encoding="utf-8")
    report = load(memory, files, now=NOW)
    assert (report.added, report.removed) == (1, 1)
    assert memory.scalar(select(Site.name_ar).where(Site.code == "W7")) == "شبشير"


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("LU9,EG-XX,markaz,م,m,30,31,1,c", "governorate_iso", "no governorate 'EG-XX'"),
        ("LU9,EG-GH,town,م,m,30,31,1,c", "kind", "not one of"),
        ("LU9,EG-GH,markaz,,m,30,31,1,c", "name_ar", "empty"),
        ("LU9,EG-GH,markaz,م,m,,,1,c", "lat", "no point"),
        ("LU9,EG-GH,markaz,م,m,30,,1,c", "lon", "no point"),
        ("LU9,EG-GH,markaz,م,m,abc,31,1,c", "lat", "not a number"),
        ("LU9,EG-GH,markaz,م,m,nan,31,1,c", "lat", "finite"),
        ("LU9,EG-GH,markaz,م,m,51.5,-0.1,1,c", "lat", "not in Egypt"),
        ("LU9,EG-GH,markaz,م,m,31.3,30.1,1.5,c", "population_2017_modelled", "whole number"),
        ("LU9,EG-GH,markaz,م,m,31.3,30.1,-5,c", "population_2017_modelled", "between"),
        ("LU1,EG-GH,markaz,م,m,31.3,30.1,5,c", "unit_id", "second time"),
        ("LU9,EG-GH,markaz", "", "3 cells"),
    ],
)
def test_a_bad_row_is_told_by_file_line_and_column_and_the_rest_goes_in(
    memory: Session, files: list[Path], row: str, column: str, words: str
) -> None:
    with_rows(files[0], row + "\n")
    report = load(memory, files, now=NOW)
    (fault,) = report.faults
    assert (fault.file, fault.line, fault.column) == ("units.csv", 5, column) and words in fault.reason
    assert report.units == 3
    kept = memory.scalars(select(ImportFault)).one()
    assert (kept.line, kept.column, kept.reason) == (5, column, fault.reason)


def test_swapped_coordinates_are_recognised(memory: Session, files: list[Path]) -> None:
    with_rows(files[0], "LU9,EG-SIN,markaz,م,m,34.1,31.2,1,c\n")
    assert "swapped" in load(memory, files, now=NOW).faults[0].reason


def test_lines_are_those_of_the_file_also_after_quoted_line_breaks_and_blank_lines(
    memory: Session, files: list[Path]
) -> None:
    with_rows(files[0], '\nLU8,EG-GH,markaz,"م\nن",m,30.9,31.1,10000,c\nLU9,EG-GH,markaz,م,m,,,1,c\n')
    assert [fault.line for fault in load(memory, files, now=NOW).faults] == [8]


def test_faults_of_an_earlier_run_go_when_the_file_is_mended(memory: Session, files: list[Path]) -> None:
    good = files[0].read_text(encoding="utf-8")
    with_rows(files[0], "LU9,EG-XX,markaz,م,m,30,31,1,c\n")
    load(memory, files, now=NOW)
    files[0].write_text(good, encoding="utf-8")
    load(memory, files, now=NOW)
    assert memory.scalars(select(ImportFault)).all() == []


@pytest.mark.parametrize(
    ("content", "column", "words"),
    [
        (UNITS.replace("name_en,", "").encode(), "name_en", "missing"),
        (b"a,b,c\n1,2,3\n", "", "not a known file"),
        (b"", "", "empty"),
        ((UNITS + GOOD_UNITS).encode("cp1256"), "", "not UTF-8"),
        ((UNITS + GOOD_UNITS).encode("utf-16"), "", "UTF-16"),
        (UNITS.encode() + b"LU1,\0\n", "", "null"),
        (UNITS.replace("lon,", "lon,lon,").encode(), "lon", "twice"),
        (UNITS.encode() + b'LU1,"EG', "", "CSV"),
    ],
)
def test_a_file_that_cannot_be_used_refuses_the_import_and_changes_nothing(
    memory: Session, files: list[Path], content: bytes, column: str, words: str
) -> None:
    load(memory, files, now=NOW)
    before = counts(memory)
    files[0].write_bytes(content)
    with pytest.raises(ImportRefused) as caught:
        load(memory, files, now=NOW)
    fault = caught.value.details["faults"][0]
    assert fault["file"] == "units.csv" and fault["column"] == column and words in fault["reason"]
    assert words in caught.value.message and counts(memory) == before


def test_every_missing_column_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("unit_id,kind\n", encoding="utf-8")
    missing = [fault.column for fault in read_table(path).refusals]
    assert {"governorate_iso", "name_ar", "lat", "lon"} <= set(missing)


def test_files_are_recognised_by_their_header_not_their_name(memory: Session, files: list[Path]) -> None:
    renamed = [files[0].rename(files[0].with_name("b.txt")), files[1].rename(files[1].with_name("a.data"))]
    assert load(memory, list(reversed(renamed)), now=NOW).units == 3


def test_no_usable_unit_at_all_is_refused(memory: Session, files: list[Path]) -> None:
    files[0].write_text(UNITS + "LU1,EG-XX,markaz,م,m,30,31,1,c\n", encoding="utf-8")
    with pytest.raises(ImportRefused, match="No usable row"):
        load(memory, files, now=NOW)
    with pytest.raises(ImportRefused, match="No file"):
        load(memory, [], now=NOW)


def test_people_add_up_and_estimates_say_what_they_are(memory: Session, files: list[Path]) -> None:
    """900,000 + 300,000 live in the units, a nested city takes its people from its markaz, all find a center."""
    load(memory, files, now=NOW)
    assert memory.scalar(select(func.sum(LocalUnit.population))) == 1_200_000
    assert memory.scalar(select(func.sum(Site.population)).where(Site.kind == "fixed")) == 1_200_000
    nested = memory.scalars(select(LocalUnit).where(LocalUnit.code == "LU2")).one()
    assert nested.population > 0 and nested.population_method == "estimated, taken from Tanta"


def test_a_village_without_arabic_name_or_governorate_goes_in_with_what_is_known(
    memory: Session, files: list[Path]
) -> None:
    report = load(memory, files, now=NOW)
    assert (report.without_arabic_name, report.without_governorate) == (1, 1)
    assert memory.scalar(select(Site.name_ar).where(Site.code == "W2")) == "`Izbat `Awad"
    assert memory.scalars(select(Site).where(Site.code == "W4")).one().governorate.iso == "EG-ASN"


def test_units_alone_are_enough_stops_are_drawn_and_marked(memory: Session, files: list[Path]) -> None:
    report = load(memory, files[:1], now=NOW)
    assert report.candidates >= 12
    assert all(memory.scalars(select(Site.synthetic).where(Site.kind == "village")))


def test_history_is_not_lost_the_import_is_refused_and_with_replace_places_stay_out_of_use(
    session: Session, files: list[Path]
) -> None:
    """A ticket stands at a built-in center: the center is kept, inactive and closed, its ticket with it."""
    network.build(session, seed=1, now=NOW, size=network.Size(fixed=260, villages=200))
    site = session.scalars(select(Site).where(Site.kind == "fixed").order_by(Site.id)).first()
    (queue,) = site.queues
    desks.open_queue(session, queue, actor="t", now=NOW)
    counter.issue(session, queue, "CIV-05", request_id="r", actor="t", now=NOW)
    before = counts(session)
    with pytest.raises(Conflict) as caught:
        load(session, files, now=NOW)
    assert caught.value.code == "network_has_history" and caught.value.details["rows"]["ticket"] == 1
    assert counts(session) == before
    report = load(session, files, now=NOW, replace=True)
    assert report.kept_inactive == 1
    session.refresh(site)
    session.refresh(queue)
    assert not site.active and queue.state == "closed"
    assert session.scalar(select(func.count()).select_from(Ticket)) == 1
    again = load(session, files, now=NOW)
    assert (again.added, again.changed, again.removed, again.kept_inactive) == (0, 0, 0, 0)


def test_vans_keep_their_rows_and_are_based_where_the_files_say(memory: Session, files: list[Path]) -> None:
    network.build(memory, seed=1, now=NOW)
    before = dict(memory.execute(select(Center.code, Center.id)).all())
    text = (SHARED / "governorates.csv").read_text(encoding="utf-8") if SHARED.exists() else None
    if text is None:
        pytest.skip("the shared data folder is missing")
    moved = files[0].with_name("areas.csv")
    moved.write_text(text.replace("24.09082,32.89942", "24.10000,32.90000"), encoding="utf-8")
    load(memory, [*files, moved], now=NOW)
    assert dict(memory.execute(select(Center.code, Center.id)).all()) == before
    aswan = memory.scalars(select(Center).where(Center.code == "MC-28-01")).one()
    assert (aswan.depot_lat, aswan.lat) == (24.1, 24.1)


@pytest.fixture(scope="module")
def imported() -> Iterator[tuple[Session, Report]]:
    """The official-style files imported over the built-in network."""
    engine = sqlite_memory()
    with Session(engine) as session:
        network.build(session, seed=1, now=NOW)
        yield session, import_files(session, OFFICIAL, now=NOW)
    engine.dispose()


@pytest.mark.skipif(
    not SHARED.exists(), reason="the shared data folder with the official-style files is missing"
)
class TestOfficialFiles:
    """The files at hand: 315 local units, 23 new cities, 10,580 localities."""

    def test_four_units_without_a_point_and_one_foreign_village_are_told(
        self, imported: tuple[Session, Report]
    ) -> None:
        _, report = imported
        assert [(f.file, f.line, f.column) for f in report.faults] == [
            ("local_units.csv", 71, "lat"),
            ("local_units.csv", 272, "lat"),
            ("local_units.csv", 291, "lat"),
            ("new_cities.csv", 23, "lat"),
            ("places_wof_localities.csv", 4122, "lat"),
        ]
        assert isinstance(report.faults[0], Fault)

    def test_everything_else_is_in(self, imported: tuple[Session, Report]) -> None:
        session, report = imported
        assert (report.governorates, report.units, report.villages, report.mobile) == (27, 334, 10_579, 107)
        assert 1000 <= report.candidates <= 1600
        each = session.execute(
            select(func.count(Site.id)).where(Site.kind == "fixed").group_by(Site.local_unit_id)
        ).all()
        assert len(each) == 334, "a fixed center for each local unit"

    def test_every_governorate_has_stops_and_stops_have_people(
        self, imported: tuple[Session, Report]
    ) -> None:
        session, _ = imported
        stops = session.execute(
            select(Governorate.iso, func.count(Site.id), func.min(Site.population))
            .join(Site, Site.governorate_id == Governorate.id)
            .where(Site.kind == "village", Site.active)
            .group_by(Governorate.iso)
        ).all()
        assert len(stops) >= 26 and min(row[2] for row in stops) >= 400

    def test_no_one_is_counted_twice(self, imported: tuple[Session, Report]) -> None:
        """Catchments of fixed centers sum to the people of the usable units."""
        session, _ = imported
        units = session.scalar(select(func.sum(LocalUnit.population)))
        assert session.scalar(select(func.sum(Site.population)).where(Site.kind == "fixed")) == units

    def test_again_is_nothing(self, imported: tuple[Session, Report]) -> None:
        session, _ = imported
        again = import_files(session, OFFICIAL, now=NOW)
        assert (again.added, again.changed, again.removed, again.kept_inactive) == (0, 0, 0, 0)

    def test_its_places_are_found_in_both_scripts(self, imported: tuple[Session, Report]) -> None:
        session, _ = imported
        assert find_places(session, "طنطا")[0].name_ar == "مركز طنطا"
        assert find_places(session, "Demanhour")[0].name_en == "Damanhur"


def test_the_import_runs_on_postgresql_as_well(engine: Engine, files: list[Path]) -> None:
    with Session(engine) as session:
        assert load(session, files, now=NOW).units == 3
        session.commit()
        assert load(session, files, now=NOW).changed == 0


GOVERNORATES = (
    "iso_3166_2,name_ar,name_en,national_id_code,capital_ar,capital_en,capital_lat,capital_lon,population_census_2017,"
    "van_nights,van_night_hours\n"
    "EG-GH,الغربية,Gharbia,16,طنطا,Tanta,30.79,31.0,4999633,2,9.5\n"
    "EG-ASN,أسوان,Aswan,28,أسوان,Aswan,24.09,32.9,1473975,,\n"
)


def test_a_file_says_how_many_nights_vans_stay_away_and_a_planner_s_figure_stands_elsewhere(
    memory: Session, files: list[Path], tmp_path: Path
) -> None:
    """Where the governorates' file has the column its figure is taken; where it has none, what a planner set for a van
    outlives the next import; a figure that is none is a fault with its column."""
    governorates = tmp_path / "governorates.csv"
    governorates.write_text(GOVERNORATES, encoding="utf-8")
    load(memory, [governorates, *files])
    vans = {c.code: c for c in memory.scalars(select(Center))}
    assert {(c.nights, c.night_cost) for code, c in vans.items() if code.startswith("MC-16-")} == {(2, 9.5)}
    assert vans["MC-28-01"].nights == 2 and vans["MC-28-02"].nights == 0
    vans["MC-28-02"].nights, vans["MC-28-02"].night_cost = 3, 20.0
    vans["MC-16-01"].nights = 1
    memory.flush()
    load(memory, [governorates, *files])
    memory.expire_all()
    assert (vans["MC-28-02"].nights, vans["MC-28-02"].night_cost) == (3, 20.0)
    assert vans["MC-16-01"].nights == 2
    bad = "EG-C,القاهرة,Cairo,01,القاهرة,Cairo,30.04,31.24,9539673,many,\n"
    governorates.write_text(GOVERNORATES + bad, encoding="utf-8")
    report = load(memory, [governorates, *files])
    assert ("governorates.csv", 4, "van_nights") in {(f.file, f.line, f.column) for f in report.faults}
