"""The built-in network: real towns, census sums, fair shares, and a second build that changes nothing."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from fleet import demand, network
from fleet.errors import Invalid
from fleet.names import fold
from fleet.network import catalogue, write
from fleet.network.geo import in_egypt, km_between
from fleet.network.queues import make_queue
from fleet.network.shares import highest_averages, largest_remainder
from fleet.network.towns import governorates, towns
from fleet.store import Center, Crew, Governorate, LocalUnit, Setting, Site, SiteQueue
from queueing.store import Base, Desk, Queue, QueueService, Service
from tests.databases import sqlite_memory

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def built() -> Iterator[Session]:
    """A session on a freshly built network; tests only read."""
    engine = sqlite_memory()
    with Session(engine) as session:
        network.build(session, seed=7, now=NOW)
        yield session
    engine.dispose()


def sites(session: Session, kind: str) -> list[Site]:
    return list(session.scalars(select(Site).where(Site.kind == kind).order_by(Site.code)))


def test_it_is_as_big_as_the_country(built: Session) -> None:
    made = network.summary(built, made=True)
    assert (made.governorates, made.mobile, made.complexes) == (27, 107, 1)
    assert made.units >= 250 and made.fixed >= 312 and 800 <= made.villages <= 1000 and made.services == 141


def test_a_second_build_changes_nothing(built: Session) -> None:
    before = {t.name: built.scalar(select(func.count()).select_from(t)) for t in Base.metadata.sorted_tables}
    again = network.build(built, seed=8, now=NOW)
    after = {t.name: built.scalar(select(func.count()).select_from(t)) for t in Base.metadata.sorted_tables}
    assert not again.made and before == after
    assert built.get_one(Setting, "network").value["seed"] == 7


def test_the_same_seed_builds_the_same_and_another_seed_other_villages(built: Session) -> None:
    def villages(seed: int) -> list[tuple[str, str, float, int]]:
        engine = sqlite_memory()
        with Session(engine) as session:
            network.build(session, seed=seed, now=NOW)
            found = [(v.code, v.name_ar, v.lat, v.population) for v in sites(session, "village")]
        engine.dispose()
        return found

    here = [(v.code, v.name_ar, v.lat, v.population) for v in sites(built, "village")]
    assert villages(7) == here
    assert villages(8) != here


def test_it_builds_on_both_databases(engine: Engine) -> None:
    """All 107 vans are there, and progress is told to the last step."""
    told: list[tuple[int, int]] = []
    with Session(engine) as session:
        network.build(
            session, seed=1, now=NOW, progress=lambda _step, done, total: told.append((done, total))
        )
        assert session.scalar(select(func.count()).select_from(Center)) == 107
    assert told == [(n, 6) for n in range(1, 7)]


def test_sizes_are_data(built: Session) -> None:
    engine = sqlite_memory()
    with Session(engine) as session:
        size = network.Size(fixed=380, villages=300, mobile=276, complexes=("EG-ASN", "EG-C"))
        made = network.build(session, seed=1, now=NOW, size=size)
    engine.dispose()
    assert (made.fixed, made.villages, made.mobile, made.complexes) == (380, 300, 276, 2)


def test_towns_have_proper_names_in_both_scripts_and_lie_in_egypt() -> None:
    """No Persian or Urdu letters, no Latin in Arabic names, no diacritics in English ones, none twice at one place."""
    assert len(towns()) >= 250
    for town in towns():
        assert all("\u0621" <= ch <= "\u064a" or ch in " ()–" for ch in town.name_ar), town
        assert town.name_en.isascii() and in_egypt(town.lat, town.lon), town
    assert len({(town.iso, town.name_ar) for town in towns()}) == len(towns())


def test_known_towns_carry_their_usual_names_and_todays_governorate() -> None:
    by_english = {town.name_en: town for town in towns()}
    expected = {
        "El Mahalla El Kubra": ("المحلة الكبرى", "EG-GH"), "Esna": ("إسنا", "EG-LX"), "Zagazig": ("الزقازيق", "EG-SHR"),
        "El Wasta": ("الواسطى", "EG-BNS"), "Ras El Bar": ("رأس البر", "EG-DT"), "Kom Ombo": ("كوم أمبو", "EG-ASN"),
        "Sadat City": ("مدينة السادات", "EG-MNF"), "Siwa": ("سيوة", "EG-MT"),
    }  # fmt: skip
    assert {name: (by_english[name].name_ar, by_english[name].iso) for name in expected} == expected


def test_towns_lie_in_the_governorate_they_are_given_to() -> None:
    """Each town is nearer to some other town of its governorate, or its capital, than 400 km; most are within 80."""
    capitals = {g.iso: g for g in governorates()}
    away = [km_between(t.lat, t.lon, capitals[t.iso].lat, capitals[t.iso].lon) for t in towns()]
    assert max(away) < 650 and sum(km > 80 for km in away) < 40


def test_people_of_each_governorate_are_its_census(built: Session) -> None:
    """Catchments of fixed centers sum to the 2017 census exactly, in every governorate and in all (94,798,827)."""
    sums = dict(
        built.execute(
            select(Governorate.iso, func.sum(Site.population))
            .join(Site, Site.governorate_id == Governorate.id)
            .where(Site.kind == "fixed")
            .group_by(Governorate.iso)
        ).all()
    )
    assert sums == {g.iso: g.population for g in governorates()}
    assert sum(sums.values()) == 94_798_827


def test_villages_are_marked_synthetic_and_fill_what_towns_leave_of_the_census(built: Session) -> None:
    villages = sites(built, "village")
    assert all(v.synthetic and v.source == "synthetic" and in_egypt(v.lat, v.lon) for v in villages)
    rural: dict[int, int] = defaultdict(int)
    for village in villages:
        rural[village.governorate_id] += village.population
    for governorate in built.scalars(select(Governorate)):
        urban = built.scalar(
            select(func.sum(LocalUnit.population)).where(LocalUnit.governorate_id == governorate.id)
        )
        assert urban + rural[governorate.id] == governorate.population


def test_village_names_are_distinct_within_a_governorate_and_in_both_languages(built: Session) -> None:
    names = Counter((v.governorate_id, v.name_ar) for v in sites(built, "village"))
    assert max(names.values()) == 1
    for village in sites(built, "village"):
        assert village.name_en.isascii() and village.landmark_ar and village.landmark_en
        assert f"|{fold(village.name_ar)}|" in village.search_key


def test_each_village_knows_its_nearest_fixed_center_of_the_governorate(built: Session) -> None:
    fixed = sites(built, "fixed")
    for village in sites(built, "village")[::37]:
        best = min(
            (km_between(village.lat, village.lon, f.lat, f.lon), f.id)
            for f in fixed
            if f.governorate_id == village.governorate_id
        )
        assert village.nearest_fixed_km == pytest.approx(best[0], abs=0.01)
        assert village.nearest_fixed_km < 30


def test_big_cities_have_several_centers_spread_over_them(built: Session) -> None:
    cairo = [site for site in sites(built, "fixed") if site.code.startswith("F-GN360630-")]
    assert len(cairo) >= 15 and cairo[1].name_ar == "المركز التكنولوجي – القاهرة 2"
    assert len({(site.lat, site.lon) for site in cairo}) == len(cairo)
    assert all(km_between(s.lat, s.lon, cairo[0].lat, cairo[0].lon) < 15 for s in cairo)


def test_some_centers_are_crowded_and_most_are_not(built: Session) -> None:
    """Utilisation against expected demand: none hopeless, a tenth or so above 0.85, most below 0.8."""
    minutes = demand.mean_service_minutes(catalogue.fixed_offer(built))
    desks = dict(built.execute(select(Desk.queue_id, func.count()).group_by(Desk.queue_id)).all())
    owner = dict(built.execute(select(SiteQueue.site_id, SiteQueue.queue_id)).all())
    loads = [write.offered_load(s.population, minutes) / desks[owner[s.id]] for s in sites(built, "fixed")]
    crowded = sum(load > 0.85 for load in loads) / len(loads)
    assert max(loads) <= 1.1 and 0.05 < crowded < 0.3 and sum(load < 0.8 for load in loads) > 0.6 * len(loads)


def test_vans_follow_population_with_one_at_least_and_codes_of_the_national_id(built: Session) -> None:
    rows = built.execute(
        select(Governorate, func.count(Center.id)).join(Center).group_by(Governorate.id)
    ).all()
    numbers = {governorate.iso: number for governorate, number in rows}
    assert sum(numbers.values()) == 107 and min(numbers.values()) == 1
    assert numbers["EG-C"] == max(numbers.values()) and numbers["EG-JS"] == 1
    assert built.scalar(select(Center.name_en).where(Center.code == "MC-28-01")) == "Mobile center Aswan 1"


def test_vans_are_ready_to_go(built: Session) -> None:
    centers = list(built.scalars(select(Center)))
    assert {c.klass: c.desks for c in centers} == {"small": 2, "large": 4}
    assert all(len(c.weekdays) == 7 and c.weekdays[6] == "0" and c.equipment["printer"] for c in centers)
    assert all((c.lat, c.lon) == (c.depot_lat, c.depot_lon) for c in centers)
    crews = {crew.center_id: crew for crew in built.scalars(select(Crew))}
    assert all(crews[c.id].clerks == c.desks and crews[c.id].drivers == 1 for c in centers)


def test_the_complex_in_aswan_has_a_queue_with_its_own_letter_per_agency(built: Session) -> None:
    (complex_,) = sites(built, "complex")
    assert complex_.governorate.iso == "EG-ASN"
    letters = [queue.letter for queue in complex_.queues]
    assert len(letters) >= 6 and len(set(letters)) == len(letters)
    for queue in complex_.queues:
        agencies = built.scalars(
            select(Service.agency_code).join(QueueService).where(QueueService.queue_id == queue.id).distinct()
        ).all()
        assert len(agencies) == 1


def test_fixed_queues_offer_what_people_ask_for_most(built: Session) -> None:
    site = sites(built, "fixed")[0]
    (queue,) = site.queues
    codes = set(
        built.scalars(select(Service.code).join(QueueService).where(QueueService.queue_id == queue.id)).all()
    )
    assert 15 <= len(codes) <= 30 and {"CIV-05", "BLD-10", "CIV-02"} <= codes
    assert queue.state == "closed" and all(desk.state == "closed" for desk in queue.desks)


def test_extracts_outnumber_cards_as_published(built: Session) -> None:
    """One card to 4.6 computerised extracts, September 2025."""
    weights = dict(built.execute(select(Service.code, Service.popularity)).all())
    cards = sum(weights[f"CIV-0{n}"] for n in range(1, 5))
    extracts = sum(weights[f"CIV-{n:02d}"] for n in range(5, 11))
    assert extracts / cards == pytest.approx(4.6, rel=0.03)


def test_every_document_of_the_catalogue_has_an_english_name(built: Session) -> None:
    for service in built.scalars(select(Service)):
        assert service.documents_en and service.documents_en.count(";") == service.documents_ar.count("؛")
        assert service.documents_en.isascii()


def test_a_queue_without_services_or_desks_is_refused(built: Session) -> None:
    service = built.scalars(select(Service)).first()
    for services, desks in (([], 2), ([service], 0)):
        with pytest.raises(Invalid):
            make_queue(built, name_ar="س", name_en="s", services=services, desks=desks)


def test_make_queue_gives_a_closed_queue_with_desks_and_services(built: Session) -> None:
    services = catalogue.mobile_offer(built)
    queue = make_queue(built, name_ar="زيارة", name_en="Visit", services=services, desks=2, letter="M")
    assert (queue.state, queue.letter, [d.name for d in queue.desks]) == ("closed", "M", ["1", "2"])
    assert built.scalar(
        select(func.count()).select_from(QueueService).where(QueueService.queue_id == queue.id)
    ) == len(services)
    built.execute(QueueService.__table__.delete().where(QueueService.queue_id == queue.id))
    built.execute(Desk.__table__.delete().where(Desk.queue_id == queue.id))
    built.execute(Queue.__table__.delete().where(Queue.id == queue.id))


SHAPES = Path(__file__).resolve().parents[3] / "shared" / "data" / "governorates.geojson"


def _crosses(ring: list[list[float]], lon: float, lat: float) -> int:
    """How often a ray to the east crosses a ring (even-odd rule)."""
    crossings = 0
    for (x1, y1), (x2, y2) in pairwise([point[:2] for point in [*ring, ring[0]]]):
        if (y1 > lat) != (y2 > lat) and lon < (x2 - x1) * (lat - y1) / (y2 - y1) + x1:
            crossings += 1
    return crossings


@pytest.mark.skipif(not SHAPES.exists(), reason="the shared data folder with governorates' shapes is missing")
def test_drawn_places_lie_on_land_and_nearly_all_in_their_governorate(built: Session) -> None:
    """Against (coarse) shapes the drawing does not know: 98 of 100 on Egyptian land, 9 of 10 in their governorate."""
    shapes: dict[str, list[list[list[float]]]] = {}
    for feature in json.loads(SHAPES.read_text(encoding="utf-8"))["features"]:
        geometry = feature["geometry"]
        polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        shapes[feature["properties"]["iso"]] = [ring for polygon in polygons for ring in polygon]
    places = [*sites(built, "village"), *sites(built, "fixed")]
    on_land = at_home = 0
    for place in places:
        found = [
            iso for iso, rings in shapes.items() if sum(_crosses(r, place.lon, place.lat) for r in rings) % 2
        ]
        on_land += bool(found)
        at_home += place.governorate.iso in found
    assert on_land >= 0.98 * len(places) and at_home >= 0.9 * len(places), (on_land, at_home, len(places))


WEIGHTS = st.lists(st.floats(0, 1000), min_size=1, max_size=30)


@given(WEIGHTS, st.integers(0, 500), st.integers(0, 3))
def test_largest_remainder_gives_all_and_each_its_minimum(
    weights: list[float], extra: int, least: int
) -> None:
    total = least * len(weights) + extra
    shares = largest_remainder(total, weights, at_least=least)
    assert sum(shares) == total and min(shares) >= least


@given(WEIGHTS, st.integers(0, 500))
def test_largest_remainder_without_minimum_is_within_one_of_the_exact_share(
    weights: list[float], total: int
) -> None:
    whole = sum(weights)
    if whole > 0:
        for share, weight in zip(largest_remainder(total, weights), weights, strict=True):
            assert abs(share - total * weight / whole) < 1 + 1e-6


@given(st.lists(st.floats(1, 1000), min_size=1, max_size=20), st.integers(0, 100))
def test_highest_averages_leaves_no_seat_that_would_lighten_the_busiest(
    weights: list[float], extra: int
) -> None:
    seats = highest_averages(len(weights) + extra, weights)
    assert sum(seats) == len(weights) + extra and min(seats) >= 1
    busiest_next = max(w / (s + 1) for w, s in zip(weights, seats, strict=True))
    given_last = [w / s for w, s in zip(weights, seats, strict=True) if s > 1]
    assert all(value >= busiest_next - 1e-9 for value in given_last)


def test_shares_that_cannot_be_given_are_refused() -> None:
    with pytest.raises(ValueError):
        largest_remainder(2, [1, 1, 1], at_least=1)
    with pytest.raises(ValueError):
        highest_averages(1, [1, 1])
