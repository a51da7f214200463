"""The built-in national network: real governorates and towns, synthetic villages, fixed and mobile
centers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.network import catalogue, write
from fleet.network.fixed import catchments, draw_complex, draw_fixed
from fleet.network.mobile import draw_mobile
from fleet.network.towns import governorates, towns
from fleet.network.villages import draw_villages
from fleet.store import Center, Governorate, LocalUnit, Setting, Site
from queueing.store import Queue, Service

SETTING = "network"
"""Key of the setting that says which network this installation runs, from which source and seed."""

BUILT_IN = "built-in"


@dataclass(frozen=True)
class Size:
    """How big the network is: facts and targets, not constants of the code.

    312 fixed centers in cities and districts stood in December 2025; 107 mobile centers were delivered by
    January 2022.
    """

    fixed: int = 312
    villages: int = 900
    mobile: int = 107
    complexes: tuple[str, ...] = ("EG-ASN",)


@dataclass(frozen=True)
class Summary:
    """What stands in the database after `build`; `made` is false when it was there before."""

    made: bool
    source: str
    seed: int | None
    governorates: int
    units: int
    fixed: int
    complexes: int
    villages: int
    mobile: int
    services: int
    queues: int


def build(
    session: Session,
    *,
    seed: int,
    now: datetime,
    size: Size | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Summary:
    """Make the network unless one is there (whatever its source): a second call changes nothing.

    The same seed makes the same network. `progress` is told (step, done, total). Does not commit.
    """
    present = session.get(Setting, SETTING)
    if present is not None:
        return summary(session, made=False)
    size = size or Size()
    steps = iter(range(1, 7))
    tell = progress or (lambda _step, _done, _total: None)

    catalogue.ensure_services(session)
    tell("services", next(steps), 6)
    ids = write.write_governorates(session, governorates())
    unit_ids = write.write_units(session, towns(), ids)
    tell("towns", next(steps), 6)
    villages = draw_villages(governorates(), towns(), count=size.villages, seed=seed)
    fixed = draw_fixed(towns(), villages, count=size.fixed, seed=seed, source=BUILT_IN)
    people, nearest = catchments(towns(), villages, fixed)
    tell("places", next(steps), 6)
    site_ids = write.write_fixed(session, fixed, people, ids, unit_ids, seed=seed, synthetic=True)
    complexes = [draw_complex(g, towns(), source=BUILT_IN) for g in governorates() if g.iso in size.complexes]
    draws = [int(write.COMPLEX_DRAW * g.population) for g in governorates() if g.iso in size.complexes]
    if complexes:
        write.write_fixed(session, complexes, draws, ids, unit_ids, seed=seed, synthetic=True)
    tell("fixed centers", next(steps), 6)
    write.write_villages(session, villages, nearest, site_ids, ids, unit_ids)
    tell("villages", next(steps), 6)
    write.write_mobile(session, draw_mobile(governorates(), count=size.mobile, seed=seed), ids, seed=seed)
    value = {"source": BUILT_IN, "seed": seed, "at": now.isoformat(), "size": asdict(size)}
    session.add(Setting(key=SETTING, value=value))
    session.flush()
    tell("mobile centers", next(steps), 6)
    return summary(session, made=True)


def summary(session: Session, *, made: bool) -> Summary:
    """Count what stands in the database."""
    setting = session.get(Setting, SETTING)
    value = setting.value if setting is not None else {}

    def count(entity: type, *where: object) -> int:
        return session.scalar(select(func.count()).select_from(entity).where(*where)) or 0  # type: ignore[arg-type]

    return Summary(
        made=made,
        source=str(value.get("source", "none")),
        seed=value.get("seed"),
        governorates=count(Governorate),
        units=count(LocalUnit),
        fixed=count(Site, Site.kind == "fixed", Site.active),
        complexes=count(Site, Site.kind == "complex", Site.active),
        villages=count(Site, Site.kind == "village", Site.active),
        mobile=count(Center),
        services=count(Service),
        queues=count(Queue),
    )
