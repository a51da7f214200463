"""How gunicorn serves the product: `gunicorn -c python:web.serve wsgi:app`.

Embedded default: one process, threads, SQLite. With PostgreSQL and Redis: WORKERS processes, each its own Socket.IO
server, held together by Redis (websocket only, so no sticky sessions are needed).
"""

from __future__ import annotations

import os
from typing import Any

workers = int(os.environ.get("WORKERS", "1"))
worker_class = os.environ.get("WORKER_CLASS", "gthread")
threads = int(os.environ.get("THREADS", "128"))
"""A live screen holds a thread for as long as it is open."""
bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
timeout = 60
graceful_timeout = 3
keepalive = 15
loglevel = os.environ.get("LOG_LEVEL", "warning")


def on_starting(server: Any) -> None:
    """Refuse what cannot work before anything starts."""
    if workers > 1 and not (
        os.environ.get("DATABASE_URL", "").startswith("postgres") and os.environ.get("REDIS_URL")
    ):
        raise SystemExit(
            "WORKERS above 1 needs DATABASE_URL (PostgreSQL) and REDIS_URL: SQLite serves one process"
        )


def post_worker_init(worker: Any) -> None:
    """Start what runs beside requests: the relay of committed changes and the scheduler."""
    from web import jobs
    from web.van import loop

    app = worker.app.wsgi()
    app.extensions["relay"].start()
    worker.scheduler = jobs.start(app)
    worker.van = loop.start(app)


def worker_exit(server: Any, worker: Any) -> None:
    """End the scheduler's child processes with the worker."""
    van = getattr(worker, "van", None)
    if van is not None:
        van.stop()
    scheduler = getattr(worker, "scheduler", None)
    if scheduler is not None:
        scheduler.stop()
