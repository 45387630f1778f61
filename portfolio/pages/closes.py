"""Recent closes for sparklines."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from market_data.models import DailyBar

SPARK_SESSIONS: Final = 60
# Sixty sessions take about ninety calendar days; the rest covers long holidays.
_SPARK_DAYS: Final = 110


def recent_closes(symbols: Sequence[str], until: date, sessions: int = SPARK_SESSIONS) -> dict[str, list[float]]:
    """Each symbol's last closes up to a date, in ₹, oldest first; a symbol without a bar is missing.

    They are scaled so that the last one is the published close: splits and bonuses leave no step in the line, and the
    levels of a pick of that date are on the same scale. Nothing later is read.
    """
    rows = (
        DailyBar.objects.filter(
            symbol__symbol__in=symbols, date__gt=until - timedelta(days=_SPARK_DAYS), date__lte=until
        )
        .order_by("symbol_id", "date")
        .values_list("symbol__symbol", "close", "adj_close")
    )
    lines: dict[str, list[tuple[float, float]]] = {}
    for symbol, close, adjusted in rows:
        if close is not None:
            lines.setdefault(symbol, []).append((close, adjusted or close))
    closes = {}
    for symbol, line in lines.items():
        close, adjusted = line[-1]
        closes[symbol] = [value * close / adjusted for _, value in line[-sessions:]]
    return closes
