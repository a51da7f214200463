"""A copied problem while changes are made to it, and how a change names part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.planning.scenarios.book import Book
from fleet.planning.scenarios.kinds import refuse

Change = Mapping[str, Any]


@dataclass(slots=True)
class Work:
    """The copy under change. `factor` and `extra` gather supposed demand by site and day: values follow from
    all of it at once, when every change is made."""

    problem: dict[str, Any]
    book: Book
    overdue: Mapping[int, Mapping[str, tuple[int, int]]]
    """For each limit of weeks that a change asks for: (visits due, penalty of each) by district's code."""
    number: int = 0
    """Of the change in hand, from 1."""
    factor: dict[str, list[float]] = field(default_factory=dict)
    extra: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def on(
        cls, problem: Mapping[str, Any], book: Book, overdue: Mapping[int, Mapping[str, tuple[int, int]]]
    ) -> Work:
        """Begin on a copy of `problem`; what the changes never touch is shared, not copied."""
        own = dict(problem)
        for part in ("places", "centers", "groups", "pinned"):
            own[part] = [dict(item) for item in problem.get(part, ())]
        own["sites"] = [dict(item) for item in problem["sites"]]
        own["travel"] = dict(
            problem["travel"]
        )  # a country's table is millions of numbers: replaced, never altered
        return cls(own, book, overdue)

    def centers(self, change: Change, *, name: str = "centers") -> list[dict[str, Any]]:
        """Return the centers that the change names: by code, else those of a governorate, else all.

        Raises Invalid `bad_change` (unknown_center, no_effect).
        """
        by_code = {center["id"]: center for center in self.problem["centers"]}
        if name in change:
            for code in change[name]:
                if code not in by_code:
                    words = f"there is no center {code} in this week any more, or never was"
                    raise refuse(
                        self.number,
                        change["kind"],
                        "unknown_center",
                        words[:120],
                        field=name,
                        value=code[:80],
                    )
            return [by_code[code] for code in change[name]]
        wanted = change.get("governorate")
        where = self.book.center_governorate
        found = [c for code, c in by_code.items() if wanted is None or where.get(code) == wanted]
        if not found:
            raise self.no_effect(change)
        return found

    def sites(self, change: Change) -> list[dict[str, Any]]:
        """Return the sites that the change names: by code, governorate and kind together."""
        book = self.book
        found = [
            site
            for site in self.problem["sites"]
            if change.get("site") in (None, site["id"])
            and change.get("governorate") in (None, book.site_governorate.get(site["id"]))
            and change.get("site_kind") in (None, book.site_kind.get(site["id"]))
        ]
        if not found:
            raise self.no_effect(change)
        return found

    def days(self, change: Change) -> Sequence[int]:
        """Return the days that the change names, else all."""
        found: Sequence[int] = change.get("days") or range(self.book.days)
        return found

    def no_effect(self, change: Change) -> Exception:
        """Return the error of a change that would change nothing."""
        return refuse(self.number, change["kind"], "no_effect", "it changes nothing in this week")

    def newer(self) -> None:
        """Say that the problem uses what fleet-problem/1 cannot say."""
        self.problem["format"] = "fleet-problem/2"
