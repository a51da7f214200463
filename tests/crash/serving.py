"""The product as it is served, which can be killed: gunicorn with its workers in a session of their own."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.bench_tickets_world import ROOT, free_port

START_S = 300.0


def quiet_port() -> int:
    """A free port that stays ours while nobody listens on it: below those that outgoing connections are given."""
    lowest = 32_768
    with contextlib.suppress(OSError, ValueError):
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.SystemRandom().sample(range(10_000, max(10_100, lowest)), 50):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    return free_port()


class Server:
    """gunicorn over one database, always on the same port."""

    def __init__(
        self, url: str, folder: Path, *, workers: int = 1, env: Mapping[str, str] | None = None
    ) -> None:
        self.port = quiet_port()
        self._env = {
            **os.environ,
            "PORT": str(self.port),
            "WORKERS": str(workers),
            "SCHEDULER": "0",
            "DEMO": "0",
            "DATABASE_URL": url,
            "DATA_DIR": str(folder),
            "REDIS_URL": "",
            **(env or {}),
        }
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the server
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._launch()
        self.wait_until_ready()

    def _launch(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "-c", "python:web.serve", "wsgi:app"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=self._env, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def wait_until_ready(self) -> None:
        """Wait until it answers; its words when it does not."""
        deadline = time.monotonic() + START_S
        while not self.answers():
            assert self._process is not None
            if self._process.poll() is not None and time.monotonic() < deadline and self._lost_its_port():
                self._launch()
            elif self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{self.words()}")
            time.sleep(0.05)

    def _lost_its_port(self) -> bool:
        """While it was down another program took its port; it may let it go again."""
        return "Connection in use" in self.words()[-1000:]

    def answers(self) -> bool:
        """Whether a request is answered now."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("GET", "/health/live")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def kill(self) -> None:
        """End the master and every worker at once with SIGKILL: nobody cleans up."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)

    def kill_a_worker(self, which: int) -> None:
        """End one worker with SIGKILL; the master starts another."""
        assert self._process is not None
        mine = children(self._process.pid)
        os.kill(mine[which % len(mine)], signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()

    def words(self) -> str:
        """The end of what it wrote."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-3000:]


def children(parent: int) -> list[int]:
    """Process ids whose parent this is."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return sorted(found)
