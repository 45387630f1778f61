"""Past places as a backtest reads them."""

import pandas as pd
import pytest

from portfolio.backtest.lists import lists_by_session, wanted_symbols
from portfolio.backtest.parameters import BacktestError
from tests.portfolio.backtest.markets import weekdays

DAYS = weekdays(3)


def places(*rows: tuple[int, str, int]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [(DAYS[n], symbol, place) for n, symbol, place in rows], columns=["session", "symbol", "place"]
    )
    return frame.astype({"session": "datetime64[ns]", "symbol": object})


def test_the_first_places_of_each_session_best_first():
    rows = places((0, "B", 2), (0, "A", 1), (0, "C", 3), (1, "C", 1), (2, "D", 1))
    lists = lists_by_session(rows, DAYS[:2], "model", keep=2)
    assert lists == {DAYS[0]: [("A", 1), ("B", 2)], DAYS[1]: [("C", 1)]}
    assert wanted_symbols(lists, DAYS[:2], every=2) == ["A", "B"]
    assert wanted_symbols(lists, DAYS[:2], every=1) == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([(0, "A", 1), (1, "A", 1), (1, "B", 1)], "The list model of 2025-01-07 has the place 1 twice"),
        ([(0, "A", 1), (0, "A", 2)], "The list model of 2025-01-06 has the symbol A twice"),
    ],
)
def test_a_doubled_place_or_symbol_is_refused(rows, sentence):
    with pytest.raises(BacktestError, match=sentence):
        lists_by_session(places(*rows), DAYS, "model", keep=2)
