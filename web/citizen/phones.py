"""Telephone numbers as people type them."""

from __future__ import annotations

import phonenumbers

HOME_REGION = "EG"


def read_phone(typed: str) -> str | None:
    """A typed number in international form (`+201001234567`), or None when it cannot be one.

    Accepts Eastern Arabic digits, spaces and dashes, with or without the country's code.
    """
    try:
        number = phonenumbers.parse(typed, HOME_REGION)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
