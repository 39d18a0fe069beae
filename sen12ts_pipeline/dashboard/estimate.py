"""How fast triplets are made and when there will be no more to make, with how unsure that is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(hours=24)
BINS = 12
LEAST_BINS = 3
"""Spread cannot be told from fewer parts of the window."""
Z_80 = 1.2816
"""Quantile of the normal distribution that leaves a tenth on either side."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Throughput of the last hours, and the end that follows from it.

    Attributes
    ----------
    per_hour : float
        Triplets an hour; 0 when none were made.
    low_per_hour, high_per_hour : float or None
        Between these lies the rate with 80 % confidence; None when too little was made to tell.
    remaining : int
        Triplets that are chosen and not made.
    end, earliest, latest : datetime or None
        When they will be made; None when it cannot be told: nothing was made lately, or, for the bounds, too little.
    """

    per_hour: float
    low_per_hour: float | None
    high_per_hour: float | None
    remaining: int
    end: datetime | None
    earliest: datetime | None
    latest: datetime | None


def estimate(now: datetime, remaining: int, made: Iterable[tuple[datetime, float]]) -> Estimate:
    """Estimate from what was made lately.

    The window begins with the first thing made in it, so that a run of an hour is not measured by a day. It is cut
    into equal parts; from the spread of their sums follows the standard error of the mean rate.

    Parameters
    ----------
    now : datetime
        Aware.
    remaining : int
        Triplets still to make.
    made : iterable of (datetime, float)
        Times, and triplets made then; those before `WINDOW` are left out.
    """
    recent = sorted((at, n) for at, n in made if now - WINDOW <= at <= now)
    total = sum(n for _, n in recent)
    if not total or now <= recent[0][0]:
        return Estimate(0.0, None, None, remaining, None, None, None)
    hours = (now - recent[0][0]) / timedelta(hours=1)
    rate = total / hours
    bins = min(BINS, len(recent))
    if bins < LEAST_BINS:
        return Estimate(rate, None, None, remaining, _after(now, remaining, rate), None, None)
    error = Z_80 * _standard_error(recent, recent[0][0], now, bins)
    low, high = max(0.0, rate - error), rate + error
    ends = (_after(now, remaining, one) for one in (rate, high, low))
    return Estimate(rate, low, high, remaining, *ends)


def _standard_error(recent: list[tuple[datetime, float]], start: datetime, end: datetime, bins: int) -> float:
    """Standard error of the mean rate, triplets an hour."""
    width = (end - start) / bins
    sums = [0.0] * bins
    for at, n in recent:
        sums[min(bins - 1, int((at - start) / width))] += n
    rates = [one / (width / timedelta(hours=1)) for one in sums]
    mean = sum(rates) / bins
    return math.sqrt(sum((one - mean) ** 2 for one in rates) / (bins - 1) / bins)


def _after(now: datetime, remaining: int, rate: float) -> datetime | None:
    if rate <= 0:
        return None
    try:
        return now + timedelta(hours=remaining / rate)
    except OverflowError:
        return None
