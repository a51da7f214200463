"""A change as a form: what it offers, and the reading of what was filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.names import fold
from fleet.planning.scenarios.applying import Applied
from fleet.planning.scenarios.kinds import KINDS, Field, Kind, refuse
from fleet.store import Center, Governorate, Site
from web.i18n import language, minute_time
from web.planner.visits import wanted_minute

MARK = " · "
"""Between a place's name and its code in the list that is offered."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the fields of a change offer: (value, words)."""

    governorates: list[tuple[str, str]]
    centers: list[tuple[str, list[tuple[str, str]]]]
    """By governorate's name."""
    places: list[str]
    """Fixed centers, as name and code; any other place may be typed."""
    klasses: list[str]

    @classmethod
    def load(cls, session: Session, applied: Applied) -> Choices:
        """What there is once the changes before are made: new vans too."""
        arabic = language() == "ar"
        names = {
            row[0]: row[1]
            for row in session.execute(
                select(Governorate.iso, Governorate.name_ar if arabic else Governorate.name_en)
            )
        }
        called = {
            row[0]: row[1]
            for row in session.execute(select(Center.code, Center.name_ar if arabic else Center.name_en))
        }
        groups: dict[str, list[tuple[str, str]]] = {}
        for center in applied.problem["centers"]:
            code = center["id"]
            where = names.get(applied.book.center_governorate.get(code, ""), "")
            words = f"{code} – {called[code]}" if code in called else code
            groups.setdefault(where, []).append((code, words))
        places = [
            f"{name}{MARK}{code}"
            for code, name in session.execute(
                select(Site.code, Site.name_ar if arabic else Site.name_en)
                .where(Site.kind != "village")
                .order_by(Site.governorate_id, Site.code)
            )
            if code in applied.book.site_governorate
        ]
        used = {*applied.book.center_governorate.values()}
        return cls(
            sorted(((iso, name) for iso, name in names.items() if iso in used), key=lambda pair: pair[1]),
            [(where, groups[where]) for where in sorted(groups)],
            places,
            sorted(applied.book.klasses),
        )


def change_of_form(session: Session, kind: Kind, number: int) -> dict[str, Any]:
    """Return the change that the form holds, as plain data; what was left empty stays out. The domain checks it.

    Raises Invalid `bad_change` for a place that is not told clearly.
    """
    change: dict[str, Any] = {"kind": kind.name}
    for field in kind.fields:
        value = _value(session, field, kind, number)
        if value not in (None, "", []):
            change[field.name] = value
    return change


def _value(session: Session, field: Field, kind: Kind, number: int) -> Any:
    texts = [text.strip() for text in request.form.getlist(field.name) if text.strip()]
    if not texts:
        return None
    if field.type == "minute":
        return wanted_minute(field.name)
    if field.type in ("whole", "number"):
        return _number(texts[0], whole=field.type == "whole")
    if field.type == "days":
        return [_number(text, whole=True) for text in texts]
    if field.type == "centers":
        return texts
    if field.type == "site":
        return _site(session, texts[0], kind, number)
    return texts[0]


def _number(text: str, *, whole: bool) -> int | float | str:
    """The number, or the text itself where it is none: the domain says so."""
    try:
        return int(text) if whole else float(text)
    except ValueError:
        return text


def _site(session: Session, text: str, kind: Kind, number: int) -> str:
    """The code of the place that was chosen or typed."""
    code = text.rpartition(MARK)[2].strip()
    if session.scalar(select(Site.id).where(Site.code == code)) is not None:
        return code
    wanted = fold(text).split()
    found = [
        (row.code, row)
        for row in session.execute(select(Site.code, Site.kind, Site.name_ar, Site.name_en, Site.search_key))
        if all(word in f"{row.search_key} {fold(row.name_ar)} {fold(row.name_en)}" for word in wanted)
    ]
    exact = [code for code, row in found if fold(text) in (fold(row.name_ar), fold(row.name_en))]
    for some in (exact, [code for code, _ in found]):
        if len(some) == 1:
            return str(some[0])
    if found:
        words = f"{len(found)} places are called so: choose one from the list"
        raise refuse(number, kind.name, "many_sites", words, field="site", count=len(found), value=text[:80])
    return text[:80]


def form_of_change(change: Mapping[str, Any] | None) -> dict[str, str]:
    """What a form shows of a change that is to be altered."""
    if change is None:
        return {}
    fields = {field.name: field for field in KINDS[change["kind"]].fields}
    return {
        name: minute_time(value) if fields[name].type == "minute" else f"{value}"
        for name, value in change.items()
        if name in fields and not isinstance(value, list)
    }


def listed(change: Mapping[str, Any] | None, name: str) -> list[str]:
    """The ticked days, or the chosen centers, of a change that is to be altered."""
    value = (change or {}).get(name)
    return [str(one) for one in value] if isinstance(value, list) else []
