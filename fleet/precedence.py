"""Which service must come before which in a visit with several: a photo before a passport.

Rules of one place stand beside those of the whole installation; both hold. Together they never form a circle, so that
every choice of services can be done in some order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.errors import Conflict, Invalid
from fleet.store import Setting, SiteQueue
from queueing import audit
from queueing.store import QueueService, Service

EVERYWHERE = "service_order"
"""Setting: service code -> codes of services that must be done before it, at every place."""
MOST_RULES = 60
Order = dict[str, list[str]]
"""Service -> what must be done before it. Codes, sorted."""


def order_at(session: Session, site_id: int) -> Order:
    """What must be done before what at a place: the rules of all places and its own."""
    found: dict[str, set[str]] = {}
    for rules in (_rules(session, EVERYWHERE), own_order(session, site_id)):
        for service, before in rules.items():
            found.setdefault(service, set()).update(before)
    return {service: sorted(before) for service, before in sorted(found.items())}


def own_order(session: Session, site_id: int) -> Order:
    """The place's own rules."""
    return _rules(session, _key(site_id))


def put_before(
    session: Session, site_id: int, service: str, before: str, *, actor: str, now: datetime
) -> bool:
    """From now on `before` is done before `service` at this place; False when that is so already. Visits under way go
    on as they began.

    Raises Invalid `unknown_service` (one of them is not offered here), `same_service`; Conflict `service_circle` when
    `service` must come before `before`, by some way, and `too_many_rules`.
    """
    if service == before:
        raise Invalid("same_service", "choose two services")
    missing = {service, before} - offered_at(session, site_id).keys()
    if missing:
        raise Invalid("unknown_service", "this place does not offer this service", services=sorted(missing))
    setting = _locked(session, site_id)
    order = order_at(session, site_id)
    if before in order.get(service, ()):
        return False
    if service in _all_before(order, before):
        raise Conflict("service_circle", f"{service} itself comes before {before}")
    own = {key: list(value) for key, value in setting.value.items()}
    if sum(map(len, own.values())) >= MOST_RULES:
        raise Conflict("too_many_rules", f"at most {MOST_RULES} rules", most=MOST_RULES)
    own[service] = sorted({*own.get(service, ()), before})
    setting.value = own
    _note(session, site_id, "add", service, before, actor, now)
    return True


def drop_rule(
    session: Session, site_id: int, service: str, before: str, *, actor: str, now: datetime
) -> bool:
    """Take back one of the place's own rules; False when there is none."""
    setting = _locked(session, site_id)
    if before not in setting.value.get(service, ()):
        return False
    own = {
        key: [code for code in value if (key, code) != (service, before)]
        for key, value in setting.value.items()
    }
    setting.value = {key: value for key, value in own.items() if value}
    _note(session, site_id, "drop", service, before, actor, now)
    return True


def offered_at(session: Session, site_id: int) -> dict[str, Service]:
    """The services of a place's queues by code, most asked for first."""
    chosen = (
        select(Service)
        .where(
            Service.id.in_(
                select(QueueService.service_id)
                .join(SiteQueue, SiteQueue.queue_id == QueueService.queue_id)
                .where(SiteQueue.site_id == site_id)
            )
        )
        .order_by(Service.popularity.desc(), Service.id)
    )
    return {service.code: service for service in session.scalars(chosen)}


def _all_before(order: Mapping[str, list[str]], service: str) -> set[str]:
    """Everything that must be done before a service, by any way."""
    found: set[str] = set()
    left = [service]
    while left:
        for code in order.get(left.pop(), ()):
            if code not in found:
                found.add(code)
                left.append(code)
    return found


def _rules(session: Session, key: str) -> Order:
    setting = session.get(Setting, key)
    return (
        {service: sorted(before) for service, before in setting.value.items()} if setting is not None else {}
    )


def _locked(session: Session, site_id: int) -> Setting:
    """The row of the place's own rules, for change."""
    found = session.get(Setting, _key(site_id), with_for_update=True)
    if found is None:
        found = Setting(key=_key(site_id), value={})
        session.add(found)
        session.flush()
    return found


def _key(site_id: int) -> str:
    return f"{EVERYWHERE}:{site_id}"


def _note(
    session: Session, site_id: int, act: str, service: str, before: str, actor: str, now: datetime
) -> None:
    known = {s.code: s for s in session.scalars(select(Service).where(Service.code.in_((service, before))))}
    pair = [known[code] for code in (service, before) if code in known]
    names = {"ar": [s.name_ar for s in pair], "en": [s.name_en for s in pair]}
    data = {"act": act, "service": service, "before": before, "names": names}
    audit.note(session, f"site:{site_id}", "service_order", actor=actor, now=now, data=data)
    session.flush()
