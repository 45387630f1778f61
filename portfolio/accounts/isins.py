"""The ISIN of a share on a day, where the tables know it."""

from collections.abc import Collection
from datetime import date

from market_data.models import CorporateAction
from stocks.models import Stock

_NEW_ISIN = ("split", "consolidation")
"""Kinds that change the face value, for which a new ISIN is issued."""


def isins_on(symbols: Collection[str], day: date) -> dict[str, str]:
    """The ISINs of shares by their symbols of a day; one that had another since, or that no list names, is missing."""
    known = Stock.objects.filter(symbol__in=symbols).exclude(isin=None).values_list("symbol", "isin")
    changed = CorporateAction.objects.filter(symbol__in=symbols, ex_date__gt=day, kind__in=_NEW_ISIN)
    since = set(changed.exclude(status=CorporateAction.Status.REJECTED).values_list("symbol", flat=True))
    return {symbol: isin for symbol, isin in known if isin and symbol not in since}
