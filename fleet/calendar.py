"""Days, weeks and hours in Egypt: working days, holidays, Ramadan, and local minutes against UTC. Pure.

Weeks start on Saturday. Fixed centers work Sunday to Thursday, mobile centers Saturday to Thursday. Holidays
come from PyPI `holidays` (EG), Ramadan from `hijridate` (Umm al-Qura); what the cabinet decrees or the moon
sighting moves stands in `network/data/decrees.csv`, which wins. `Calendar` is a value: tests and
installations make their own from their own rows.

Cairo's clock: on the last Friday of April 00:00 becomes 01:00, so that local midnight does not exist; on the
last Thursday of October 24:00 becomes 23:00, so that 23:00-23:59 happen twice.
"""

from __future__ import annotations

import csv
import enum
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import holidays
from hijridate import Hijri

from fleet.errors import Invalid

CAIRO = ZoneInfo("Africa/Cairo")
RAMADAN_HOURS = (9 * 60, 14 * 60)
"""State bodies' hours in Ramadan, minutes from local midnight (cabinet, 2024; decided anew each year)."""

MOBILE_WEEK = VAN_WEEK = "1111110"
FIXED_WEEK = "0111110"
"""Working days from Saturday to Friday, 1 = works, as in `Center.weekdays`."""


class DayClass(enum.StrEnum):
    """What kind of day it is for government offices."""

    ORDINARY = "ordinary"
    RAMADAN = "ramadan"
    HOLIDAY = "holiday"
    FRIDAY = "friday"
    SATURDAY = "saturday"


@dataclass(frozen=True)
class Holiday:
    """A day off, with its names and whether it is certain ('declared') or computed ('estimated')."""

    day: date
    name_ar: str
    name_en: str
    status: str


@dataclass(frozen=True)
class Decrees:
    """What was announced and overrides the packages: days off, days worked all the same, first and last days
    of Ramadan."""

    off: Mapping[date, Holiday] = field(default_factory=dict)
    worked: frozenset[date] = frozenset()
    ramadan_first: Mapping[int, date] = field(default_factory=dict)
    ramadan_last: Mapping[int, date] = field(default_factory=dict)

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, str]]) -> Decrees:
        """Rows with day, kind (off | worked | ramadan_first | ramadan_last), name_ar, name_en, status.

        Raises Invalid (code `decree_kind`) for another kind, so that a slip in the table is seen at start.
        """
        off: dict[date, Holiday] = {}
        worked: set[date] = set()
        first: dict[int, date] = {}
        last: dict[int, date] = {}
        for row in rows:
            day, kind = date.fromisoformat(row["day"]), row["kind"]
            if kind == "off":
                off[day] = Holiday(day, row["name_ar"], row["name_en"], row["status"])
            elif kind == "worked":
                worked.add(day)
            elif kind == "ramadan_first":
                first[day.year] = day
            elif kind == "ramadan_last":
                last[day.year] = day
            else:
                raise Invalid("decree_kind", f"A decree row has the unknown kind {kind!r}.", day=row["day"])
        return cls(off, frozenset(worked), first, last)


class Calendar:
    """Working days and hours under a set of decrees. Immutable; answers are cached per year."""

    def __init__(self, decrees: Decrees | None = None) -> None:
        self._decrees = decrees or Decrees()
        self._holidays: dict[int, dict[date, Holiday]] = {}
        self._ramadans: dict[int, tuple[tuple[date, date], ...]] = {}

    def holiday(self, day: date) -> Holiday | None:
        """The holiday on this day, or None; a day decreed as worked is none."""
        if day.year not in self._holidays:
            self._holidays[day.year] = self._load(day.year)
        return self._holidays[day.year].get(day)

    def is_ramadan(self, day: date) -> bool:
        """Whether the day lies in Ramadan (Umm al-Qura, moved by the decrees)."""
        if day.year not in self._ramadans:
            self._ramadans[day.year] = self._ramadans_of(day.year)
        return any(first <= day <= last for first, last in self._ramadans[day.year])

    def day_class(self, day: date) -> DayClass:
        """Holiday before weekend before Ramadan before ordinary."""
        if self.holiday(day) is not None:
            return DayClass.HOLIDAY
        if day.weekday() == 4:
            return DayClass.FRIDAY
        if day.weekday() == 5:
            return DayClass.SATURDAY
        return DayClass.RAMADAN if self.is_ramadan(day) else DayClass.ORDINARY

    def is_working_day(self, day: date, *, weekdays: str = FIXED_WEEK) -> bool:
        """Whether a center with these weekdays (Saturday to Friday, '1' works) works: its weekday, and no
        holiday."""
        return weekdays[weekday_index(day)] == "1" and self.holiday(day) is None

    def is_after_holiday(self, day: date) -> bool:
        """Whether offices (Sunday to Thursday) were closed by a holiday since their working day before: what was
        put off comes on such a day."""
        if not self.is_working_day(day):
            return False
        for back in range(1, 15):
            before = day - timedelta(days=back)
            if self.is_working_day(before):
                return False
            if FIXED_WEEK[weekday_index(before)] == "1":
                return True
        return False

    def hours(self, day: date, open_minute: int, close_minute: int) -> tuple[int, int]:
        """Opening hours of the day in minutes from local midnight: the usual ones, in Ramadan within
        09:00-14:00."""
        if not self.is_ramadan(day):
            return open_minute, close_minute
        return max(open_minute, RAMADAN_HOURS[0]), min(close_minute, RAMADAN_HOURS[1])

    def working_days(self, week: date, *, weekdays: str = MOBILE_WEEK) -> list[date]:
        """The days a center works in the week of this date."""
        return [day for day in week_days(week) if self.is_working_day(day, weekdays=weekdays)]

    def _load(self, year: int) -> dict[date, Holiday]:
        english = holidays.country_holidays("EG", years=year, language="en_US")
        arabic = holidays.country_holidays("EG", years=year, language="ar_EG")
        found = {
            day: Holiday(day, arabic.get(day, name), name, "estimated" if "estimated" in name else "computed")
            for day, name in english.items()
        }
        found.update({day: row for day, row in self._decrees.off.items() if day.year == year})
        return {day: row for day, row in found.items() if day not in self._decrees.worked}

    def _ramadans_of(self, year: int) -> tuple[tuple[date, date], ...]:
        # A Gregorian year touches up to three Hijri years; a Ramadan over New Year counts in both years.
        spans = []
        hijri = round((year - 622) * 33 / 32)
        for candidate in range(hijri - 1, hijri + 3):
            first = Hijri(candidate, 9, 1).to_gregorian()
            last = Hijri(candidate, 10, 1).to_gregorian() - timedelta(days=1)
            begin, end = date(first.year, first.month, first.day), date(last.year, last.month, last.day)
            begin = _near(self._decrees.ramadan_first.get(begin.year), begin)
            end = _near(self._decrees.ramadan_last.get(end.year), end)
            if year in (begin.year, end.year):
                spans.append((begin, end))
        return tuple(spans)


def _near(decreed: date | None, computed: date) -> date:
    """A sighting moves Ramadan by a day or two; a year with two Ramadans must not have one moved onto the
    other."""
    return decreed if decreed is not None and abs((decreed - computed).days) <= 3 else computed


@functools.cache
def default_calendar() -> Calendar:
    """The calendar under the decrees that come with the product (read once)."""
    text = resources.files("fleet").joinpath("network/data/decrees.csv").read_text(encoding="utf-8-sig")
    return Calendar(Decrees.from_rows(csv.DictReader(text.splitlines())))


@functools.cache
def _seasons() -> tuple[tuple[str, date, date], ...]:
    text = resources.files("fleet").joinpath("network/data/seasons.csv").read_text(encoding="utf-8-sig")
    return tuple(
        (row["season"], date.fromisoformat(row["first"]), date.fromisoformat(row["last"]))
        for row in csv.DictReader(text.splitlines())
    )


def in_season(season: str, day: date) -> bool:
    """Whether the day lies in a season of `network/data/seasons.csv` (school registration)."""
    return any(name == season and first <= day <= last for name, first, last in _seasons())


def week_of(day: date) -> date:
    """The Saturday that starts the week of this day."""
    return day - timedelta(days=weekday_index(day))


def week_days(week: date) -> list[date]:
    """The seven days of the week of this date, Saturday first."""
    start = week_of(week)
    return [start + timedelta(days=n) for n in range(7)]


def weekday_index(day: date) -> int:
    """0 for Saturday to 6 for Friday."""
    return (day.weekday() + 2) % 7


def is_working_day(day: date, *, weekdays: str = FIXED_WEEK) -> bool:
    """`Calendar.is_working_day` under the product's decrees."""
    return default_calendar().is_working_day(day, weekdays=weekdays)


def day_class(day: date) -> DayClass:
    """`Calendar.day_class` under the product's decrees."""
    return default_calendar().day_class(day)


def local_day(now: datetime, zone: ZoneInfo = CAIRO) -> date:
    """The local date of an aware instant."""
    return now.astimezone(zone).date()


def local_minute(now: datetime, zone: ZoneInfo = CAIRO) -> int:
    """Minutes on the local wall clock since midnight (0-1439)."""
    local = now.astimezone(zone)
    return local.hour * 60 + local.minute


def local_instant(day: date, minute: int, zone: ZoneInfo = CAIRO) -> datetime:
    """The UTC instant when the wall clock of `day` shows `minute` minutes after midnight (1440 and more:
    later days).

    A repeated minute means its first time. A minute that the clock skips means the instant of the jump:
    00:00 to 00:59 on 24 April 2026 in Cairo are all 23 April 22:00 UTC, when the clock shows 01:00. Never
    decreasing in `minute` otherwise.
    """
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    later = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    low, high = sorted((instant, later))
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
