"""Early warning: sudden crowding at a site is said while it can still be relieved.

`look(session, *, now)` every five minutes: the chance of each open line (queueing/alarms/chance.py) becomes a warning
by the rule of queueing/alarms/raising.py. With it is kept what it rests on, how many come beside how many were
forecast, and what a van beside the line would bring. `judge` holds every warning against those who came 30 to 60
minutes later.

What a van would bring is a fluid line: L grows by who comes (the forecast of the hour times how today differs from it,
or, where nothing is forecast, the last hour's people) and falls by what the desks take; `VAN_DESKS` more from an hour
after the warning until closing. The difference of the two areas under L is the hours of waiting spared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.calendar import local_day, local_minute
from fleet.errors import Invalid, NotFound
from fleet.store import ForecastHour, Plan, Setting, Site, SiteQueue, Visit
from fleet.store_warning import SiteWarning
from queueing.alarms.chance import LONG_MIN, chance_of
from queueing.alarms.live import HOUR, LineNow, came_between, lines_now, waited_after
from queueing.alarms.raising import QUIET_MIN, Rest
from queueing.alarms.raising import look as look_at
from queueing.events import announce

SETTING, LOOKS = "warnings", "warning_looks"
EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Rate:
    """A setting and what it came to on real lines: 19 offices in Warsaw on 9 to 15 January 2020 (20 weeks of offices),
    days that the chance was not fitted on (docs/benchmarks.md)."""

    threshold: float
    false_a_week: float
    """False warnings per site and week."""
    precision: float
    """Share of warnings that came true."""
    recall: float
    """Share of crowds that were warned of."""


RATES = (
    Rate(0.6, 0.2, 0.86, 0.17),
    Rate(0.55, 0.4, 0.74, 0.25),
    Rate(0.5, 0.9, 0.61, 0.31),
    Rate(0.4, 2.3, 0.44, 0.44),
)
DEFAULT = 0.55
VAN_DESKS = 2
VAN_AFTER_H = 1.0
STEP_H = 1 / 12
MOST_TODAY, LEAST_TODAY = 3.0, 0.5
"""How far today's people may differ from the forecast in what is expected of the hours to come."""
SURE_OF_FORECAST = 5.0
"""People of the forecast that count beside today's when the two are compared."""
JUDGED_AFTER = timedelta(hours=3)


def threshold_of(session: Session) -> float:
    """The chance from which on a planner is warned."""
    kept = session.get(Setting, SETTING)
    return float(kept.value["threshold"]) if kept else DEFAULT


def set_threshold(session: Session, threshold: float, *, actor: str, now: datetime) -> None:
    """Warn from another chance on. Raises Invalid `unknown_threshold`."""
    if threshold not in [rate.threshold for rate in RATES]:
        raise Invalid(
            "unknown_threshold", "This is not a setting whose rates are known.", threshold=threshold
        )
    session.merge(Setting(key=SETTING, value={"threshold": threshold, "by": actor, "at": now.isoformat()}))


def look(session: Session, *, now: datetime) -> list[SiteWarning]:
    """One look at all lines; the warnings raised by it. The same five minutes are looked at once, however often it is
    asked for."""
    kept = session.get(Setting, LOOKS)
    before: dict[str, Any] = dict(kept.value) if kept else {}
    slot = int(now.timestamp() // EVERY.total_seconds())
    if before.get("slot", -1) >= slot:
        return []
    threshold, minute = threshold_of(session), now.timestamp() / 60
    lines = {line.queue_id: line for line in lines_now(session, now=now)}
    old = {int(queue): Rest(*rest) for queue, rest in before.get("rests", {}).items()}
    rests: dict[int, Rest] = {}
    crowded: list[int] = []
    for queue_id in sorted(lines.keys() | old.keys()):
        line = lines.get(queue_id)
        wait = line.wait_min if line else 0.0
        chance = chance_of(wait) if wait is not None else 0.0
        rest, raised = look_at(old.get(queue_id, Rest()), minute, chance, threshold)
        if minute - rest.high_at <= QUIET_MIN:
            rests[queue_id] = rest
        if raised:
            crowded.append(queue_id)
    _end(session, quiet=[queue_id for queue_id in old if queue_id not in rests], now=now)
    made = _warnings(session, [lines[queue_id] for queue_id in crowded], threshold, now)
    value = {
        "slot": slot,
        "rests": {str(queue): [rest.high_at, rest.running, rest.up] for queue, rest in rests.items()},
    }
    session.merge(Setting(key=LOOKS, value=value))
    if made:
        _tell(session, now)
    return made


def judge(session: Session, *, now: datetime) -> int:
    """Hold warnings of three hours ago or longer against what came; how many."""
    due = session.scalars(
        select(SiteWarning).where(
            SiteWarning.judged_at.is_(None), SiteWarning.raised_at <= now - JUDGED_AFTER
        )
    ).all()
    for one in due:
        one.came, one.came_wait_min = waited_after(session, one.queue_id, one.raised_at, now=now)
        one.judged_at = now
    return len(due)


def seen(session: Session, warning_id: int, *, actor: str, now: datetime) -> SiteWarning:
    """Note that a planner has seen it: it leaves the tray. Again changes nothing. Raises NotFound."""
    one = session.get(SiteWarning, warning_id)
    if one is None:
        raise NotFound("warning_not_found", "There is no such warning.", warning=warning_id)
    if one.seen_at is None:
        one.seen_at, one.seen_by = now, actor
        _tell(session, now)
    return one


def came_true(one: SiteWarning) -> bool | None:
    """Whether those who came later waited over 45 minutes on average; None while nobody knows."""
    return None if one.judged_at is None else (one.came_wait_min or 0.0) > LONG_MIN


def open_warnings(session: Session, *, now: datetime) -> list[SiteWarning]:
    """Today's warnings that have not ended, what would bring most first; those a planner has seen last."""
    found = session.scalars(
        select(SiteWarning).where(
            SiteWarning.ended_at.is_(None), SiteWarning.raised_at > now - timedelta(hours=12)
        )
    ).all()
    today = [one for one in found if local_day(one.raised_at) == local_day(now)]
    return sorted(today, key=lambda one: (one.seen_at is not None, -one.relief_hours, one.id))


def record(session: Session, *, now: datetime, days: int = 28) -> list[SiteWarning]:
    """Warnings of the last weeks, the newest first."""
    return list(
        session.scalars(
            select(SiteWarning)
            .where(SiteWarning.raised_at > now - timedelta(days=days))
            .order_by(SiteWarning.raised_at.desc(), SiteWarning.id)
        )
    )


def relieved_hours(
    waiting: float, arrivals: Sequence[float], desks: float, pace_s: float, *, extra: float, after_h: float
) -> float:
    """Person-hours of waiting that `extra` desks spare from `after_h` hours on. `arrivals`: people in each twelfth of
    an hour from now until closing; `pace_s`: desk-seconds a person."""

    def area(more: float) -> float:
        line, total = waiting, 0.0
        for step, people in enumerate(arrivals):
            working = desks + (more if step * STEP_H >= after_h else 0.0)
            line = max(0.0, line + people - working * STEP_H * 3600 / pace_s)
            total += line * STEP_H
        return total

    return area(0.0) - area(extra)


def _warnings(session: Session, lines: list[LineNow], threshold: float, now: datetime) -> list[SiteWarning]:
    if not lines:
        return []
    ids = [line.queue_id for line in lines]
    sites = _sites(session, ids, now)
    came = came_between(session, ids, since=now - HOUR, until=now)
    forecast = _forecast(session, ids, now)
    minute = local_minute(now)
    made = []
    for line in lines:
        if line.queue_id not in sites or line.wait_min is None:
            continue
        site_id, closes = sites[line.queue_id]
        hours = forecast.get(line.queue_id)
        usual = _between(hours, minute - 60, minute) if hours else None
        people = came.get(line.queue_id, 0)
        one = SiteWarning(
            queue_id=line.queue_id, site_id=site_id, raised_at=now, chance=chance_of(line.wait_min),
            threshold=threshold, waiting=line.waiting, desks=line.desks, pace_s=line.pace_s,
            wait_min=line.wait_min, came_hour=people, usual_hour=usual,
            relief_hours=relieved_hours(
                line.waiting, _coming(hours, usual, people, minute, closes), line.desks, line.pace_s,
                extra=VAN_DESKS, after_h=VAN_AFTER_H,
            ),
        )  # fmt: skip
        session.add(one)
        made.append(one)
    session.flush()
    return made


def _coming(
    hours: dict[int, float] | None, usual: float | None, people: int, minute: int, closes: int
) -> list[float]:
    """People in each twelfth of an hour from now until closing."""
    step = round(STEP_H * 60)
    if hours is None or usual is None:
        return [people / 12.0] * max(0, (closes - minute) // step)
    today = (people + SURE_OF_FORECAST) / (usual + SURE_OF_FORECAST)
    factor = min(MOST_TODAY, max(LEAST_TODAY, today))
    return [factor * _between(hours, at, at + step) for at in range(minute, closes - step + 1, step)]


def _between(hours: dict[int, float], since: int, until: int) -> float:
    """People forecast between two local minutes, an hour's spread evenly over it."""
    return sum(
        people * max(0, min(until, 60 * hour + 60) - max(since, 60 * hour)) / 60
        for hour, people in hours.items()
    )


def _forecast(session: Session, ids: list[int], now: datetime) -> dict[int, dict[int, float]]:
    f = ForecastHour
    found: dict[int, dict[int, float]] = {}
    for queue_id, hour, people in session.execute(
        select(f.queue_id, f.hour, f.arrivals).where(f.queue_id.in_(ids), f.day == local_day(now))
    ):
        found.setdefault(queue_id, {})[hour] = people
    return found


def _sites(session: Session, ids: list[int], now: datetime) -> dict[int, tuple[int, int]]:
    """Site and local closing minute of each line: a building's, or a van's visit of today."""
    fixed = select(SiteQueue.queue_id, Site.id, Site.close_minute).join(Site, Site.id == SiteQueue.site_id)
    found = {
        queue: (site, closes)
        for queue, site, closes in session.execute(fixed.where(SiteQueue.queue_id.in_(ids)))
    }
    visits = select(Visit.queue_id, Visit.site_id, Visit.closes_at).where(Visit.queue_id.in_(ids))
    for queue_id, site_id, closes_at in session.execute(visits.where(Visit.day == local_day(now))):
        found[queue_id] = (site_id, local_minute(closes_at))
    return found


def _end(session: Session, *, quiet: list[int], now: datetime) -> None:
    if quiet:
        over = select(SiteWarning).where(SiteWarning.queue_id.in_(quiet), SiteWarning.ended_at.is_(None))
        for one in session.scalars(over):
            one.ended_at = now
        session.flush()
        _tell(session, now)


def _tell(session: Session, now: datetime) -> None:
    """The week boards that are open show it: every published plan of this week is told."""
    number = session.scalar(
        select(func.count()).where(SiteWarning.ended_at.is_(None), SiteWarning.seen_at.is_(None))
    )
    today = local_day(now)
    plans = session.scalars(
        select(Plan).where(
            Plan.status == "published", Plan.week <= today, Plan.week > today - timedelta(days=7)
        )
    )
    for plan in plans:
        plan.seq += 1
        announce(session, f"plan:{plan.id}", plan.seq, "warnings", {"open": number}, now)
