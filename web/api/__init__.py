"""The JSON API under /api/v1 and its OpenAPI document."""

from __future__ import annotations

from flask import Blueprint

blueprints: tuple[Blueprint, ...] = ()
