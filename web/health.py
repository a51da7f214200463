"""Is it alive, is it ready, and what does it count: for monitors, not for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from fleet.store import Center, Plan, Visit
from queueing.statistics_check import last_check
from queueing.store import Outbox, Queue, Ticket
from web import clock
from web.bell import SLOW_S
from web.db import database_ready, read
from web.errors import RETRY_AFTER_S
from web.live import Relay
from web.printing.store import PrintJob

blueprint = Blueprint("health", __name__)
COUNTS = {
    "clients": "connected",
    "behind": "that have a backlog",
    "bytes": "bytes that wait for slow ones",
    "delivered": "messages handed on since the start",
    "fast": "1 when messages are written straight to them",
}
SLOW = f"live line slow: Redis does not answer, screens of other processes hear of a change within about {SLOW_S:g} s"


@blueprint.get("/health/live")
def live() -> Any:
    """The process answers."""
    return jsonify(status="live")


@blueprint.get("/health/ready")
def ready() -> Any:
    """The database answers, its schema is there, and a network has been loaded."""
    if not database_ready():
        why = "the database does not answer or has no schema"
        return jsonify(status="not ready", why=why), 503, {"Retry-After": str(RETRY_AFTER_S)}
    if read().scalar(sa.select(Center.id).limit(1)) is None:
        return jsonify(status="not ready", why="no network is loaded"), 503
    relay: Relay = current_app.extensions["relay"]
    words = SLOW if relay.bell.slow else "changes reach all screens at once"
    return jsonify(
        status="ready",
        time=clock.now().isoformat(),
        live={"line": "slow" if relay.bell.slow else "fast", "why": words},
    )


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus text: gauges read from the database at the time of the request."""
    registry = CollectorRegistry()

    def gauge(name: str, words: str, value: float) -> None:
        Gauge(name, words, registry=registry).set(value)

    session = read()
    rows = session.execute(
        sa.select(Ticket.state, sa.func.count())
        .where(Ticket.state.in_(("booked", "waiting", "called", "serving", "parked", "missed")))
        .group_by(Ticket.state)
    )
    states = {row[0]: row[1] for row in rows}
    by_state = Gauge("tickets_live", "tickets that are not finished, by state", ["state"], registry=registry)
    for state in ("booked", "waiting", "called", "serving", "parked", "missed"):
        by_state.labels(state).set(states.get(state, 0))
    gauge(
        "queues_open",
        "queues that issue tickets",
        session.scalar(sa.select(sa.func.count()).where(Queue.state == "open")) or 0,
    )
    gauge(
        "visits_open",
        "visits of mobile centers that are open",
        session.scalar(sa.select(sa.func.count()).where(Visit.status == "open")) or 0,
    )
    gauge(
        "centers_silent",
        "mobile centers not heard from in time",
        session.scalar(sa.select(sa.func.count()).where(Center.silent)) or 0,
    )
    gauge(
        "plans_solving",
        "plans being drafted",
        session.scalar(sa.select(sa.func.count()).where(Plan.status == "solving")) or 0,
    )
    gauge(
        "outbox_newest_id",
        "newest change announced to screens",
        session.scalar(sa.select(sa.func.max(Outbox.id))) or 0,
    )
    relay: Relay = current_app.extensions["relay"]
    gauge("live_slow", "1 while Redis is configured and gone", float(relay.bell.slow))
    gauge("relay_failures", "rounds of the relay that failed one after the other", relay.failures)
    for name, value in relay.sender.counts().items():
        gauge(f"live_{name}", f"live screens of this process: {COUNTS[name]}", value)
    check = last_check(session)
    gauge(
        "statistics_wrong",
        "figures of the last day checked that its events contradict",
        check.wrong if check else 0,
    )
    gauge(
        "slips_unprinted",
        "slips of the last hour that are not, or not surely, on paper",
        session.scalar(
            sa.select(sa.func.count()).where(
                PrintJob.made_at > clock.now() - timedelta(hours=1), PrintJob.state.in_(("failed", "unsure"))
            )
        )
        or 0,
    )
    gauge("product_time_seconds", "the product's clock, seconds since 1970", clock.now().timestamp())
    gauge("demo", "1 in the demonstration", float(current_app.extensions["settings"].demo))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
