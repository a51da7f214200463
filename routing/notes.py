"""Reading JSON values that may be anything: small readers that note each fault by its path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

FORMAT = "fleet-problem/1"
FORMAT_2 = "fleet-problem/2"
MOST_MINUTES = 10**6
MOST_COUNT = 10**6
MOST_WORTH = 10**9
MOST_PERCENT = 10**4
FARTHEST_KM = 20016  # half way round the format's sphere
MISSING = object()


def is_whole(value: object) -> bool:
    """Say whether `value` is a whole number (JSON's true and false are none)."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value: object) -> bool:
    """Say whether `value` is a non-empty text that UTF-8 can write (JSON can hold half a surrogate pair)."""
    if not isinstance(value, str) or not value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def show(value: object) -> str:
    """Return `value` for a message: short, whatever it is."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deep; a whole number of more digits than Python prints
        return f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


class Notes:
    """Faults found so far, and what the sections read before say: the days, and the ids that are known."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.days: list[date | None] = []
        self.indices: frozenset[str] = frozenset()
        self.places: set[str] = set()
        self.centers: dict[str, Mapping[str, Any]] = {}
        self.sites: dict[str, Mapping[str, Any]] = {}

    def say(self, path: str, what: str) -> None:
        self.faults.append(f"{path}: {what}")

    def items(
        self, data: Mapping[str, Any], key: str, *, optional: bool = False, quiet: bool = False
    ) -> list[Any]:
        value = data.get(key, MISSING)
        if value is MISSING and optional:
            return []
        if not isinstance(value, list | tuple):
            if not quiet:
                self.say(key, "is missing" if value is MISSING else "must be a list")
            return []
        return list(value)

    def objects(
        self, data: Mapping[str, Any], key: str, *, optional: bool = False
    ) -> Iterable[tuple[str, Mapping[str, Any]]]:
        for i, item in enumerate(self.items(data, key, optional=optional)):
            if isinstance(item, Mapping):
                yield f"{key}[{i}]", item
            else:
                self.say(f"{key}[{i}]", "must be an object")

    def text(self, path: str, item: Mapping[str, Any], key: str) -> str | None:
        value = item.get(key, MISSING)
        if is_text(value):
            return value  # type: ignore[no-any-return]
        self.say(f"{path}.{key}", "is missing" if value is MISSING else "must be a non-empty text")
        return None

    def label(self, path: str, value: object) -> None:
        if value != "" and not is_text(value):
            self.say(path, "must be a text")

    def whole(
        self, path: str, value: object, *, least: int | None = None, most: int = MOST_COUNT
    ) -> int | None:
        if value is MISSING:
            self.say(path, "is missing")
        elif not is_whole(value):
            self.say(path, "must be a whole number")
        elif least is not None and value < least:  # type: ignore[operator]
            names = {0: "must not be negative", 1: "must be positive"}
            self.say(path, names.get(least, f"must be at least {least}"))
        elif value > most:  # type: ignore[operator]
            self.say(path, f"must be at most {most}")
        else:
            return value  # type: ignore[return-value]
        return None

    def window(self, path: str, value: object) -> tuple[int, int] | None:
        if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(is_whole, value)):
            self.say(path, "must be [start, end] in whole minutes")
            return None
        if value[0] < 0:
            self.say(path, "must not start before midnight")
        elif value[1] > MOST_MINUTES:
            self.say(path, f"must end by minute {MOST_MINUTES}")
        elif value[0] >= value[1]:
            self.say(path, f"must start before it ends, is {show(list(value))}")
        else:
            return value[0], value[1]
        return None

    def day(self, path: str, day: object) -> None:
        if not is_whole(day):
            self.say(path, "must be a day index")
        elif not 0 <= day < len(self.days):  # type: ignore[operator]
            self.say(path, f"no such day {show(day)}, there are {len(self.days)}")
