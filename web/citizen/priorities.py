"""The priority question in plain words: which class of the order each answer means."""

from __future__ import annotations

from flask_babel import gettext as _

from queueing.order import HIGH, ORDINARY, PRIORITY

CLASSES = {"none": ORDINARY, "senior": PRIORITY, "pregnant": PRIORITY, "infant": PRIORITY, "disability": HIGH}
"""Answer -> priority class (queueing/order.py)."""


def questions() -> list[tuple[str, str]]:
    """(answer, words) in the order in which they are asked; the ordinary answer first, as most people's."""
    return [
        ("none", _("None of these")),
        ("senior", _("I am 65 or older")),
        ("disability", _("I have a disability")),
        ("pregnant", _("I am pregnant")),
        ("infant", _("I have an infant with me")),
    ]


def priority_of(answer: str) -> int:
    """The class an answer means; what is not an answer is ordinary."""
    return CLASSES.get(answer, ORDINARY)
