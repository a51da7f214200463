"""The command groups, gathered."""

from __future__ import annotations

import click

groups: tuple[click.Command, ...] = ()
