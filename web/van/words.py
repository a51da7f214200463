"""What the pages of vans say: how long ago, what is lacking, what is asked and what each answer means."""

from __future__ import annotations

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import ngettext

from web.i18n import clock_time, local, minutes_text, short_date
from web.van.overview import Question


def ago(at: datetime | None, now: datetime) -> str:
    """`3 hours ago`, `just now`, `never`."""
    if at is None:
        return str(_("never"))
    minutes = (now - at).total_seconds() / 60
    if minutes < 1:
        return str(_("just now"))
    if minutes >= 48 * 60:
        return f"{short_date(local(at).date())} {clock_time(at)}"
    return str(_("%(time)s ago", time=minutes_text(minutes)))


def lacking(kinds: dict[str, int]) -> list[str]:
    """What a laptop does not know yet, the urgent first."""
    said = {
        "visits": lambda n: ngettext("%(num)s change of visits", "%(num)s changes of visits", n),
        "tickets": lambda n: ngettext("%(num)s ticket given out here", "%(num)s tickets given out here", n),
        "wishes": lambda n: ngettext("%(num)s request of a citizen", "%(num)s requests of citizens", n),
        "staff": lambda n: ngettext("%(num)s account", "%(num)s accounts", n),
        "services": lambda n: ngettext("%(num)s service", "%(num)s services", n),
        "queues": lambda n: ngettext("%(num)s queue", "%(num)s queues", n),
        "desks": lambda n: ngettext("%(num)s desk", "%(num)s desks", n),
        "places": lambda n: ngettext("%(num)s name or place", "%(num)s names and places", n),
    }
    return [str(said[kind](kinds[kind])) for kind in said if kinds.get(kind)]


def cause(name: str) -> str:
    """Why a laptop's log began anew; "" where that is nothing to tell."""
    return {
        "restored": str(_("its database was restored from a backup")),
        "no_database": str(_("its database was lost")),
        "foreign": str(_("its database came from another laptop")),
        "copy": str(_("it is a copy of another laptop")),
    }.get(name, "")


def ended(why: str) -> str:
    """Why a laptop does not run a queue any more."""
    return {
        "taken_back": str(_("Headquarters has taken this visit back and runs it itself.")),
        "other_stands": str(_("Headquarters has decided that another laptop runs this visit.")),
    }.get(why, "")


def question(asked: Question) -> str:
    """What is to be decided, in a sentence or two."""
    facts, kind = asked.facts, asked.choice.kind
    if kind == "copy":
        return str(
            _(
                "Two laptops go on from one log: a backup was restored, or a disk "
                "was copied. Both logs are kept, and the copy has its own numbers by now."
            )
        )
    if kind == "two_vans":
        return str(
            _(
                "Two laptops run this visit. Both logs are taken in, with numbers that do not meet. Which one stands?"
            )
        )
    if kind == "same_number":
        return str(
            _(
                "Two people hold the same printed number, because two laptops had drawn it "
                "before they were heard. Both are kept; call them by name if both still wait."
            )
        )
    if kind == "two_histories":
        return str(
            ngettext(
                "One ticket went two ways on two laptops. Shown is what was heard first; "
                "%(num)s later event is kept aside.",
                "One ticket went two ways on two laptops. Shown is what was heard first; "
                "%(num)s later events are kept aside.",
                facts.get("entries", 0),
            )
        )
    minutes = abs(facts["offset_us"] or 0) / 60_000_000
    if not facts["offset_us"]:
        return str(
            _(
                "This laptop's clock was wrong for a while, and nobody "
                "knows by how much. Its times are shown as it said them."
            )
        )
    late = facts["offset_us"] > 0
    span = f"\u2066{clock_time(facts['from'])} – {clock_time(facts['to'])}\u2069"
    words = (
        _(
            "This laptop's clock was %(time)s slow (it said %(span)s). Its times have been corrected.",
            time=minutes_text(minutes),
            span=span,
        )
        if late
        else _(
            "This laptop's clock was %(time)s fast (it said %(span)s). Its times have been corrected.",
            time=minutes_text(minutes),
            span=span,
        )
    )
    return str(words)


def advice(asked: Question) -> str:
    """What a person does before deciding."""
    return {
        "copy": str(
            _(
                "Ring the crew and ask how many laptops are switched on. If a copy stands on "
                "a second one, switch that one off, or leave both on if both are needed."
            )
        ),
        "two_vans": str(
            _(
                "Ring both crews and ask who stands at the place of the visit. People who already have "
                "a number keep it, whatever you press."
            )
        ),
        "same_number": str(_("Let the crew know, so that it calls both by name and not by number.")),
        "two_histories": str(_("Ask the crew what became of this person, and keep the history that is true.")),
        "clock": str(_("Compare one or two times with what the crew remembers. Mostly the corrected times are right.")),
    }[asked.choice.kind]  # fmt: skip


def options(asked: Question, now: datetime) -> list[tuple[str, str, str]]:
    """(value, words, what it does) of the answers that can be given."""
    kind = asked.choice.kind
    if kind == "copy":
        return [
            (
                "one",
                str(_("There is one laptop: it was restored")),
                str(_("It gets its line back, and goes on under its new name.")),
            ),
            (
                "two",
                str(_("Both laptops are in use")),
                str(_("Both go on, each with numbers of its own.")),
            ),
        ]
    if kind == "two_vans":
        named = [
            (
                device.id,
                str(_("Laptop %(name)s stands", name=f"\u2066{device.id[:6]}\u2069")),
                str(
                    _(
                        "Last heard: %(ago)s. It runs the visit and gets everybody who waits; "
                        "the other one is told to stop.",
                        ago=ago(device.heard_at, now),
                    )
                ),
            )
            for device in asked.facts["laptops"]
        ]
        return [
            *named,
            ("both", str(_("Both go on")), str(_("Two lines at one place, each with its own numbers."))),
        ]
    if kind == "same_number":
        return [("seen", str(_("Seen")), str(_("Both people stay in the line.")))]
    if kind == "two_histories":
        return [
            ("first", str(_("Keep what is shown")), str(_("The later events stay in the log only."))),
            (
                "second",
                str(_("The other one is right")),
                str(_("The ticket is shown as that laptop had it.")),
            ),
        ]
    return [
        (
            "measured",
            str(_("Keep the corrected times")),
            str(_("Waits and statistics are counted by them.")),
        ),
        (
            "told",
            str(_("Use the times as the laptop said them")),
            str(_("If the laptop's clock was right, and ours was not.")),
        ),
    ]


def decision(value: str, kind: str) -> str:
    """What was decided, in a few words."""
    return {
        "one": str(_("one laptop, restored")), "two": str(_("both in use")), "both": str(_("both go on")),
        "seen": str(_("seen")), "first": str(_("what was shown stays")), "second": str(_("the other history stands")),
        "measured": str(_("corrected times")), "told": str(_("times as said")),
    }.get(value, str(_("laptop %(name)s stands", name=f"\u2066{value[:6]}\u2069")))  # fmt: skip


def kind(name: str) -> str:
    """A question's title."""
    return {
        "copy": str(_("A copy of a laptop")),
        "two_vans": str(_("Two laptops at one visit")),
        "same_number": str(_("One number, two people")),
        "two_histories": str(_("One ticket, two histories")),
        "clock": str(_("A wrong clock")),
    }[name]
