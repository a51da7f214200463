"""How gunicorn serves the product: `gunicorn -c python:web.serve wsgi:app`.

Embedded default: one process on SQLite, gevent, so that a live screen costs some kilobytes and no thread; SQLite's one
writer has a native thread of its own (web/batching.py). With PostgreSQL and Redis: WORKERS processes, each its own
Socket.IO server over websockets only, so no sticky sessions are needed. Decision 20 has the figures.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

workers = int(os.environ.get("WORKERS", "1"))
worker_class = os.environ.get("WORKER_CLASS") or ("gevent" if find_spec("gevent") else "gthread")
threads = int(os.environ.get("THREADS", "128"))
"""With WORKER_CLASS=gthread: a live screen holds two threads for as long as it is open."""
worker_connections = int(os.environ.get("CONNECTIONS", "12000"))
"""With gevent: connections of a process at a time, live screens included."""
SWITCH_S = 0.001
"""How long a thread that has come back from the database waits for the interpreter at most while others compute. It
wants it for microseconds; Python's 5 ms were most of a batch."""
GARBAGE = 5_000
"""New objects after which the collector looks at them. Python's 700 is less than one batch keeps until its answers."""
backlog = 4096
bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
timeout = 60
graceful_timeout = 3
keepalive = 15
control_socket_disable = True
"""Several processes of one account would share its one file; systemd and signals do what it does."""
loglevel = os.environ.get("LOG_LEVEL", "warning")


def on_starting(server: Any) -> None:
    """Refuse what cannot work before anything starts; allow as many connections as the system lets us have."""
    if workers > 1 and not (
        os.environ.get("DATABASE_URL", "").startswith("postgres") and os.environ.get("REDIS_URL")
    ):
        raise SystemExit(
            "WORKERS above 1 needs DATABASE_URL (PostgreSQL) and REDIS_URL: SQLite serves one process"
        )
    if worker_class not in ("gevent", "gthread"):
        raise SystemExit(f"WORKER_CLASS must be gevent or gthread, it is {worker_class!r}")
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def post_worker_init(worker: Any) -> None:
    """Start what runs beside requests: the relay of committed changes, the scheduler, a van's sync."""
    from queueing.waits import compiled
    from web import jobs
    from web.checkpoints import Checkpoints
    from web.van import loop

    app = worker.app.wsgi()
    compiled.warm()  # the first page that tells a wait should not stop all others for half a second
    sys.setswitchinterval(SWITCH_S)
    # What the start has made stays for good: the collector need not go through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    if worker.cfg.worker_class_str == "gevent":
        # Not before the lane: who takes a ticket waits for the commit, and others have their turn then.
        lane = app.extensions["lane"]
        lane.inner = fair(lane.inner)
        if worker.cfg.keepalive and not worker.cfg.max_requests and not worker.log.access_log_enabled:
            worker.handle_request = short_way(worker, lane.whole)
    writer = app.extensions["writer"]
    worker.checkpoints = Checkpoints(writer.engine, writer.turn)
    worker.checkpoints.start()
    writer.keep_tokens()
    app.extensions["relay"].start()
    worker.scheduler = jobs.start(app)
    worker.van = loop.start(app)


def fair(application: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Let every other connection have its turn before each request.

    A busy gevent worker goes on with the connections it has, whose next requests are there already; those that have
    just come waited 1.2 s (p99) and wait 85 ms with this.
    """
    import gevent

    def turn(environ: Any, start_response: Any) -> Any:
        gevent.sleep(0)
        return application(environ, start_response)

    return turn


def short_way(worker: Any, whole: Callable[[Any], bytes | None]) -> Callable[..., Any]:
    """`worker.handle_request` of gunicorn's, but what `whole` gives all bytes of an answer for goes out as it is: no
    environment of WSGI's is made for it and no answer of WSGI's taken apart, which costs as much as the ticket.
    Everything else, and all while the worker is ending, goes the usual way."""
    from gevent import GreenletExit

    usual = worker.handle_request

    def handle(listener: Any, request: Any, connection: Any, address: Any) -> Any:
        try:
            answer = whole(request) if worker.alive else None
        except GreenletExit:  # the worker has waited long enough for those who were under way
            raise StopIteration from None
        if answer is None:
            return usual(listener, request, connection, address)
        connection.sendall(answer)
        return True

    return handle


def worker_exit(server: Any, worker: Any) -> None:
    """End the scheduler's child processes with the worker, and what listens to Redis."""
    checkpoints = getattr(worker, "checkpoints", None)
    if checkpoints is not None:
        checkpoints.stop()
    van = getattr(worker, "van", None)
    if van is not None:
        van.stop()
    scheduler = getattr(worker, "scheduler", None)
    if scheduler is not None:
        scheduler.stop()
