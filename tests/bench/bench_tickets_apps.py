"""The two applications that ours is measured beside, on the same server: a bare echo (what serving costs at all) and
the control, which numbers tickets as systems in production do: count what is there, add one, insert.

    gunicorn ... "tests.bench.bench_tickets_apps:echo()"        "tests.bench.bench_tickets_apps:control()"
"""

from __future__ import annotations

import os
from typing import Any

import sqlalchemy as sa
from flask import Flask, jsonify, request

from queueing.engine import make_engine

CONTROL = "control_ticket"


def echo() -> Flask:
    """Answers with the JSON it was sent: nothing that a Flask service does can cost less."""
    app = Flask("echo")

    @app.post("/api/v1/<path:_anything>")
    def back(_anything: str) -> Any:
        return jsonify(request.get_json())

    return app


def control() -> Flask:
    """COUNT + 1: reads how many tickets the queue has, then inserts the next number. Two at once read the same."""
    app = Flask("control")
    engine = make_engine(os.environ["DATABASE_URL"])
    # What such systems run on: each request in a transaction of its own, nothing that keeps readers apart.
    count = sa.text(f"SELECT count(*) FROM {CONTROL} WHERE queue_id = :queue")
    insert = sa.text(f"INSERT INTO {CONTROL} (queue_id, number) VALUES (:queue, :number)")

    @app.post("/api/v1/queues/<int:queue>/tickets")
    def issue(queue: int) -> Any:
        with engine.connect() as connection:
            number = (connection.scalar(count, {"queue": queue}) or 0) + 1
            connection.rollback()
            connection.execute(insert, {"queue": queue, "number": number})
            connection.commit()
        return jsonify({"queue": queue, "number": number}), 201

    return app


def make_control_table(engine: sa.Engine) -> None:
    """Make the control's own table, empty."""
    kind = "INTEGER PRIMARY KEY" if engine.dialect.name == "sqlite" else "BIGSERIAL PRIMARY KEY"
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE IF EXISTS {CONTROL}"))
        connection.execute(
            sa.text(f"CREATE TABLE {CONTROL} (id {kind}, queue_id INTEGER NOT NULL, number INTEGER NOT NULL)")
        )
        connection.execute(sa.text(f"CREATE INDEX ix_control_queue ON {CONTROL} (queue_id)"))
