"""`flask --app wsgi ...`: one module per group of commands."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the command groups."""
    from web.cli import commands

    for group in commands.groups:
        app.cli.add_command(group)
