"""Shares of a count, with how sure they are. Pure."""

from __future__ import annotations

Z95 = 1.959964
"""Two-sided 95% of the normal distribution."""


def wilson(hits: int, of: int) -> tuple[float, float, float]:
    """The share `hits / of` and its 95% interval after Wilson (1927): it never leaves 0 to 1 and holds for few answers.

    Raises ValueError for `of` below 1 or `hits` outside 0 to `of`.
    """
    if of < 1 or not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of} is no share")
    share, z2 = hits / of, Z95 * Z95
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 / (1 + z2 / of) * (share * (1 - share) / of + z2 / (4 * of * of)) ** 0.5
    # At its ends the formula is exact in numbers, not in floating point.
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == of else min(1.0, middle + half)
    return share, low, high
