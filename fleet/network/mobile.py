"""Mobile centers: how many each governorate has, and what they are. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from fleet.network.nights import HEAD_HOURS, allowance
from fleet.network.records import GovernorateRecord, MobileRecord
from fleet.network.shares import largest_remainder

LARGE_SHARE = 0.35
"""Share of large units (four desks); small ones have two."""

DESKS = {"small": 2, "large": 4}


def draw_mobile(governorates: Sequence[GovernorateRecord], *, count: int, seed: int) -> list[MobileRecord]:
    """`count` mobile centers by population (largest remainder), at least one per governorate, based at its
    capital."""
    rng = Random(f"mobile/{seed}")
    numbers = largest_remainder(count, [g.population for g in governorates], at_least=1)
    records = []
    for governorate, number in zip(governorates, numbers, strict=True):
        large = round(number * LARGE_SHARE) if number > 1 else int(rng.random() < LARGE_SHARE)
        for n in range(number):
            klass = "large" if n < large else "small"
            nights, night_cost = _nights(governorate, n + 1, 1 + DESKS[klass])
            records.append(
                MobileRecord(
                    code=f"MC-{governorate.code}-{n + 1:02d}",
                    iso=governorate.iso,
                    name_ar=f"المركز المتنقل {governorate.name_ar} {n + 1}",
                    name_en=f"Mobile center {governorate.name_en} {n + 1}",
                    depot_ar=f"ديوان عام محافظة {governorate.name_ar} – {governorate.capital_ar}",
                    depot_en=f"{governorate.name_en} governorate offices, {governorate.capital_en}",
                    lat=governorate.lat,
                    lon=governorate.lon,
                    klass=klass,
                    desks=DESKS[klass],
                    nights=nights,
                    night_cost=night_cost,
                )
            )
    return records


def _nights(governorate: GovernorateRecord, number: int, crew: int) -> tuple[int, float]:
    """What the source says of the governorate's vans, else what fleet/network/nights.py does."""
    nights, cost = allowance(governorate.iso, number, crew)
    if governorate.nights is not None:
        nights, cost = governorate.nights, HEAD_HOURS * crew if governorate.nights else 0.0
    return nights, cost if governorate.night_cost is None else governorate.night_cost
