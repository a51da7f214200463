"""The command groups, gathered."""

from __future__ import annotations

import click

from web.cli.checks import check
from web.cli.evaluate import evaluate
from web.cli.network import network
from web.cli.plans import plan
from web.cli.repairs import repair
from web.cli.scenarios import scenario
from web.cli.simulate import simulate
from web.cli.users import token, user
from web.cli.work import day, demo, jobs
from web.van.cli import van

plan.add_command(repair)
plan.add_command(scenario)

groups: tuple[click.Command, ...] = (
    network,
    plan,
    user,
    token,
    jobs,
    day,
    demo,
    check,
    van,
    evaluate,
    simulate,
)
