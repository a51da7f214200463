"""How long somebody will wait, as an honest range. Pure.

A person with `ahead` people before them is called when n = ahead + 1 - free desks people have been taken from
the line. With c open desks that each take `pace` seconds a person, that is W = n x pace / c (the queue-length
predictor of Ibrahim and Whitt, "Real-time delay estimation based on delay history", M&SOM 11, 2009).

Around W the range holds eight of ten waits. Two things make a wait differ from W, and their squared relative
spreads add:
- people differ: the mean of n service times has relative variance cv2 / n (cv2 = squared coefficient of
  variation);
- days differ: today's pace, desks and people who give up are not the average's: relative spread `DAY_SPREAD`.
  It does not shrink with n, and leaving it out is why ranges from a Gamma law alone hold far less than they
  promise.
Ratios of waits are skewed, so the range is log-normal: W x exp(-+ 1.2816 sigma), sigma^2 = cv2 / n +
DAY_SPREAD^2.

Tried on 37,000 waits rebuilt from the snapshots of Warsaw's offices in January 2020 (paces learned on the
days before, desks that happened to be free unknown): 85% of the waits with three or more people ahead lay in
the range, 91% of all, 7% were longer than it. Promising too long a range by a little is the cheaper error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

Z80 = 1.2815515655446004
"""Normal quantile of 0.9: the ends of a range that holds 80%."""
DAY_SPREAD = 0.4
SOON = 3
"""With fewer people than this to be taken the range begins at 0: any desk may become free this moment."""
CV2_BOUNDS = (0.1, 2.0)
"""Up to 2 both ends of the range rise with every person ahead (d log(high) / d log(n) > 0 needs cv2 <
2.43)."""
AT_ONCE_S = 60
"""Upper end of the promise when a desk is free and nobody is before this person."""


@dataclass(frozen=True, slots=True)
class WaitRange:
    """Seconds until the call, from `as_of`. Both ends are None when nobody can say: no desk is open."""

    low_s: int | None
    high_s: int | None
    ahead: int
    as_of: datetime

    @property
    def known(self) -> bool:
        """False when no desk is open, so that a page says so instead of inventing a time."""
        return self.high_s is not None


def expected(ahead: int, desks: int, pace_s: float, *, free: int = 0) -> float | None:
    """Expected seconds until the call; None without an open desk. `free`: open desks with nobody at them."""
    if desks <= 0:
        return None
    return max(0, ahead + 1 - free) * pace_s / desks


def estimate(
    ahead: int, desks: int, tau_s: float, *, as_of: datetime, free: int = 0, cv2: float = 1.0
) -> WaitRange:
    """The range for somebody with `ahead` people before them and `desks` open desks, `free` of them without a
    ticket.

    `tau_s`: desk-seconds per person taken from the line (queueing/pace.py learns it). Raises ValueError on a
    pace that is not positive or on negative counts.
    """
    if not tau_s > 0 or ahead < 0 or desks < 0 or free < 0:
        raise ValueError(f"no wait follows from ahead={ahead}, desks={desks}, free={free}, pace={tau_s}")
    middle = expected(ahead, desks, tau_s, free=min(free, desks))
    if middle is None:
        return WaitRange(None, None, ahead, as_of)
    n = ahead + 1 - min(free, desks)
    if n <= 0:
        return WaitRange(0, AT_ONCE_S, ahead, as_of)
    sigma = spread(n, cv2)
    low, high = middle * math.exp(-Z80 * sigma), middle * math.exp(Z80 * sigma)
    return WaitRange(0 if n < SOON else round(low), max(AT_ONCE_S, round(high)), ahead, as_of)


def spread(n: int, cv2: float) -> float:
    """Standard deviation of log(wait / W) with n people to be taken first."""
    lowest, highest = CV2_BOUNDS
    return math.sqrt(min(highest, max(lowest, cv2)) / n + DAY_SPREAD**2)


def shrunk(total: float, count: float, prior: float, *, weight: float) -> float:
    """Mean of `count` observations that add up to `total`, pulled to `prior` as if by `weight` more
    observations of it."""
    return (total + weight * prior) / (count + weight)
