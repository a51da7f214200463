"""The heavy scheduled work: measures, forecasts, values, the weekly draft. Runs in a child process."""

from __future__ import annotations

import logging

LOG = logging.getLogger(__name__)
