"""Pages of the board."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("board", __name__)
