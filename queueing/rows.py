"""Rows without an ORM: light objects with the columns of the tables as attributes, and how they go to and come from the
drivers of both databases.

A `TicketRow` has all that `queueing.store.Ticket` has, costs a microsecond to make, and goes through the same rules
(`queueing.ticket.move`). Columns are taken from the tables, so a new one is there without a word here. What is done
with every column of every row is written out once, as functions without a loop (`_function`): they are a third of the
price.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, cast

from sqlalchemy import JSON, Date, Table

from queueing.store import (
    EPOCH,
    Desk,
    Outbox,
    Queue,
    QueueDay,
    Ticket,
    TicketEvent,
    UtcDateTime,
    to_micros,
)


def _function(head: str, lines: Sequence[str], **known: Any) -> Any:
    """A function made of lines; `known`: names that they use."""
    made: dict[str, Any] = {}
    exec("\n    ".join((f"def {head}:", *lines)), known, made)  # out of names of columns only
    return next(iter(made.values()))


class Row:
    """An object with the columns of a table as attributes; those not given are None."""

    __slots__: tuple[str, ...] = ()

    if TYPE_CHECKING:

        def __init__(self, **columns: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

        def copy(self: Self) -> Self:
            """The row as it is now."""

    def __init_subclass__(cls) -> None:
        names = cls.__slots__
        given = ", ".join(f"{name}=None" for name in names)
        set_all = [f"self.{name} = {name}" for name in names]
        cls.__init__ = _function(f"__init__(self, *, {given})", set_all)  # type: ignore[method-assign]
        copied = ["made = new(cls)", *(f"made.{name} = self.{name}" for name in names), "return made"]
        cls.copy = _function("copy(self)", copied, new=cls.__new__, cls=cls)  # type: ignore[method-assign]

    def __repr__(self) -> str:
        # Few columns on purpose: a telephone number has no place in a log.
        shown = [
            f"{name}={getattr(self, name, None)!r}"
            for name in ("id", "state", "label", "action")
            if name in self.__slots__
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def names_of(model: Any) -> tuple[str, ...]:
    """The columns of a table, in its order."""
    return tuple(column.name for column in cast(Table, model.__table__).columns)


def defaults(model: Any) -> dict[str, Any]:
    """What each column of a new row holds when nothing is said."""
    columns = cast(Table, model.__table__).columns
    return {
        c.name: c.default.arg if c.default is not None and c.default.is_scalar else None  # type: ignore[attr-defined]
        for c in columns
    }


class QueueRow(Row):
    """A queue's row as locked."""

    __slots__ = names_of(Queue)


class TicketRow(Row):
    """A ticket."""

    __slots__ = names_of(Ticket)


class EventRow(Row):
    """An event of a ticket."""

    __slots__ = names_of(TicketEvent)


class CounterRow(Row):
    """Where the numbers of a queue's day come from."""

    __slots__ = names_of(QueueDay)


class OutboxRow(Row):
    """What screens must hear."""

    __slots__ = names_of(Outbox)


class DeskRow(Row):
    """A desk, the services it is limited to (None: all), and the id of the ticket it has open."""

    __slots__ = (*names_of(Desk), "services", "open_id")


class Codec:
    """How the rows of one table go to and come from one driver (`sqlite` or `postgresql`)."""

    def __init__(self, kind: type[Row], model: Any, dialect: str) -> None:
        table = cast(Table, model.__table__)
        self.kind, self.table = kind, table.name
        self.names = names_of(model)
        self.columns = ", ".join(self.names)
        self._columns = table.columns
        into: dict[str, Callable[[Any], Any]] = {
            name: made
            for name in self.names
            if (made := _to_driver(table.columns[name].type, dialect)) is not None
        }
        self._into = into
        known: dict[str, Any] = {"new": kind.__new__, "kind": kind}
        lines = ["row = new(kind)"]
        for place, name in enumerate(self.names):
            change = _from_driver(table.columns[name].type, dialect)
            value = f"values[{place}]"
            if change is not None:
                known[f"to_{name}"] = change
                value = f"None if {value} is None else to_{name}({value})"
            lines.append(f"row.{name} = {value}")
        self.read: Callable[[Sequence[Any]], Any] = _function("read(values)", [*lines, "return row"], **known)
        """The row that came from the driver (columns in the table's order; more behind them is left)."""
        self.all = self.values(self.names)

    def under(self, alias: str) -> str:
        """The columns for a SELECT from `alias`."""
        return ", ".join(f"{alias}.{name}" for name in self.names)

    def types(self, names: Sequence[str]) -> list[Any]:
        """The types of these columns."""
        return [self._columns[name].type for name in names]

    def values(self, names: Sequence[str]) -> Callable[[Row], list[Any]]:
        """What gives the driver's values of these columns of a row."""
        known = {f"to_{name}": self._into[name] for name in names if name in self._into}
        found = ", ".join(
            f"None if row.{name} is None else to_{name}(row.{name})" if name in self._into else f"row.{name}"
            for name in names
        )
        return cast(Callable[[Row], list[Any]], _function("values(row)", [f"return [{found}]"], **known))


def _from_driver(kind: Any, dialect: str) -> Callable[[Any], Any] | None:
    if isinstance(kind, UtcDateTime):
        return from_micros if dialect == "sqlite" else _utc
    if dialect == "sqlite":
        if isinstance(kind, Date):
            return date.fromisoformat
        if isinstance(kind, JSON):
            return json.loads
    return None


def _to_driver(kind: Any, dialect: str) -> Callable[[Any], Any] | None:
    if isinstance(kind, JSON) and dialect != "sqlite":  # there rows are written as JSON anyway
        return json.dumps
    if dialect == "sqlite":
        if isinstance(kind, UtcDateTime):
            return to_micros
        if isinstance(kind, Date):
            return date.isoformat
    return None


def from_micros(value: int) -> datetime:
    """The instant of whole microseconds since 1970."""
    return EPOCH + timedelta(microseconds=value)


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)
