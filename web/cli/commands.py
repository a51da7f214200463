"""The command groups, gathered."""

from __future__ import annotations

import click

from web.cli.network import network
from web.cli.repairs import plan
from web.cli.users import token, user
from web.cli.work import day, demo, jobs

groups: tuple[click.Command, ...] = (network, plan, user, token, jobs, day, demo)
