"""Series: four frames 12 days apart, made of five passes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sen12ts_pipeline.domain.passes import Visit
from sen12ts_pipeline.domain.rules import Rules
from sen12ts_pipeline.errors import Rejected


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """Visits of one track at t, t-12, ..., t-48 days, newest first."""

    visits: tuple[Visit, ...]

    @property
    def newest(self) -> Visit:
        """The visit at t."""
        return self.visits[0]

    @property
    def pairs(self) -> tuple[tuple[Visit, Visit], ...]:
        """(date, date - 12 d) of each frame, newest first."""
        return tuple(zip(self.visits[:-1], self.visits[1:], strict=True))


def series_ending(newest: Visit, among: Iterable[Visit], rules: Rules) -> Series:
    """Find the series whose newest frame is `newest`.

    Parameters
    ----------
    newest : Visit
        The visit at t.
    among : iterable of Visit
        All visits of the same track over the same tile, in any order.
    rules : Rules
        ``repeat_days``, ``repeat_tolerance_minutes``, ``series_length`` and ``mix_platforms`` are used.

    Raises
    ------
    Rejected
        Rule ``series_gap`` when a pass is missing, ``mixed_platforms`` when only another platform's is there.
    """
    visits = list(among)
    chain, tolerance = [newest], timedelta(minutes=rules.repeat_tolerance_minutes)
    for step in range(1, rules.series_length + 1):
        expected = newest.time - step * timedelta(days=rules.repeat_days)
        near = sorted(v for v in visits if abs(v.time - expected) <= tolerance)
        same = [v for v in near if rules.mix_platforms or v.platform == newest.platform]
        if not same:
            rule = "mixed_platforms" if near else "series_gap"
            found = f"only {', '.join(v.platform for v in near)}" if near else "none"
            raise Rejected(
                rule, newest.pass_id, f"needs a pass of {newest.platform} on {expected:%Y-%m-%d}, found {found}"
            )
        chain.append(min(same, key=lambda v: (v.platform != newest.platform, abs(v.time - expected), v)))
    return Series(tuple(chain))
