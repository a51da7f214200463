"""Pages of the clerk."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("clerk", __name__)
