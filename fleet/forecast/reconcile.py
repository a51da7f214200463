"""Units and what they sum to, made to agree. Pure numpy.

A governorate's people are forecast twice: as the sum of its units, and as one line of its own, on which chance is
smaller. Both carry an error; the difference is shared among the units by their error variances, which is the
least-squares reconciliation (Wickramasuriya, Athanasopoulos and Hyndman 2019) for one total and independent errors:

    unit' = unit + v_unit / (v_total + sum of v_unit) x (total - sum of units)

The governorate's reconciled figure is the sum of its units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleet.forecast.rhythm import Floats


def reconcile(
    units: Floats, group: NDArray[np.intp], totals: Floats, unit_variance: Floats, total_variance: Floats
) -> Floats:
    """Units (units x days) that agree with `totals` (groups x days) as far as their variances say.

    `group`: the group of each unit; variances have the shapes of units and totals. A unit that expects nobody on a
    day (closed) stays so; none is cut below a tenth of itself.
    """
    many = totals.shape[0]
    variance = np.where(units > 0, unit_variance, 0.0)
    sums, spread = np.zeros_like(totals), np.zeros_like(totals)
    np.add.at(sums, group, units)
    np.add.at(spread, group, variance)
    assert sums.shape[0] == many
    gap = np.where(sums > 0, totals - sums, 0.0)
    part = np.divide(gap, spread + total_variance, out=np.zeros_like(gap), where=spread + total_variance > 0)
    result: Floats = np.maximum(units + variance * part[group], 0.1 * units)
    return result
