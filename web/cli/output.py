"""How commands answer: a plain sentence, or JSON with --json; wrong input is one sentence and exit code 1."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import click
from sqlalchemy.exc import OperationalError, ProgrammingError

from fleet.errors import FleetError
from queueing.errors import QueueingError
from routing.errors import RoutingError
from web.accounts import AccountError
from web.settings import SettingsError

P = ParamSpec("P")
R = TypeVar("R")

ID = click.IntRange(1, 2**31 - 1)
"""An id on the command line: what no id can be is refused in a sentence."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")


def say(made: dict[str, Any], words: str, as_json: bool) -> None:
    """Print `made` as JSON, or `words` for a person."""
    click.echo(json.dumps(made, ensure_ascii=False, default=str) if as_json else words)


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the product's own errors into one plain sentence and exit code 1."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (FleetError, QueueingError, RoutingError, AccountError, SettingsError) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:  # a file that cannot be read or written
            raise click.ClickException(f"{error.filename or 'file'}: {error.strerror or error}") from error
        except (OperationalError, ProgrammingError) as error:
            said = f"the database does not answer or has no schema (flask db upgrade makes it): {error.orig}"
            raise click.ClickException(said) from error

    return guarded
