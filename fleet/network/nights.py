"""Which vans stay nights away from their depot, and what a night costs: the one place that says so. Pure.

A governorate is here because some of its places lie further than half a day's permitted driving (150 of 300 minutes)
from its capital, where its vans are based: without a night on the way nobody can serve them. By the built-in network
that holds for places of New Valley (Dakhla, Farafra), the Red Sea (south of Quseir), Matruh (Siwa, Salloum), South
Sinai (Nuweiba, Taba), of Aswan (Abu Simbel) and of Giza (Bahariya). North Sinai's villages lie within a day but with
little of it left.
"""

from __future__ import annotations

NIGHTS = {"EG-WAD": 4, "EG-BA": 4, "EG-MT": 3, "EG-SIN": 3, "EG-JS": 3, "EG-ASN": 2, "EG-GZ": 2}
"""The most nights in a row, by governorate: two to reach the furthest place and come back, up to four where that is
two days' driving away. More would keep a crew from home over its Friday."""

FAR_VANS = {"EG-ASN": 1, "EG-GZ": 1}
"""Where only a corner of the governorate is far, so many of its vans go there; elsewhere all of them may."""

HEAD_HOURS = 8.0
"""Person-hours a night of one member of the crew: a bed and an allowance of some 400 EGP, at the 50 EGP an hour by
which planning values time. An assumption, not a tariff: planners change it for each van."""


def allowance(iso: str, number: int, crew: int) -> tuple[int, float]:
    """Return (nights in a row, person-hours a night) of the `number`-th van (from 1) of a governorate, whose crew has
    `crew` members. (0, 0.0) where vans come home every evening."""
    nights = NIGHTS.get(iso, 0)
    if not nights or number > FAR_VANS.get(iso, number):
        return 0, 0.0
    return nights, HEAD_HOURS * crew
