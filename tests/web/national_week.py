"""A week of a country's size without a solver: centers, places and visits copied many times into the planned week."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.planning.blobs import pack, unpack
from fleet.store import Center, Governorate, Plan, PlanVisit, Site
from tests.web.planned import WEEK

FIRST = (
    "كفر",
    "نجع",
    "عزبة",
    "منشأة",
    "ميت",
    "شبرا",
    "بني",
    "أبو",
    "محلة",
    "منية",
    "كوم",
    "تل",
    "برج",
    "دير",
    "سنتريس",
)
SECOND = ("الشيخ", "حسين", "غراب", "العرب", "سليم", "النخلة", "صالح", "زيد", "الحجر", "يوسف", "عبادة", "راضي",
          "دنشال", "سمنود", "خضر", "العلو", "بلال", "الدوار", "سنجها", "غمر", "هلال", "قرة", "شعيب", "الجمال",
          "مطاي")  # fmt: skip
THIRD = ("", "", "", " البحرية", " القبلية", " الشرقية", " الغربية", " الجديدة", " المستجدة", " البلد")

T = TypeVar("T", Center, Governorate, Site)


def spread(session: Session, *, centers: int = 107, days: int = 6, seed: int = 7) -> int:
    """Give the one plan so many centers, each with a visit or two a day to a place of its own; the number of visits.

    Times and places break rules of the road: pages show plans as they stand, and only that is looked at.
    """
    draw = random.Random(seed)
    plan = session.scalars(select(Plan)).one()
    raw = unpack(plan.problem)
    van, place = (
        session.scalars(select(Center).order_by(Center.id)).all()[0],
        session.scalars(
            select(Site).where(Site.code.in_([site["id"] for site in raw["sites"]]), Site.kind == "village")
        ).all()[0],
    )
    raw_van = next(one for one in raw["centers"] if one["id"] == van.code)
    raw_place = next(one for one in raw["sites"] if one["id"] == place.code)
    for visit in session.scalars(select(PlanVisit).where(PlanVisit.plan_id == plan.id)):
        session.delete(visit)
    governorates = session.scalars(select(Governorate).order_by(Governorate.id)).all()
    land = [*governorates, *(_copy(governorates[0], iso=f"EG-T{n}", name_ar=f"محافظة {n}", name_en=f"Governorate {n}")
                             for n in range(len(governorates), 27))]  # fmt: skip
    session.add_all(land[len(governorates) :])
    session.flush()
    homes = [land[n * len(land) // (centers + 1)].id for n in range(2, centers + 1)]
    vans = [van, *(_copy(van, code=f"MC-T{n:03d}", name_ar=f"المركز المتنقل {n}", name_en=f"Mobile center {n}",
                         governorate_id=home) for n, home in enumerate(homes, 2))]  # fmt: skip
    session.add_all(vans[1:])
    raw["centers"] += [{**raw_van, "id": one.code} for one in vans[1:]]
    count = 0
    session.flush()
    for one in vans:
        for day in range(days):
            start = 480 + 5 * draw.randrange(12)
            for _stop in range(draw.choice((1, 1, 1, 2))):
                name = f"{draw.choice(FIRST)} {draw.choice(SECOND)}{draw.choice(THIRD)}"
                site = _copy(place, code=f"V-T{count}", name_ar=name, name_en=f"Village {count}")
                session.add(site)
                session.flush()
                raw["sites"].append({**raw_place, "id": site.code})
                stay = draw.choice((120, 180, 240))
                session.add(PlanVisit(
                    plan_id=plan.id, center_id=one.id, site_id=site.id, day=WEEK + timedelta(days=day),
                    start_minute=start, stay_minutes=stay, pinned=draw.random() < 0.1,
                    hours_saved=round(draw.uniform(20, 260), 1), drive_minutes=30, drive_km=25.0,
                ))  # fmt: skip
                start += stay + 45
                count += 1
    plan.problem = pack(raw)
    session.flush()
    return count


def _copy(row: T, **facts: object) -> T:
    columns = {c.key: getattr(row, c.key) for c in row.__table__.columns if c.key != "id"}
    return type(row)(**{**columns, **facts})
