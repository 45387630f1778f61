"""What a fit learns from: features, outcomes and facts of all history, computed from the stored bars on one core."""

import time
from collections.abc import Callable

from ml.datasets import blocked_dates, market_sessions, share_bars
from ml.features.facts import facts
from ml.features.registry import FEATURES, features
from ml.features.signals import Signals
from ml.learning.labels import labels
from stocks.picks.selection_queries import share_groups
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure
from tests.benchmarks.place import Place

_SECONDS = 60.0


def figures(place: Place, market: Market, rounds: int) -> list[Figure]:
    """Seconds of processor time of all features against a minute; outcomes and facts for comparison."""
    market.fill(place)
    bars = share_bars(market.last, market.offered()[0])
    calendar = market_sessions(bars["date"].min().date(), market.last)
    groups, blocked = share_groups(), blocked_dates(market.last)
    parts = {
        f"all {len(FEATURES)} features": lambda: features(Signals(bars, calendar, groups)),
        "outcomes and facts": lambda: (labels(bars, calendar, blocked), facts(Signals(bars, calendar, groups))),
    }
    note = f"{len(bars):,} bars of {bars['symbol'].nunique():,} shares; numpy computes on one core."
    return [_figure(place, name, [_timed(part) for _ in range(rounds)], note) for name, part in parts.items()]


def _figure(place: Place, name: str, times: list[float], note: str) -> Figure:
    place.say(f"{name}: {', '.join(f'{seconds:.1f}' for seconds in times)} s")
    return Figure(
        f"{name} / a minute",
        tuple(seconds / _SECONDS for seconds in times),
        f"{sorted(times)[len(times) // 2]:.1f} s",
        "60 s",
        target=1.0,
        at_least=False,
        note=note,
    )


def _timed(part: Callable[[], object]) -> float:
    begun = time.process_time()
    part()
    return time.process_time() - begun
