"""What the pages say of printing."""

from __future__ import annotations

from flask_babel import gettext as _


def fault_words(fault: str) -> str:
    """Why a slip is not, or not surely, on paper, in a sentence; empty for none."""
    words: dict[str, str] = {
        "no_printer": _("There is no printer here."),
        "unreachable": _("The printer is switched off or not connected."),
        "paper_out": _("The paper has run out."),
        "cover_open": _("The printer's cover is open."),
        "printer_error": _("The printer reports a fault."),
        "offline": _("The printer takes nothing just now."),
        "broke_off": _("The connection to the printer broke off while it was printing."),
        "no_word": _("The printer has not said that it is done."),
        "no_font": _("The letters for printing are missing on this machine."),
        "never_sent": _("The machine was restarted before it could print."),
    }
    return words.get(fault, "")


def state_words(state: str) -> str:
    """A slip's state, for lists."""
    words: dict[str, str] = {
        "queued": _("waits for the printer"),
        "sending": _("is being printed"),
        "printed": _("printed"),
        "failed": _("not printed"),
        "unsure": _("printed?"),
    }
    return words.get(state, state)
