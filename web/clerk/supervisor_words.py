"""What the supervisor's pages say: acts of the audit, limits before and after, figures."""

from __future__ import annotations

from datetime import datetime

from flask_babel import gettext as _

from queueing.audit import OUT_OF_ORDER, Act
from queueing.rating import Outcomes
from queueing.ticket import OUTCOMES
from web.clerk.door import blueprint
from web.clerk.words import act_words
from web.i18n import language, local, minutes_text


@blueprint.app_template_filter("audit_words")
def action_words(action: str) -> str:
    """An action of the audit, or of a ticket, as a word for a list."""
    words: dict[str, str] = {
        "queue_open": _("queue opened"),
        "queue_paused": _("queue paused"),
        "queue_closed": _("queue closed"),
        "queue_closing": _("queue began to close"),
        "strip_reserved": _("strip of numbers reserved"),
        "handed_over": _("queue handed over"),
        "took_over": _("took a queue over"),
        "hand_over_undone": _("handing over taken back"),
        "desk_open": _("desk opened"),
        "desk_pause": _("desk paused"),
        "desk_close": _("desk closed"),
        "limits": _("limits changed"),
        "link": _("new address made"),
        "printer": _("printer set"),
        "board": _("board set up"),
        "queue_retired": _("queue taken out of use"),
        "queue_back": _("queue in use again"),
        "service_order": _("order of services changed"),
        "login": _("signed in"),
        "login_failed": _("wrong password"),
        "logout": _("signed out"),
        "account": _("account made"),
        "password": _("password changed"),
        "token": _("token made"),
        "token_revoked": _("token taken back"),
        OUT_OF_ORDER: _("called out of order"),
        "rate": _("rated"),
        "take_parked": _("taken over, put aside"),
        "take_missed": _("taken over, not here"),
        "confirm": _("appointment confirmed"),
        "move": _("appointment moved"),
        "no_show": _("did not come to the appointment"),
        "hand_over": _("handed over with the queue"),
    }
    return words.get(action) or act_words(action)


@blueprint.app_template_filter("wait_method")
def wait_method(method: str) -> str:
    """How people are told their wait, as the end of "Waits are told ..."."""
    words: dict[str, str] = {
        "learned": _("by what was learned from the waits of the last weeks"),
        "played": _("by playing the line as it stands a hundred times to its end"),
        "formula": _("by the people ahead times the minutes each takes"),
    }
    return words[method]


@blueprint.app_template_filter("wait_refused")
def wait_refused(reason: str) -> str:
    """Why what was learned is not used."""
    words: dict[str, str] = {
        "too_few_days": _("Too few days are known to learn from yet."),
        "worse_than_formula": _(
            "What was learned last night is not used: on the last three days it erred more than people ahead times "
            "minutes."
        ),
        "worse_than_played": _(
            "What was learned last night is not used: on the last three days it erred more than playing the line."
        ),
    }
    return words.get(reason, "")


@blueprint.app_template_filter("act_line")
def act(made: Act) -> str:
    """One act in words; a call says when it was not the next."""
    if made.data.get(OUT_OF_ORDER):
        return str(_("called out of order"))
    return action_words(made.action)


@blueprint.app_template_filter("act_details")
def details(made: Act) -> str:
    """What more is known of an act, in a few words."""
    data = made.data
    if made.action == "limits":
        names = {
            "daily_capacity": _("tickets a day"),
            "recall_limit": _("announced again"),
            "cool_down_s": _("seconds held back"),
        }
        return "; ".join(
            _(
                "%(what)s: from %(old)s to %(new)s",
                what=words,
                old=_value(data[key][0]),
                new=_value(data[key][1]),
            )
            for key, words in names.items()
            if key in data
        )
    if made.action == "queue_closing":
        chosen = _closing_words(str(data.get("choice", "")))
        return "; ".join(word for word in (chosen, str(data.get("reason", ""))) if word)
    if made.action == "service_order":
        names = data["names"]
        service, before = names.get(language(), names["en"])
        rule = str(_("%(service)s: only after %(before)s", service=service, before=before))
        return rule if data["act"] == "add" else str(_("taken back: %(rule)s", rule=rule))
    if made.action == "desk_open" and data.get("operator"):
        return str(_("for %(name)s", name=data["operator"]))
    said = [str(data[key]) for key in ("note", "reason", "address", "kind", "role") if data.get(key)]
    if data.get("score"):
        said.insert(0, str(data["score"]))
    if data.get("outcome") in OUTCOMES:
        said.append(outcome_words(data["outcome"]))
    return "; ".join(said)


def _closing_words(choice: str) -> str:
    """What became of the people when a queue was closed."""
    words: dict[str, str] = {
        "serve": _("who is inside is served"),
        "move": _("everybody gets another appointment"),
        "cancel": _("everybody is sent home"),
    }
    return words.get(choice, choice)


@blueprint.app_template_filter("came_of_it")
def outcome_words(outcome: str) -> str:
    """What came of a service, for a list of figures."""
    words: dict[str, str] = {
        "done": _("all done today"),
        "paper": _("a paper was missing"),
        "system": _("the system was down"),
        "office": _("another office decides"),
        "person": _("somebody else must come along"),
        "other": _("another reason"),
    }
    return words.get(outcome, outcome)


@blueprint.app_template_filter("spent_words")
def spent_words(state: str) -> str:
    """A state as a span of time."""
    words: dict[str, str] = {
        "booked": _("Before the appointment"),
        "waiting": _("In the line"),
        "called": _("Walking to the desk"),
        "serving": _("Being served"),
        "parked": _("Set aside"),
        "missed": _("Not here"),
    }
    return words.get(state, state)


@blueprint.app_template_filter("local_seconds")
def local_seconds(instant: datetime) -> str:
    """A time of day to the second."""
    return f"{local(instant):%H:%M:%S}"


@blueprint.app_template_filter("lasted")
def lasted(seconds: float) -> str:
    """How long something lasted: seconds below a minute and a half, else whole minutes that have passed."""
    if seconds < 90:
        return str(_("%(num)s s", num=round(seconds)))
    return minutes_text(seconds // 60)


def csv_head() -> list[str]:
    """The first line of an export."""
    return [_("Time"), _("Person"), _("Act"), _("Queue"), _("What"), _("Desk"), _("Details")]


def _value(value: object) -> str:
    return "–" if value is None else str(value)


@blueprint.app_template_global("stars")
def stars(said: Outcomes) -> float:
    """The mean rating."""
    return sum(score * count for score, count in said.by_score.items()) / max(1, said.rated)
