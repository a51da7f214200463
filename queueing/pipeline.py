"""Many statements in one round trip to PostgreSQL.

`Pipe` is for a connection that runs batches and nothing else: statements go straight into libpq's pipeline
(`psycopg.pq`), each prepared once a connection, its numbers and times packed, because a cursor of the driver costs
more than most of the statements. `CursorPipe` is the same for the connection of a session, where the driver keeps its
own account of what is prepared.

    with pipe as ask:
        found = ask(STATEMENT, [1, 2, 3])
    found.rows()

A statement names its parameters with their types: `$1::int[]`. Rows come in the driver's types.
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from struct import Struct, pack
from types import TracebackType
from typing import Any

import psycopg
from psycopg import errors, pq
from psycopg.adapt import Transformer

_PARAMETER = re.compile(r"\$(\d+)::(\w+)(\[\])?")
_PLACE = re.compile(r"\$(\d+)")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST_DAY = date(2000, 1, 1).toordinal()
_SECOND, _MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)
_NONE = b"\xff\xff\xff\xff"
_TEXT, _BINARY = 0, 1


class Statement:
    """A statement with typed parameters, and how the values of each are packed."""

    __slots__ = ("formats", "kinds", "name", "packed", "raw", "text")
    _count = 0

    def __init__(self, text: str) -> None:
        types = {int(place): (kind, bool(array)) for place, kind, array in _PARAMETER.findall(text)}
        places = {int(place) for place in _PLACE.findall(text)}
        if places != set(types) or places != set(range(1, len(places) + 1)):
            raise ValueError(f"each parameter needs its type where it stands first: {text}")
        Statement._count += 1
        self.text = text
        self.raw = text.encode()
        self.name = b"queueing_%d" % Statement._count
        self.kinds = [types[place] for place in sorted(types)]
        self.packed = [_array(kind) if array else _single(kind) for kind, array in self.kinds]
        self.formats = [_TEXT if kind == "text" else _BINARY for kind, _array in self.kinds]


class Answer:
    """The rows of one statement, once the trip is over."""

    __slots__ = ("_loaders", "result")

    def __init__(self, loaders: Any) -> None:
        self._loaders = loaders
        self.result: Any = None

    def rows(self) -> list[Any]:
        """All rows, as tuples."""
        count = self.result.ntuples
        if not count:
            return []
        self._loaders.set_pgresult(self.result)
        return self._loaders.load_rows(0, count, tuple)  # type: ignore[no-any-return]


class Pipe:
    """Round trips on a psycopg connection that nothing else uses meanwhile. The transaction begins with the first."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._driver = connection.pgconn
        self._loaders = Transformer(connection)
        self._prepared: set[bytes] = set()
        self._asked: list[tuple[bytes, Answer | None]] = []
        """What answers are due, in their order: (a statement that is being prepared or nothing, whose rows)."""
        self._ready = select.poll()
        self._ready.register(self._driver.socket, select.POLLIN)

    def __enter__(self) -> Callable[..., Answer]:
        self._asked = []
        begins = self._driver.transaction_status == pq.TransactionStatus.IDLE
        self._driver.enter_pipeline_mode()
        if begins:
            self._send(_BEGIN, ())
        return self._ask

    def commit(self) -> None:
        """Within a trip: the transaction ends with it."""
        self._send(_COMMIT, ())

    def rollback(self) -> None:
        """Outside a trip: nothing of the transaction remains. Raises psycopg.Error on a connection that is beyond use.

        Not the driver's own: that also throws away what is prepared, ours included."""
        if self._driver.pipeline_status != pq.PipelineStatus.OFF:
            raise psycopg.OperationalError("a round trip was broken off")
        if self._driver.transaction_status == pq.TransactionStatus.IDLE:
            return
        self._asked = []
        self._driver.enter_pipeline_mode()
        self._send(_ROLLBACK, ())
        failed = self._finish()
        if failed is not None:
            raise failed

    def _ask(self, statement: Statement, *values: Any) -> Answer:
        packed = [one(value) for one, value in zip(statement.packed, values, strict=True)]
        return self._send(statement, packed)

    def _send(self, statement: Statement, packed: Sequence[bytes | None]) -> Answer:
        driver, name = self._driver, statement.name
        if name not in self._prepared:
            driver.send_prepare(name, statement.raw)
            self._asked.append((name, None))
            self._prepared.add(name)
        driver.send_query_prepared(name, packed, statement.formats, result_format=_BINARY)
        answer = Answer(self._loaders)
        self._asked.append((b"", answer))
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed = self._finish()
        if kind is None and failed is not None:
            raise failed

    def _finish(self) -> psycopg.Error | None:
        """Send what is left, take in all answers; the first error, if one was refused."""
        driver = self._driver
        driver.pipeline_sync()
        while driver.flush():
            self._flush()
        failed: psycopg.Error | None = None
        for name, answer in self._asked:
            result = self._next()
            if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                self._prepared.discard(name)
                if failed is None:
                    failed = errors.error_from_result(result)
            elif answer is not None:
                answer.result = result
            self._next()  # nothing more of this statement
        self._next()  # the end of the trip
        driver.exit_pipeline_mode()
        return failed

    def _next(self) -> Any:
        driver = self._driver
        while driver.is_busy():
            self._ready.poll()
            driver.consume_input()
        return driver.get_result()

    def _flush(self) -> None:
        """The server must be able to get rid of its answers before it takes in more."""
        both = select.poll()
        both.register(self._driver.socket, select.POLLIN | select.POLLOUT)
        both.poll()
        self._driver.consume_input()


class CursorPipe:
    """The same trips on the connection of a session, in its transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._pipeline: Any = None

    def __enter__(self) -> Callable[..., Answer]:
        self._pipeline = self._connection.pipeline()
        self._pipeline.__enter__()
        return self._ask

    def commit(self) -> None:
        """Not here: the session commits."""
        raise NotImplementedError("a session ends its own transaction")

    def rollback(self) -> None:
        """Not here either."""
        raise NotImplementedError("a session ends its own transaction")

    def _ask(self, statement: Statement, *values: Any) -> Answer:
        cursor = psycopg.RawCursor(self._connection)
        cursor.execute(statement.text.encode(), [_literal(value) for value in values], prepare=True)
        return _CursorAnswer(cursor)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipeline.__exit__(kind, error, trace)


class _CursorAnswer(Answer):
    """The rows of a cursor."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def rows(self) -> list[Any]:
        return self._cursor.fetchall()  # type: ignore[no-any-return]


_BEGIN, _COMMIT, _ROLLBACK = Statement("BEGIN"), Statement("COMMIT"), Statement("ROLLBACK")

# How values go over the line: PostgreSQL's binary form of each type, and of one-dimensional arrays.


def _micros(value: datetime) -> int:
    since = value - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _days(value: date) -> int:
    return value.toordinal() - _FIRST_DAY


_NUMBERS: dict[str, tuple[int, str, Callable[[Any], Any] | None]] = {
    "bool": (16, "?", None),
    "int2": (21, "h", None),
    "int4": (23, "i", None),
    "int8": (20, "q", None),
    "float8": (701, "d", None),
    "date": (1082, "i", _days),
    "timestamptz": (1184, "q", _micros),
}
"""Type -> (oid, letter of `struct`, how the number is got from a value)."""
_JSON_OID = 114


@lru_cache(maxsize=1024)
def _row_of(letter: str, count: int) -> Struct:
    return Struct("!5i" + ("i" + letter) * count)


def _array(kind: str) -> Callable[[Sequence[Any]], bytes]:
    if kind == "text":
        return _texts
    if kind == "json":
        return _documents
    oid, letter, change = _NUMBERS[kind]
    size = Struct("!" + letter).size
    one = Struct("!i" + letter)

    def made(values: Sequence[Any]) -> bytes:
        count = len(values)
        if not count:
            return pack("!3i", 0, 0, oid)
        gone = values.count(None)
        if gone == count:
            return pack("!5i", 1, 1, oid, count, 1) + _NONE * count
        if gone:
            parts = [
                _NONE if value is None else one.pack(size, value if change is None else change(value))
                for value in values
            ]
            return pack("!5i", 1, 1, oid, count, 1) + b"".join(parts)
        flat: list[Any] = [size] * (2 * count)
        flat[1::2] = values if change is None else map(change, values)
        return _row_of(letter, count).pack(1, 0, oid, count, 1, *flat)

    return made


def _texts(values: Sequence[str | None]) -> bytes:
    """As text: texts need no packing, and joining them is one step."""
    if not values:
        return b"{}"
    try:
        joined = '","'.join(values)  # type: ignore[arg-type]
        plain = "\\" not in joined and joined.count('"') == 2 * (len(values) - 1)
    except TypeError:  # None among them
        plain = False
    return (f'{{"{joined}"}}' if plain else _literal(values)).encode()  # type: ignore[no-any-return]


def _documents(values: Sequence[str]) -> bytes:
    """JSON, packed: written as text every quotation mark in it would need its backslash."""
    count = len(values)
    parts = [pack("!5i", 1, 0, _JSON_OID, count, 1) if count else pack("!3i", 0, 0, _JSON_OID)]
    for value in values:
        raw = value.encode()
        parts += len(raw).to_bytes(4, "big"), raw
    return b"".join(parts)


def _single(kind: str) -> Callable[[Any], bytes | None]:
    if kind == "text":
        return lambda value: None if value is None else value.encode()
    _oid, letter, change = _NUMBERS[kind]
    one = Struct("!" + letter)
    return lambda value: None if value is None else one.pack(value if change is None else change(value))


# How the same values are written for a cursor.


def _literal(value: Any) -> Any:
    """An array as PostgreSQL writes it: the driver's own way of it, element by element, costs more than a verb."""
    if isinstance(value, (list, tuple)):
        return "{" + ",".join(map(_element, value)) + "}"
    return value


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, (int, float)):
        return str(value)
    return str(value.isoformat())
