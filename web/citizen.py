"""Pages of the citizen."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("citizen", __name__)
