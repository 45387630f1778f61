"""Twin of market_data/prices/openings.py."""

import numpy as np
import pandas as pd
import pytest

from market_data.prices.openings import below_band, far_openings
from tests.market_data import real_market
from tests.market_data.frames import bars_of, day_after, events_of


def test_what_no_price_band_allows() -> None:
    """A fifth, and a price step for the rounding of the limit."""
    facts = pd.DataFrame({"prev_close": [100.0, 100.0, 100.0, 0.85], "open": [80.0, 79.96, 79.9, 0.65]})
    assert below_band(facts).tolist() == [False, False, True, False]


def test_far_openings_are_the_rows_where_something_can_be_found() -> None:
    today, history = day_after(0.1)
    bars = pd.concat([history, today, bars_of([900.0, 901.0], "XYZ")], ignore_index=True)
    assert np.flatnonzero(far_openings(bars)).tolist() == [30]
    unnoticed = events_of(("XYZ", f"{bars['date'].iloc[-1]:%Y-%m-%d}", "Bonus 1:1"))
    assert np.flatnonzero(far_openings(bars, unnoticed)).tolist() == [30, 32]
    assert not far_openings(history).any()
    given_away = events_of(("XYZ", f"{bars['date'].iloc[-1]:%Y-%m-%d}", "Demerger"))
    assert np.flatnonzero(far_openings(bars, given_away)).tolist() == [30, 32]


@pytest.mark.real
def test_the_previous_close_of_the_files_is_never_adjusted() -> None:
    """Of 1.5 million pairs of sessions, 201 of them ex-dates of splits and bonuses."""
    bars = real_market.bars()
    position = pd.Series(range(len(real_market.sessions())), index=real_market.sessions())
    ordinal = bars["date"].map(position)
    follows = bars["symbol"].eq(bars["symbol"].shift()) & ordinal.diff().eq(1)
    assert follows.sum() > 1_500_000
    assert ((bars["prev_close"] / bars["close"].shift() - 1).abs()[follows] < 0.005).all()
