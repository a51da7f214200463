"""The columns a wait is learned from: state, history, and how today differs from what is usual. Pure."""

from __future__ import annotations

import numpy as np

from queueing.waits.history import History
from queueing.waits.snapshots import Floats
from queueing.waits.tickets import Tickets

TODAY_WEIGHT = 20.0
"""Minutes of waiting as expected that today's ratio begins with."""
PACE_WEIGHT = 5.0
"""People at the usual pace that the last minutes' pace begins with."""
LAST_MINUTES = 60.0


def columns(
    tickets: Tickets, history: History, days: np.ndarray, *, own: np.ndarray | None = None
) -> dict[str, Floats]:
    """All columns by name, one value a ticket; NaN where there is nothing to say. `days`, `own`: as in
    `History.usual`. "ql" is the plain prediction, (ahead + 1) x tau minutes; it is the yardstick of the others."""
    own = np.ones(len(tickets), bool) if own is None else own
    found = dict(tickets.state)
    found.update(history.usual(tickets, days, own=own))
    n = tickets.ahead + 1
    tau, ql = found["tau"], n * found["tau"]
    found["ql"] = ql
    for name, group in (("queue", tickets.queue), ("office", tickets.office)):
        ratio, lately = _today(tickets, group, ql)
        found[f"today_{name}"], found[f"lately_{name}"] = ratio, lately
    paces = {
        f"pace{minutes}": (minutes + PACE_WEIGHT * tau) / (found[f"calls{minutes}"] + PACE_WEIGHT)
        for minutes in (30, 60, 120)
    }
    paces["pace_busy"] = (found["busy"] + PACE_WEIGHT * tau) / (found["taken"] + PACE_WEIGHT)
    paces["pace_busy60"] = (found["busy60"] + PACE_WEIGHT * tau) / (found["taken60"] + PACE_WEIGHT)
    paces["pace_hour"] = found["tau_hour"]
    paces["pace_today"] = tau * found["today_queue"]
    paces["pace_recent50"], paces["pace_recent85"] = found["tau_recent50"], found["tau_recent85"]
    for name, pace in paces.items():
        found[f"log_{name}"] = np.log1p(n * pace)
        found[f"rel_{name}"] = pace / tau
    for name in ("served_last", "served_five", "head"):
        found[f"log_{name}"] = np.log1p(np.maximum(found[name], 0.0))
        found[f"rel_{name}"] = found[name] / (ql + 1)
    found["log_ql"] = np.log1p(ql)
    found["place"] = tickets.ahead / (found["line"] + 1)
    found["flow30"] = found["calls30"] / np.maximum(found["arrivals30"], 1)
    found["growth60"] = found["arrivals60"] - found["calls60"]
    found["nominal_rel"] = found["nominal"] / tau
    found["desks_rel"] = found["desks"] / (found["usual_desks"] + 0.5)
    rate = found["usual_calls0"] + found["usual_calls1"] + 0.5
    found["profile"] = np.minimum(120 * n / rate, 300.0)
    return found


def _today(tickets: Tickets, group: np.ndarray, ql: Floats) -> tuple[Floats, Floats]:
    """Waits that had ended before the arrival, over what was expected of them: today so far, and the last hour."""
    whole, lately = np.ones(len(tickets)), np.ones(len(tickets))
    key = group * len(tickets.days) + tickets.day
    order = np.argsort(key, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
        done = rows[~np.isnan(tickets.wait[rows])]
        done = done[np.argsort(tickets.seen_at[done], kind="stable")]
        at = tickets.seen_at[done]
        waited, hoped = np.r_[0.0, np.cumsum(tickets.wait[done])], np.r_[0.0, np.cumsum(ql[done])]
        end = np.searchsorted(at, tickets.known_at[rows], side="right")
        begin = np.searchsorted(at, tickets.known_at[rows] - LAST_MINUTES, side="right")
        whole[rows] = (waited[end] + TODAY_WEIGHT) / (hoped[end] + TODAY_WEIGHT)
        lately[rows] = (waited[end] - waited[begin] + TODAY_WEIGHT) / (
            hoped[end] - hoped[begin] + TODAY_WEIGHT
        )
    return whole, lately
