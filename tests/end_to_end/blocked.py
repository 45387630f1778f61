"""What findings do to a selection that picks: a symbol left out, a day without picks, and both again when they go."""

from datetime import date

from django.db import connection

from market_data.models import Finding
from stocks.models import Publication, SuggestedStock
from stocks.picks.screening import STRATEGIES
from tests.end_to_end import evenings


def picked() -> set[str]:
    """Symbols picked now, by any strategy."""
    return set(SuggestedStock.objects.values_list("symbol", flat=True))


def _turnover_times(factor: float, symbols: list[str], session: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE historical_data SET turnover_lakh = turnover_lakh * %s WHERE date = %s AND symbol = ANY(%s)",
            [factor, session, symbols],
        )


def _checked_and_selected(session: date) -> None:
    evenings.evening(session, "validation")
    evenings.evening(session, "selection")


def a_wrong_bar_keeps_its_symbol_out_until_it_is_right(session: date) -> None:
    """Put one picked symbol's turnover into another unit, and back."""
    before = picked()
    symbol = min(before)
    _turnover_times(100, [symbol], session)
    _checked_and_selected(session)
    assert Finding.objects.get(session=session, blocks=True).symbol == symbol
    assert picked()
    assert symbol not in picked()
    _turnover_times(0.01, [symbol], session)
    _checked_and_selected(session)
    assert picked() == before


def a_wrong_day_has_no_picks_until_it_is_right(session: date) -> None:
    """Put the whole market's turnover into another unit, and back."""
    before = picked()
    with connection.cursor() as cursor:
        cursor.execute("SELECT symbol FROM historical_data WHERE date = %s", [session])
        symbols = [symbol for (symbol,) in cursor.fetchall()]
    _turnover_times(100, symbols, session)
    _checked_and_selected(session)
    assert not picked()
    publications = Publication.objects.filter(date=session, superseded_at=None)
    assert publications.count() == len(STRATEGIES)
    for publication in publications:
        assert publication.count == 0
        assert publication.reason.startswith(f"The data of {session} failed a check: {len(symbols)} symbols")
    _turnover_times(0.01, symbols, session)
    _checked_and_selected(session)
    assert picked() == before
