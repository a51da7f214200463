"""Round trips straight through libpq: values come back as they went, whichever way they go; what is refused leaves the
connection fit for use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from queueing.pipeline import CursorPipe, Pipe, Statement
from tests.databases import Postgres

VALUES: list[tuple[str, list[Any]]] = [
    ("int2", [0, -7, None, 32_767]),
    ("int4", [1, 2, 3]),
    ("int8", [2**40, None, -(2**40)]),
    ("float8", [0.1, None, -1e300]),
    ("bool", [True, None, False]),
    ("date", [date(2026, 11, 22), date(1999, 12, 31), None]),
    ("timestamptz", [datetime(2026, 4, 24, 0, 0, 0, 1, UTC), datetime(1970, 1, 1, tzinfo=UTC), None]),
    ("text", ["", "طابور", 'a "quoted" \\ {word}, NULL', None, "NULL"]),
    ("text", []),
    ("json", ['{"note": "a \\"word\\", {x}"}', '{"of": "طابور"}']),
    ("json", []),
    ("int4", [None, None]),
]
_ARRAYS = {
    kind: Statement(f"SELECT v{'::text' * (kind == 'json')} FROM unnest($1::{kind}[]) v")
    for kind, _values in VALUES
}
_ONE = Statement("SELECT $1::text, $2::int4, $3::timestamptz")
_DIVIDE = Statement("SELECT 10 / $1::int4")
_PREPARED = Statement("SELECT count(*) FROM pg_prepared_statements")


@pytest.fixture
def connection(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own."""
    with psycopg.connect(postgres.url("postgres").replace("+psycopg", "")) as made:
        yield made


@pytest.mark.parametrize("kind", [Pipe, CursorPipe])
@pytest.mark.parametrize(("name", "values"), VALUES)
def test_arrays_come_back_as_they_went(
    connection: psycopg.Connection[Any], kind: Any, name: str, values: list[Any]
) -> None:
    """Every type, with nothing in between, nothing at all, and all that SQL or arrays write in a special way."""
    pipe = kind(connection)
    for _again in range(2):  # prepared, and used again
        with pipe as ask:
            found = ask(_ARRAYS[name], values)
        assert [row[0] for row in found.rows()] == values


@pytest.mark.parametrize("kind", [Pipe, CursorPipe])
def test_single_values_and_the_order_of_answers(connection: psycopg.Connection[Any], kind: Any) -> None:
    """Each statement of a trip has its own rows."""
    now = datetime(2026, 11, 22, 8, tzinfo=UTC)
    with kind(connection) as ask:
        answers = [ask(_ONE, f"n{n}", n, now) for n in range(40)]
    assert [one.rows() for one in answers] == [[(f"n{n}", n, now)] for n in range(40)]


def test_a_trip_larger_than_every_buffer_ends(connection: psycopg.Connection[Any]) -> None:
    """Megabytes out while megabytes come back: neither side waits for the other for ever."""
    big = ["x" * 1000] * 3000
    with Pipe(connection) as ask:
        answers = [ask(_ARRAYS["text"], big) for _ in range(8)]
    assert all(len(one.rows()) == 3000 for one in answers)


def test_what_is_refused_is_raised_and_the_connection_goes_on(
    connection: psycopg.Connection[Any],
) -> None:
    """The first error of a trip comes out; after a rollback everything works, with what was prepared before."""
    pipe = Pipe(connection)
    with pipe as ask:
        assert ask(_DIVIDE, 5) is not None
    with pytest.raises(psycopg.errors.DivisionByZero), pipe as ask:
        ask(_DIVIDE, 0)
        ask(_ARRAYS["int4"], [1])  # prepared behind the error: it was not
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    pipe.rollback()
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    with pipe as ask:
        divided, listed, prepared = ask(_DIVIDE, 2), ask(_ARRAYS["int4"], [1]), ask(_PREPARED)
    assert (divided.rows(), listed.rows()) == ([(5,)], [(1,)])
    assert prepared.rows()[0][0] >= 4


def test_a_value_that_cannot_be_packed_leaves_nothing_half_sent(
    connection: psycopg.Connection[Any],
) -> None:
    """A mistake of ours in the middle of a trip is raised as it is, and the next trip has its own answers."""
    pipe = Pipe(connection)
    with pytest.raises(AttributeError), pipe as ask:
        ask(_DIVIDE, 1)
        ask(_ARRAYS["text"], [b"bytes have no encode"])
    pipe.rollback()
    with pipe as ask:
        found = ask(_DIVIDE, 5)
    assert found.rows() == [(2,)]


def test_a_connection_that_is_gone_says_so(connection: psycopg.Connection[Any], postgres: Postgres) -> None:
    """The server ends it between two trips: the next one and the rollback raise the driver's error."""
    pipe = Pipe(connection)
    with pipe as ask:
        ask(_DIVIDE, 1)
    postgres.run(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
    with pytest.raises(psycopg.OperationalError), pipe as ask:
        ask(_DIVIDE, 1)
    with pytest.raises(psycopg.Error):
        pipe.rollback()


@pytest.mark.parametrize("text", ["SELECT $1", "SELECT $2::int4", "SELECT $1::int4, $3::int4"])
def test_a_parameter_needs_its_type(text: str) -> None:
    """What would be packed wrongly is refused where it is written."""
    with pytest.raises(ValueError, match="parameter"):
        Statement(text)
