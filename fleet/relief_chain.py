"""The number of people in a line as a Markov chain through the day: the compiled steps behind `fleet.relief`.

A line with c desks, arrivals of lambda(t) an hour, mean desk time 1/mu and leaving at rate theta a waiting person holds
x people with probability p(x), and

    p'(x) = up(x-1) p(x-1) - (up(x) + down(x)) p(x) + down(x+1) p(x+1)
    up(x) = lambda;  down(x) = mu min(x, c) + theta (x - c)+

taken in small explicit steps over the states that carry any probability (a discrete chain with the right drift, whose
variance is short by less than a hundredth). Where all desks are busy the spread of service counts: people leave a busy
line as a renewal process with cs2 mu c of variance an hour, so both rates are moved by (cs2 - 1) mu c / 2 there, which
keeps the drift and sets the variance (for one desk it gives the long-run line of Pollaczek and Khinchine).

Two lines that share their people, F (fixed) and M (mobile), are followed by their own probabilities and the covariance
of their states. Who has a choice takes M with odds exp(lean + bw (wait shown at F - wait shown at M)); a line shows

    (x - c + 1 if x >= c else 0) / (c mu),

what somebody reads off the board. Given x, the state y of M is taken with weight

    q(y) (1 + r u v + r^2/2 (u^2 - 1)(v^2 - 1))

(Mehler's expansion of a bivariate normal; u, v standardised, r the correlation), which makes the rate of going a
function g(x) for F and h(y) for M. The covariance k moves by

    k' = lambda s (Cov(g, x) - Cov(h, y)) - k (Cov(out_F, x)/Var x + Cov(out_M, y)/Var y):

a crowded center fills the van, and a crowded van fills the center. Without it what a visit relieves is overstated by a
fiftieth, and by up to a fifth for the smallest vans.

Kernels that call each other stand in this one file (numba's cache does not notice a change elsewhere).
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: RUF046 (round() is a float to the compiler)
from __future__ import annotations

import numpy as np

from routing.engine.compiled import allocating, inlined

BLOCK_H, CHOICE_H = 0.25, 0.125
"""Rates are renewed so often, hours, and while there is a choice so often; within, the chain takes as many steps as
its rates need."""
STEP_RATE = 0.8
"""Expected events in one step of the chain at most."""
TRIM = 1e-6
"""States at the ends that hold less probability are left out."""
LUMPS_F, LUMPS_M = 14, 10
"""Choices are reckoned for so many groups of neighbouring states of the two lines at most."""
LONG_SPAN = 160
"""States beyond the desks for which the share of long waits is tabled; further out everybody waits long."""


@inlined
def _fill(up, down, out, lo, hi, rate, gone, cut, c, mu, cs2, theta):
    """Rates of the states lo..hi; `gone` is the share of arrivals that goes elsewhere, by state, where `cut`."""
    shift = 0.5 * (cs2 - 1.0) * mu * c
    full = min(max(int(np.ceil(c)), lo), hi + 1)
    for x in range(lo, full):
        up[x] = rate * (1.0 - gone[x]) if cut else rate
        down[x] = out[x] = mu * x
    for x in range(full, hi + 1):
        u = rate * (1.0 - gone[x]) if cut else rate
        moved = max(u + shift, 0.0)
        out[x] = mu * c + theta * (x - c)
        up[x] = moved
        down[x] = max(out[x] + moved - u, 0.0)


@inlined
def _step(p, other, up, down, stay):
    """One step, from p to `other`."""
    last = len(p) - 1
    other[0] = p[0] * stay[0] + p[1] * down[1]
    for x in range(
        last - 1
    ):  # from 0 on, so that the compiler sees that no index is negative and uses vectors
        other[x + 1] = p[x + 1] * stay[x + 1] + p[x] * up[x] + p[x + 2] * down[x + 2]
    other[last] = p[last] * stay[last] + p[last - 1] * up[last - 1]


@inlined
def _evolve(p, other, up, down, stay, dt, steps):
    """`steps` (even) explicit steps of `dt` over some states, which nobody leaves; the result stands in p."""
    last = len(p) - 1
    if last == 0:
        return
    up[last] = 0.0
    down[0] = 0.0
    for x in range(len(p)):
        up[x] *= dt
        down[x] *= dt
        stay[x] = 1.0 - up[x] - down[x]
    for _ in range(steps // 2):  # there and back: arrays cannot be swapped for the caller
        _step(p, other, up, down, stay)
        _step(other, p, up, down, stay)


@inlined
def _window(p, lo, hi, most, steps, last):
    """The states that may carry probability after a block with `most` expected moves; p is cleared around them."""
    while lo < hi and p[lo] < TRIM:
        p[lo] = 0.0
        lo += 1
    while hi > lo and p[hi] < TRIM:
        p[hi] = 0.0
        hi -= 1
    grow = min(steps, int(most + 4.0 * np.sqrt(most)) + 2)
    low, high = max(0, lo - grow), min(last, hi + grow)
    for x in range(low, lo):
        p[x] = 0.0
    for x in range(hi + 1, high + 1):
        p[x] = 0.0
    return low, high


@inlined
def _waiting(p, lo, hi, c):
    """Expected people waiting, with p brought back to a sum of one."""
    total, queue = 0.0, 0.0
    for x in range(lo, hi + 1):
        total += p[x]
        if x > c:
            queue += (x - c) * p[x]
    whole = 1.0 / total
    for x in range(lo, hi + 1):
        p[x] *= whole
    return queue * whole


@inlined
def _shown(x, c, mu):
    """Hours that a line shows in state x; between whole states in proportion."""
    low = np.floor(x)
    a = (low - c if low > c else 0.0) + (1.0 if low >= c else 0.0)
    b = (low + 1 - c if low + 1 > c else 0.0) + (1.0 if low + 1 >= c else 0.0)
    return (a + (b - a) * (x - low)) / max(c * mu, 1e-9)


@inlined
def _lumps(p, lo, hi, most, mass, centre, z, mean, sd):
    """Group the states lo..hi evenly: mass, centre and standardised centre of each; their number."""
    size = (hi - lo + most) // most
    n = 0
    x = lo
    while x <= hi:
        end = min(x + size, hi + 1)
        m, f = 0.0, 0.0
        for k in range(x, end):
            m += p[k]
            f += p[k] * k
        mass[n] = m
        centre[n] = f / m if m > 1e-12 else 0.5 * (x + end - 1)
        z[n] = (centre[n] - mean) / sd
        n += 1
        x = end
    return n


@inlined
def _spread(values, centre, n, target, lo, hi):
    """Values at the centres, on every state between."""
    k = 0
    for x in range(lo, hi + 1):
        if n == 1:
            target[x] = values[0]
            continue
        while k < n - 2 and centre[k + 1] < x:
            k += 1
        t = (x - centre[k]) / max(centre[k + 1] - centre[k], 1e-9)
        target[x] = values[k] + (values[k + 1] - values[k]) * min(max(t, 0.0), 1.0)


@inlined
def _moments(p, lo, hi):
    m, v = 0.0, 0.0
    for x in range(lo, hi + 1):
        m += x * p[x]
        v += x * x * p[x]
    return m, max(v - m * m, 1e-6)


@inlined
def _long(table, c, mu, cs2, hours):
    """table[k]: probability that somebody who finds k people more than there are desks waits longer than `hours`:
    that fewer than k + 1 are called by then (a normal with the variance of renewals)."""
    called = c * mu * hours
    sd = np.sqrt(max(cs2 * called, 1e-9))
    for k in range(len(table)):
        z = (k + 0.5 - called) / sd
        t = 1 / (1 + 0.2316419 * abs(z))
        tail = 0.3989422804014327 * np.exp(-0.5 * z * z) * t
        tail *= 0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
        table[k] = 1 - tail if z >= 0 else tail


@inlined
def _long_share(p, lo, hi, c, table):
    share = 0.0
    for x in range(lo, hi + 1):
        if x >= c:
            k = int(x - c)
            share += p[x] * (table[k] if k < len(table) else 1.0)
    return share


@allocating
def alone(arrivals, desks, mu, cs2, theta, start, stop, drain, most, long_h, by_hour, long_share):
    """Fill person-hours waited and the share of arrivals who wait longer than `long_h`, rows x 24.

    arrivals, desks: rows x 24; mu, cs2, theta: rows; `most`: states kept. Hours start..stop have arrivals; afterwards
    the line is served for `drain` hours at most.
    """
    p, other = np.zeros(most), np.zeros(most)
    up, down, stay, out = np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most)
    table = np.zeros(LONG_SPAN)
    blocks = int(round((min(24.0, stop + drain) - start) / BLOCK_H))
    for row in range(len(mu)):
        p[:] = 0.0
        other[:] = 0.0
        p[0] = 1.0
        lo, hi = 0, 0
        queue, now, c = 0.0, -1, -1.0
        for k in range(blocks):
            hour = int(start + (k + 0.5) * BLOCK_H)
            rate = arrivals[row, hour]
            if hour != now:
                now = hour
                if c != desks[row, hour]:
                    c = desks[row, hour]
                    _long(table, c, mu[row], cs2[row], long_h)
                    queue = _waiting(p, lo, hi, c)
            if rate == 0.0 and hi == 0:
                continue
            if hour >= stop and queue < 1e-3:
                break
            flow = max(rate, mu[row] * c) + theta[row] * max(0.0, hi - c)
            whole = rate + mu[row] * c * max(1.0, cs2[row]) + theta[row] * max(0.0, hi + 4 - c)
            steps = 2 * (int(whole * BLOCK_H / (2 * STEP_RATE)) + 1)
            lo, hi = _window(p, lo, hi, flow * BLOCK_H, steps, most - 1)
            _fill(up, down, out, lo, hi, rate, p, False, c, mu[row], cs2[row], theta[row])
            _evolve(
                p[lo : hi + 1],
                other[lo : hi + 1],
                up[lo : hi + 1],
                down[lo : hi + 1],
                stay[lo : hi + 1],
                BLOCK_H / steps,
                steps,
            )
            before = queue
            queue = _waiting(p, lo, hi, c)
            by_hour[row, hour] += 0.5 * BLOCK_H * (before + queue)
            long_share[row, hour] += BLOCK_H * _long_share(p, lo, hi, c, table)


@allocating
def beside(
    arrivals, desks, mu, cs2, theta, van_desks, van_mu, van_cs2, van_from, van_until, share, lean, weight,
    start, stop, drain, most, fixed_hours, van_hours, diverted,
):  # fmt: skip
    """Fill, by row, person-hours waited at the fixed line and at the van beside it, and people who went to the van.

    The arguments of `alone`, and of each van: desks, mu, cs2, from and until which hour it takes people, the share who
    could go, their lean (log odds) and the log odds of an hour's wait.
    """
    p, other, q, second = np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most)
    up, down, stay = np.zeros(most), np.zeros(most), np.zeros(most)
    out_f, out_m = np.zeros(most), np.zeros(most)
    g, h, g_use, h_use, g_was, h_was = (
        np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most),
    )  # fmt: skip
    mass_f, at_f, z_f, odds_f, g_at = (
        np.zeros(LUMPS_F + 1), np.zeros(LUMPS_F + 1), np.zeros(LUMPS_F + 1), np.zeros(LUMPS_F + 1),
        np.zeros(LUMPS_F + 1),
    )  # fmt: skip
    mass_m, at_m, z_m, odds_m, h_at, h_of = (
        np.zeros(LUMPS_M + 1), np.zeros(LUMPS_M + 1), np.zeros(LUMPS_M + 1), np.zeros(LUMPS_M + 1),
        np.zeros(LUMPS_M + 1), np.zeros(LUMPS_M + 1),
    )  # fmt: skip
    eighths = int(round((min(24.0, stop + drain) - start) / CHOICE_H))
    for row in range(len(mu)):
        p[:] = 0.0
        other[:] = 0.0
        q[:] = 0.0
        second[:] = 0.0
        p[0] = q[0] = 1.0
        lo, hi, lo_m, hi_m = 0, 0, 0, 0
        queue_f, queue_m, k_fm, now, c, fresh = 0.0, 0.0, 0.0, -1, 0.0, True
        c_m, mu_f, mu_m = van_desks[row], mu[row], van_mu[row]
        eighth = 0
        while eighth < eighths:
            begin = start + eighth * CHOICE_H
            hour = int(begin)
            chosen = van_from[row] < begin + BLOCK_H and van_until[row] > begin
            block = CHOICE_H if chosen or eighth % 2 else BLOCK_H
            eighth += 1 if block == CHOICE_H else 2
            rate = arrivals[row, hour]
            if hour != now:
                now = hour
                c = desks[row, hour]
                queue_f = _waiting(p, lo, hi, c)
            if hour >= stop and queue_f < 1e-3 and queue_m < 1e-3:
                break
            part = min(van_until[row], begin + block) - max(van_from[row], begin)
            part = share[row] * min(max(part / block, 0.0), 1.0)
            going = part > 1e-9 and rate > 0.0
            flow = max(rate, mu_f * c) + theta[row] * max(0.0, hi - c)
            whole = rate + mu_f * c * max(1.0, cs2[row]) + theta[row] * max(0.0, hi + 4 - c)
            steps = 2 * (int(whole * block / (2 * STEP_RATE)) + 1)
            lo, hi = _window(p, lo, hi, flow * block, steps, most - 1)
            flow = max(rate * part, mu_m * c_m) + theta[row] * max(0.0, hi_m - c_m)
            whole = rate * part + mu_m * c_m * max(1.0, van_cs2[row]) + theta[row] * max(0.0, hi_m + 4 - c_m)
            steps_m = 2 * (int(whole * block / (2 * STEP_RATE)) + 1)
            if going:
                lo_m, hi_m = _window(q, lo_m, hi_m, flow * block, steps_m, most - 1)
                mean_f, var_f = _moments(p, lo, hi)
                mean_m, var_m = _moments(q, lo_m, hi_m)
                r = min(max(k_fm / np.sqrt(var_f * var_m), -0.95), 0.95)
                n_f = _lumps(p, lo, hi, LUMPS_F, mass_f, at_f, z_f, mean_f, np.sqrt(var_f))
                n_m = _lumps(q, lo_m, hi_m, LUMPS_M, mass_m, at_m, z_m, mean_m, np.sqrt(var_m))
                for i in range(n_f):
                    odds_f[i] = np.exp(min(lean[row] + weight * _shown(at_f[i], c, mu_f), 600.0))
                for j in range(n_m):
                    odds_m[j] = np.exp(min(weight * _shown(at_m[j], c_m, mu_m), 600.0))
                    h_at[j] = h_of[j] = 0.0
                for i in range(n_f):
                    total, of = 0.0, 0.0
                    a2 = 0.5 * r * r * (z_f[i] * z_f[i] - 1)
                    for j in range(n_m):
                        t = max(1 + r * z_f[i] * z_m[j] + a2 * (z_m[j] * z_m[j] - 1), 0.0)
                        goes = t * odds_f[i] / (odds_f[i] + odds_m[j])
                        total += mass_m[j] * goes
                        of += mass_m[j] * t
                        h_at[j] += mass_f[i] * goes
                        h_of[j] += mass_f[i] * t
                    g_at[i] = total / max(of, 1e-9)
                for j in range(n_m):
                    h_at[j] /= max(h_of[j], 1e-9)
                _spread(g_at, at_f, n_f, g, lo, hi)
                _spread(h_at, at_m, n_m, h, lo_m, hi_m)
                # The choice at the middle of the block, from this block's and the last one's beginnings.
                gone, cov_g = 0.0, 0.0
                for x in range(lo, hi + 1):
                    e = g[x] if fresh or g_was[x] == 0.0 else 1.5 * g[x] - 0.5 * g_was[x]
                    g_use[x] = part * min(max(e, 0.0), 1.0)
                    gone += p[x] * g_use[x]
                    cov_g += p[x] * g[x] * (x - mean_f)
                cov_h = 0.0
                for y in range(lo_m, hi_m + 1):
                    e = h[y] if fresh or h_was[y] == 0.0 else 1.5 * h[y] - 0.5 * h_was[y]
                    h_use[y] = 1.0 - rate * part * min(max(e, 0.0), 1.0)
                    cov_h += q[y] * h[y] * (y - mean_m)
                g_was[:] = 0.0
                h_was[:] = 0.0
                g_was[lo : hi + 1] = g[lo : hi + 1]
                h_was[lo_m : hi_m + 1] = h[lo_m : hi_m + 1]
                fresh = False
                diverted[row] += rate * gone * block
            _fill(up, down, out_f, lo, hi, rate, g_use, going, c, mu_f, cs2[row], theta[row])
            if going:
                pull_f, pull_m = 0.0, 0.0
                for x in range(lo, hi + 1):
                    pull_f += p[x] * (x - mean_f) * out_f[x]
            _evolve(
                p[lo : hi + 1],
                other[lo : hi + 1],
                up[lo : hi + 1],
                down[lo : hi + 1],
                stay[lo : hi + 1],
                block / steps,
                steps,
            )
            before = queue_f
            queue_f = _waiting(p, lo, hi, c)
            fixed_hours[row] += 0.5 * block * (before + queue_f)
            if going or hi_m > 0:
                if not going:
                    lo_m, hi_m = _window(q, lo_m, hi_m, flow * block, steps_m, most - 1)
                    h_use[lo_m : hi_m + 1] = 1.0
                    k_fm = 0.0
                _fill(up, down, out_m, lo_m, hi_m, 1.0, h_use, True, c_m, mu_m, van_cs2[row], theta[row])
                if going:
                    for y in range(lo_m, hi_m + 1):
                        pull_m += q[y] * (y - mean_m) * out_m[y]
                    source = rate * part * (cov_g - cov_h)
                    pull = max(pull_f / var_f + pull_m / var_m, 0.0)
                    k_fm = (k_fm + block * source) / (1 + block * pull)
                _evolve(
                    q[lo_m : hi_m + 1],
                    second[lo_m : hi_m + 1],
                    up[lo_m : hi_m + 1],
                    down[lo_m : hi_m + 1],
                    stay[lo_m : hi_m + 1],
                    block / steps_m,
                    steps_m,
                )
                before = queue_m
                queue_m = _waiting(q, lo_m, hi_m, c_m)
                van_hours[row] += 0.5 * block * (before + queue_m)
