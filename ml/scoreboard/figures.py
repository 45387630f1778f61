"""The scoreboard's figures from outcomes: counts, shares, means with an interval, and the curve; pure.

Means are means of days: each session's picks are averaged first, because their returns move together. The interval is
Newey and West's, over the sessions in order; neighbouring lists share nine of ten sessions.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import Final, NamedTuple

from ml.evaluation.statistics import NEWEY_WEST_LAGS, newey_west
from ml.learning.labels import HOLDING_SESSIONS
from ml.scoreboard.results import Level, Result

INTERVAL_NEEDS_SESSIONS: Final = 2 * NEWEY_WEST_LAGS
"""With fewer sessions the interval would be too narrow: the estimate covers twenty lags."""


class Outcome(NamedTuple):
    """What the figures need of an outcome."""

    date: date
    strategy: str
    symbol: str
    model_id: str | None
    result: str
    first_touched: str | None
    is_late: bool
    return_pct: float | None
    excess_pct: float | None
    net_excess_pct: float | None


@dataclass(frozen=True)
class Figures:
    """What came of some picks; means in percent, shares 0-1, None where nothing is known.

    ``with_levels`` counts the picks bought of which it is known which level came first; the shares are of them.
    ``days`` are the sessions whose picks have a net excess, ``low_95`` to ``high_95`` its interval.
    """

    outcomes: int
    sold: int
    not_bought: int
    unsold: int
    unmeasured: int
    late: int
    with_levels: int
    target_first: int
    stop_first: int
    mean_return_pct: float | None
    mean_excess_pct: float | None
    mean_net_excess_pct: float | None
    low_95: float | None
    high_95: float | None
    days: int

    @property
    def target_first_share(self) -> float | None:
        return self.target_first / self.with_levels if self.with_levels else None

    @property
    def stop_first_share(self) -> float | None:
        return self.stop_first / self.with_levels if self.with_levels else None


class Point(NamedTuple):
    """A session of the curve, by the date of its list: its mean net excess, and the sum so far; percent."""

    date: date
    net_excess_pct: float
    cumulative_pct: float


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """The figures of some outcomes, one a pick."""
    results = [outcome.result for outcome in outcomes]
    levels = [outcome.first_touched for outcome in outcomes if outcome.first_touched is not None]
    daily_net = list(daily_means((outcome.date, outcome.net_excess_pct) for outcome in outcomes).values())
    net = newey_west(daily_net)
    has_interval = len(daily_net) >= INTERVAL_NEEDS_SESSIONS and math.isfinite(net.standard_error)
    return Figures(
        outcomes=len(outcomes),
        sold=results.count(Result.SOLD),
        not_bought=results.count(Result.NOT_BOUGHT),
        unsold=results.count(Result.UNSOLD),
        unmeasured=results.count(Result.UNMEASURED),
        late=sum(outcome.is_late for outcome in outcomes),
        with_levels=len(levels),
        target_first=levels.count(Level.TARGET),
        stop_first=levels.count(Level.STOP),
        mean_return_pct=_mean(daily_means((outcome.date, outcome.return_pct) for outcome in outcomes).values()),
        mean_excess_pct=_mean(daily_means((outcome.date, outcome.excess_pct) for outcome in outcomes).values()),
        mean_net_excess_pct=_mean(daily_net),
        low_95=net.value - net.half_width if has_interval else None,
        high_95=net.value + net.half_width if has_interval else None,
        days=len(daily_net),
    )


def daily_means(values: Iterable[tuple[date, float | None]]) -> dict[date, float]:
    """Mean of the known values of each day, by day, ascending; days without any are left out."""
    days: dict[date, list[float]] = {}
    for day, value in values:
        if value is not None:
            days.setdefault(day, []).append(value)
    # fsum rounds once: the mean does not depend on the order of the rows.
    return {day: math.fsum(days[day]) / len(days[day]) for day in sorted(days)}


def curve(outcomes: Iterable[Outcome]) -> list[Point]:
    """Cumulative net excess of putting a tenth of the money into each session's list, in percent of the whole.

    Each list holds its tenth for ten sessions; gains are not reinvested, so the sum is exact and depends on no order.
    """
    daily = daily_means((outcome.date, outcome.net_excess_pct) for outcome in outcomes)
    sums = accumulate(value / HOLDING_SESSIONS for value in daily.values())
    return [Point(day, value, total) for (day, value), total in zip(daily.items(), sums, strict=True)]


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return math.fsum(known) / len(known) if known else None
