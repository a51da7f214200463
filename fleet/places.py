"""Named places that a citizen types or picks: governorates, local units, villages."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from fleet.names import edits, fold, search_key
from fleet.store import Governorate, LocalUnit, Site

EXACT, PREFIX, WORD, TYPO = 0, 1, 2, 3
"""How well a name fits, best first."""

FEW = 3
"""With fewer certain finds than this, names with small typing errors are looked for too."""

MOST_ROWS = 400
KINDS = ("governorate", "unit", "village")
_ORDER = {"governorate": 0, "unit": 1, "village": 2, "fixed": 3, "complex": 3}


@dataclass(frozen=True)
class Place:
    """A place found by its name: kind is governorate, unit, village, fixed or complex; `id` is that table's."""

    kind: str
    id: int
    name_ar: str
    name_en: str
    governorate_id: int
    governorate_ar: str
    governorate_en: str
    lat: float
    lon: float
    population: int
    fit: int


def find_places(
    session: Session,
    text: str,
    *,
    limit: int = 10,
    governorate_id: int | None = None,
    kinds: Sequence[str] = KINDS,
) -> list[Place]:
    """Places whose name is, starts with or contains the typed words, in any usual spelling; then small typos.

    Order: fit, then governorates before units before villages, then population. A text that folds to nothing finds
    nothing. `kinds` may also name fixed and complex.
    """
    typed = fold(text[:80])
    if not typed:
        return []
    found = [*_areas(session, typed, governorate_id, kinds), *_sites(session, typed, governorate_id, kinds)]
    if len(found) < FEW and len(typed) >= 4:
        known = {(place.kind, place.id) for place in found}
        found += [p for p in _misspelt(session, typed, governorate_id, kinds) if (p.kind, p.id) not in known]
    found.sort(key=lambda p: (p.fit, _ORDER[p.kind], -p.population, p.id))
    return found[:limit]


def governorates(session: Session) -> list[Governorate]:
    """All governorates, in the order of their national codes (the order they were loaded)."""
    return list(session.scalars(select(Governorate).order_by(Governorate.id)))


def local_units(session: Session, governorate_id: int) -> list[LocalUnit]:
    """The local units or towns of a governorate, by Arabic name."""
    units = session.scalars(select(LocalUnit).where(LocalUnit.governorate_id == governorate_id))
    return sorted(units, key=lambda unit: fold(unit.name_ar))


def fit_of(typed: str, key: str) -> int | None:
    """How a folded text fits a search key: EXACT, PREFIX, WORD or None. Typos are another matter."""
    if f"|{typed}|" in key:
        return EXACT
    if f"|{typed}" in key:
        return PREFIX
    return WORD if f" {typed}" in key else None


def typo_fit(typed: str, key: str) -> bool:
    """Whether a name in the key, or one of its words, is the text up to one edit (two from nine letters on)."""
    allowed = 1 if len(typed) < 9 else 2
    for name in key.strip("|").split("|"):
        if edits(typed, name, allowed) <= allowed:
            return True
        words = name.split(" ")
        long_words = [w for w in words if len(w) > 3]
        if (
            len(words) > 1
            and " " not in typed
            and any(edits(typed, w, allowed) <= allowed for w in long_words)
        ):
            return True
    return False


_KIND_WORDS = re.compile(
    r"^(?:(?:مركز ومدينة|مدينة ومركز|مركز|قسم|مدينة|حي)\s+(?:(?:أول|ثان|ثالث|رابع)\s+)?)"
)


@functools.lru_cache(maxsize=4096)
def _key(name_ar: str, name_en: str) -> str:
    """Names of areas are known without the word that says what they are: "Tanta" for "markaz Tanta"."""
    return search_key(name_ar, name_en, _KIND_WORDS.sub("", name_ar))


def _areas(session: Session, typed: str, governorate_id: int | None, kinds: Sequence[str]) -> list[Place]:
    return [
        _with_fit(place, fit)
        for place in _all_areas(session, governorate_id, kinds)
        if (fit := fit_of(typed, _key(place.name_ar, place.name_en))) is not None
    ]


def _all_areas(session: Session, governorate_id: int | None, kinds: Sequence[str]) -> Iterable[Place]:
    # A few hundred rows: folding them here (remembered by name) is cheaper than a column to keep right.
    if "governorate" in kinds:
        for g in session.scalars(select(Governorate)):
            if governorate_id in (None, g.id):
                yield Place(
                    "governorate",
                    g.id,
                    g.name_ar,
                    g.name_en,
                    g.id,
                    g.name_ar,
                    g.name_en,
                    g.lat,
                    g.lon,
                    g.population,
                    0,
                )
    if "unit" in kinds:
        query = select(LocalUnit, Governorate).join(Governorate, Governorate.id == LocalUnit.governorate_id)
        if governorate_id is not None:
            query = query.where(LocalUnit.governorate_id == governorate_id)
        for u, g in session.execute(query):
            yield Place(
                "unit", u.id, u.name_ar, u.name_en, g.id, g.name_ar, g.name_en, u.lat, u.lon, u.population, 0
            )


def _sites(session: Session, typed: str, governorate_id: int | None, kinds: Sequence[str]) -> list[Place]:
    pattern = _escaped(typed)
    condition = or_(
        Site.search_key.like(f"%|{pattern}%", escape="\\"), Site.search_key.like(f"% {pattern}%", escape="\\")
    )
    rows = _site_rows(session, condition, governorate_id, kinds)
    return [_with_fit(place, fit) for place, key in rows if (fit := fit_of(typed, key)) is not None]


def _misspelt(session: Session, typed: str, governorate_id: int | None, kinds: Sequence[str]) -> list[Place]:
    found = [
        _with_fit(place, TYPO)
        for place in _all_areas(session, governorate_id, kinds)
        if typo_fit(typed, _key(place.name_ar, place.name_en))
    ]
    # With one error the first or the second half of what was typed is right, so the distance is computed
    # for those names only. (Names with an error in each half are not found.)
    middle = len(typed) // 2
    first, second = _escaped(typed[:middle]), _escaped(typed[middle:])
    condition = or_(*(Site.search_key.like(f"%{half}%", escape="\\") for half in (first, second)))
    rows = _site_rows(session, condition, governorate_id, kinds, most=4000)
    return found + [_with_fit(place, TYPO) for place, key in rows if typo_fit(typed, key)]


def _site_rows(
    session: Session,
    condition: object,
    governorate_id: int | None,
    kinds: Sequence[str],
    most: int = MOST_ROWS,
) -> list[tuple[Place, str]]:
    wanted = [kind for kind in kinds if kind not in ("governorate", "unit")]
    if not wanted:
        return []
    query = (
        select(
            Site.kind, Site.id, Site.name_ar, Site.name_en, Governorate.id, Governorate.name_ar, Governorate.name_en,
            Site.lat, Site.lon, Site.population, Site.search_key,
        )
        .join(Governorate, Governorate.id == Site.governorate_id)
        .where(Site.kind.in_(wanted), condition)  # type: ignore[arg-type]
        .order_by(Site.population.desc(), Site.id)
        .limit(most)
    )  # fmt: skip
    if governorate_id is not None:
        query = query.where(Site.governorate_id == governorate_id)
    return [(Place(*row[:10], 0), row[10]) for row in session.execute(query)]


def _with_fit(place: Place, fit: int) -> Place:
    return Place(**{**place.__dict__, "fit": fit})


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
