"""Outcomes of picks by hand: entry at the next open, adjusted prices, None where unknown."""

import pytest

from portfolio.pages.figures.outcomes import Bar, average, outcomes
from tests.portfolio.market import sessions

DAYS = sessions(12)


def bars(closes=None, until=11, skip=()):
    closes = closes or [100.0 + n for n in range(12)]
    return {
        ("AAA", day): Bar(close - 0.5, close + 1, close - 1, close, 1.0)
        for day, close in zip(DAYS[: until + 1], closes, strict=False)
        if day not in skip
    }


def halved(bar):
    return Bar(bar.open / 2, bar.high / 2, bar.low / 2, bar.close / 2, 1.0)


def test_entry_is_the_open_of_the_session_after():
    outcome = outcomes([{"symbol": "AAA", "target_price": 105.0, "stop_loss": 90.0}], bars(), DAYS)[0]
    assert outcome.entry == 100.5
    assert outcome.returns_pct == pytest.approx([(c / 100.5 - 1) * 100 for c in (101.0, 105.0, 110.0)])
    assert outcome.target_on == DAYS[4]  # high 105
    assert outcome.stop_on is None
    assert outcome.first_reached == "target"


def test_future_returns_are_unknown():
    first_bars = bars(until=5)
    partial = outcomes([{"symbol": "AAA"}], first_bars, DAYS[:6])[0]
    assert partial.returns_pct[1] is not None
    assert partial.returns_pct[2] is None
    unopened = outcomes([{"symbol": "AAA"}], first_bars, DAYS[:1])[0]
    assert unopened.entry is None
    assert unopened.returns_pct == (None, None, None)


def test_a_share_that_did_not_trade_has_no_entry_and_a_gap_is_not_filled():
    assert outcomes([{"symbol": "AAA"}], bars(skip=(DAYS[1],)), DAYS)[0].returns_pct == (None, None, None)
    gap = outcomes([{"symbol": "AAA"}], bars(skip=(DAYS[5],)), DAYS)[0]
    assert gap.returns_pct[0] is not None
    assert gap.returns_pct[1] is None
    assert outcomes([{"symbol": "ZZZ"}], bars(), DAYS)[0].entry is None


def test_a_split_causes_no_loss_and_scales_the_levels():
    whole = bars()
    split = {
        (symbol, day): bar._replace(factor=0.5) if day < DAYS[6] else halved(bar)
        for (symbol, day), bar in whole.items()
    }
    pick = [{"symbol": "AAA", "target_price": 108.0, "stop_loss": 99.0}]
    before, after = outcomes(pick, whole, DAYS)[0], outcomes(pick, split, DAYS)[0]
    assert after.returns_pct == pytest.approx(before.returns_pct)
    assert (after.entry, after.target_on, after.stop_on) == (before.entry, before.target_on, before.stop_on)


def test_target_and_stop_on_one_day_leave_the_order_open():
    wide = bars(closes=[100.0] * 12)
    wide["AAA", DAYS[3]] = wide["AAA", DAYS[3]]._replace(high=120.0, low=80.0)
    pick = {"symbol": "AAA", "target_price": 110.0, "stop_loss": 90.0}
    assert outcomes([pick], wide, DAYS)[0].first_reached == "both"
    early = wide | {("AAA", DAYS[2]): wide["AAA", DAYS[2]]._replace(low=85.0)}
    assert outcomes([pick], early, DAYS)[0].first_reached == "stop"


def test_an_average_ignores_unknown_returns():
    mean = average([1.0, None, -3.0, 5.0])
    assert (mean.picks, mean.measured, mean.mean_pct, mean.winners) == (4, 3, 1.0, 2)
    assert average([None]).mean_pct is None
