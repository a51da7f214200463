"""A week as files for people: Excel workbooks and Arabic PDF pages, drawn in a process of their own.

What they say is put together by the page that offers them (web/planner/exporting.py), in the page's language; here it
is only drawn. Drawing a country's week takes seconds of computing, which the process that serves live screens has not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Literal

PATIENCE_S = 240
"""After this long something is wrong: a country's week takes some seconds, more beside a search for a plan."""


class ExportFailed(RuntimeError):
    """The drawing process ended without a file; the message is its last words, for the log."""


def draw(kind: Literal["xlsx", "pdf"], content: Mapping[str, Any]) -> bytes:
    """Return the file that `content` describes (sheets.Workbook or pages.Paper as a mapping). Raises ExportFailed."""
    command = [sys.executable, "-m", "web.exports", kind]
    try:
        done = subprocess.run(
            command, input=json.dumps(content).encode(), capture_output=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise ExportFailed(f"{kind} took longer than {PATIENCE_S} s") from late
    if done.returncode:
        raise ExportFailed(done.stderr.decode(errors="replace")[-2000:])
    return done.stdout
