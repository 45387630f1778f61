"""Twin of market_data/prices/inference.py."""

from collections.abc import Hashable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.prices.events import DETACHED, FACTOR_KINDS, SPECIAL_PREOPEN
from market_data.prices.inference import inferred_events
from tests.market_data import real_market
from tests.market_data.frames import bars_of, day_after, events_of

OHLC = ["open", "high", "low", "close"]
FUND: dict[Hashable, str] = {"ABC": "fund"}


@pytest.mark.parametrize("factor", [1 / 2, 2 / 5, 1 / 3, 1 / 4, 1 / 5, 1 / 10, 1 / 15, 1 / 20, 1 / 100])
def test_an_opening_below_the_band_near_a_simple_ratio_is_a_split(factor: float) -> None:
    today, history = day_after(factor * 1.02, turnover=2.5)
    events = inferred_events(today, history, history["date"].iloc[0])
    assert events["factor"].tolist() == [factor]
    assert events["status"].tolist() == ["inferred"]
    assert events["ex_date"].tolist() == events["known_on"].tolist() == today["date"].tolist()
    evidence = events["evidence"].tolist()[0]
    assert evidence["ground"] == "price"
    assert evidence["open_over_adjusted"] == pytest.approx(1.02, abs=1e-3)
    assert evidence["turnover_over_usual"] == pytest.approx(2.5, rel=0.01)


@pytest.mark.parametrize("turnover", [0.1, 1.0, 40.0])
@pytest.mark.parametrize("ratio", [0.5347, 0.477, 0.2156, 0.195])
def test_the_band_alone_proves_it_whatever_was_traded(ratio: float, turnover: float) -> None:
    today, history = day_after(ratio, held=1.08, turnover=turnover)
    assert inferred_events(today, history, None)["factor"].tolist() == [0.5 if ratio > 0.4 else 0.2]


@pytest.mark.parametrize(
    "day",
    [
        day_after(0.2, held=1.3),  # leaves the band of its new base
        day_after(0.225),  # near no simple ratio, and deeper than a demerger
        day_after(0.2374),  # a quarter, or a fifth that opened high
        day_after(0.1065),  # a bonus of 10:1 that opened high, or a split to a tenth
        day_after(0.68),  # a bonus of 1:2 or a rights issue
        day_after(1.0, held=0.2),  # falls during the day
        day_after(5.0),  # rises
    ],
)
def test_what_does_not_look_like_a_split_is_left_alone(day: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    today, history = day
    assert inferred_events(today, history, None).empty


def test_nothing_is_inferred_inside_the_official_coverage_or_beside_a_known_event() -> None:
    today, history = day_after(0.1)
    day = today["date"].iloc[0]
    assert inferred_events(today, history, day).empty
    assert len(inferred_events(today, history, day - pd.Timedelta(days=1))) == 1
    for known in (
        events_of(("ABC", f"{day:%Y-%m-%d}", "Face Value Split From Rs 10 To Re 1")),
        events_of(("ABC", f"{day - pd.Timedelta(days=2):%Y-%m-%d}", "Bonus 9:1")),
        events_of(("ABC", f"{day:%Y-%m-%d}", "Rights 1:1 @ Premium Rs 1/-")),
    ):
        assert inferred_events(today, history, None, known).empty
    other = events_of(("XYZ", f"{day:%Y-%m-%d}", "Bonus 9:1"))
    assert len(inferred_events(today, history, None, other)) == 1


def test_after_a_gap_nothing_is_inferred() -> None:
    today, history = day_after(0.1)
    market = pd.concat([history.iloc[:25], bars_of([5.0] * 30, "XYZ")], ignore_index=True)
    assert inferred_events(today, market, None).empty


def test_a_list_covers_companies_of_the_main_board_only() -> None:
    today, history = day_after(0.1)
    day = today["date"].iloc[0]
    assert inferred_events(today, history, day, kinds={"ABC": "share"}).empty
    assert len(inferred_events(today, history, day, kinds=FUND)) == 1
    assert len(inferred_events(today, history, day, kinds={})) == 1
    assert len(inferred_events(today.assign(series="SM"), history, day, kinds={"ABC": "share"})) == 1


def test_an_action_that_the_list_names_unreadably_is_settled_by_the_price() -> None:
    today, history = day_after(0.1)
    day = today["date"].iloc[0]
    unread = events_of(("ABC", f"{day:%Y-%m-%d}", "Fv Spl"))
    assert inferred_events(today, history, day, unread)["factor"].tolist() == [0.1]


def test_a_fund_opens_anywhere_in_its_band_and_never_demerges() -> None:
    today, history = day_after(0.1197, held=0.84)
    assert inferred_events(today, history, None).empty
    assert inferred_events(today, history, None, kinds=FUND)["factor"].tolist() == [0.1]
    stray, history = day_after(0.7674, held=1.29)
    assert inferred_events(stray, history, None, kinds=FUND).empty
    fallen, history = day_after(0.6)
    assert inferred_events(fallen, history, None, kinds=FUND).empty


def test_the_opening_of_the_ex_date_is_the_ratio_of_a_demerger() -> None:
    """However small it is, inside what the list covers, and beside a bonus of the same day."""
    today, history = day_after(0.91)
    day = f"{today['date'].iloc[0]:%Y-%m-%d}"
    events = inferred_events(today, history, today["date"].iloc[0], events_of(("ABC", day, "Demerger")))
    assert events[["kind", "source", "status"]].to_numpy().tolist() == [["demerger", SPECIAL_PREOPEN, "inferred"]]
    assert events["factor"].tolist() == pytest.approx([0.91])
    assert events["evidence"].tolist()[0]["official_purpose"] == "Demerger"
    with_bonus = events_of(("ABC", day, "Demerger"), ("ABC", day, "Bonus 1:1"))
    halved, history = day_after(0.46)
    assert inferred_events(halved, history, None, with_bonus)["factor"].tolist() == pytest.approx([0.92])


@pytest.mark.parametrize(
    ("ratio", "purpose", "factors"),
    [
        (1.01, "Demerger", []),  # rose by more than it gave away
        (0.95, "Scheme Of Arrangement", []),  # an amalgamation detaches nothing
        (0.55, "Composite Scheme Of Arrangement", [0.55]),
        (0.497, "De-Merger", [0.497]),  # near a half, and no split
    ],
)
def test_which_schemes_give_something_away(ratio: float, purpose: str, factors: list[float]) -> None:
    today, history = day_after(ratio)
    known = events_of(("ABC", f"{today['date'].iloc[0]:%Y-%m-%d}", purpose))
    assert inferred_events(today, history, None, known)["factor"].tolist() == pytest.approx(factors)


def test_a_demerger_is_measured_once() -> None:
    today, history = day_after(0.91)
    known = events_of(("ABC", f"{today['date'].iloc[0]:%Y-%m-%d}", "Demerger"))
    measured = inferred_events(today, history, None, known)
    assert inferred_events(today, history, None, pd.concat([known, measured], ignore_index=True)).empty


@pytest.mark.parametrize("ratio", [0.3742, 0.437, 0.605, 0.77])
def test_any_other_opening_below_the_band_shows_that_something_was_detached(ratio: float) -> None:
    today, history = day_after(ratio)
    events = inferred_events(today, history, None)
    assert events[["kind", "source"]].to_numpy().tolist() == [["demerger", DETACHED]]
    assert events["factor"].tolist() == pytest.approx([ratio])
    more_shares = pd.DataFrame({"symbol": ["ABC"], "before": [1e6], "today": [1.3e6]})
    assert inferred_events(today, history, None, issue_sizes=more_shares).empty


def test_a_ratio_inside_the_band_or_common_to_rights_issues_needs_a_second_fact() -> None:
    for ratio, factor in ((0.81, 4 / 5), (0.67, 2 / 3)):
        today, history = day_after(ratio)
        assert inferred_events(today, history, None).empty
        issued = pd.DataFrame({"symbol": ["ABC"], "before": [1e6], "today": [1e6 / factor]})
        events = inferred_events(today, history, None, issue_sizes=issued)
        assert events[["source", "factor"]].to_numpy().tolist() == [["issue_size", factor]]
        assert inferred_events(today, history, None, issue_sizes=issued.assign(today=1e6)).empty
        renumbered = inferred_events(today.assign(isin="INE111A01023"), history.assign(isin="INE111A01015"), None)
        assert renumbered[["source", "factor"]].to_numpy().tolist() == [["isin", factor]]
        assert inferred_events(today.assign(isin="INE999Z01011"), history.assign(isin="INE111A01015"), None).empty


def test_an_unchanged_number_of_shares_refutes_even_a_deep_ratio() -> None:
    today, history = day_after(0.1)
    unchanged = pd.DataFrame({"symbol": ["ABC"], "before": [1e6], "today": [1e6]})
    assert inferred_events(today, history, None, issue_sizes=unchanged).empty


def test_prices_rewritten_without_their_turnover_are_no_split() -> None:
    today, history = day_after(0.1)
    today["volume"] = history["volume"].iloc[-1]
    assert inferred_events(today, history, None).empty


@given(st.floats(0.0, 0.20), st.floats(0.8, 1.2), st.floats(0.02, 50))
def test_crashes_inside_the_band_are_left_alone(crash: float, held: float, turnover: float) -> None:
    today, history = day_after(1 - crash, held, turnover)
    assert inferred_events(today, history, None).empty
    assert inferred_events(today, history, None, kinds=FUND).empty


@given(st.floats(0.02, 1.5), st.floats(0.02, 1.5))
def test_later_sessions_and_other_symbols_change_nothing(ratio: float, garble: float) -> None:
    today, history = day_after(ratio)
    other_today, other_history = day_after(0.1, symbol="XYZ")
    both = inferred_events(
        pd.concat([today, other_today]), pd.concat([history, other_history]).sort_values(["symbol", "date"]), None
    )
    alone = inferred_events(today, history, None)
    mine = both.loc[both["symbol"] == "ABC"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone)
    old = history.copy()
    old.loc[old.index[:5], OHLC] *= garble  # rows before the last twenty
    pd.testing.assert_frame_equal(inferred_events(today, old, None), alone)


def test_empty_input_and_two_sessions_at_once() -> None:
    today, history = day_after(0.1)
    assert inferred_events(today.iloc[:0], history, None).empty
    assert inferred_events(today, history.iloc[:0], None).empty
    with pytest.raises(ValueError, match="one session"):
        inferred_events(history, history, None)


@pytest.mark.real
def test_inference_without_the_list_finds_only_true_splits() -> None:
    """On shares over the covered years: 158 of the 185 below the band, each official with that factor."""
    inferred = real_market.inferred_without_list()
    inferred = inferred.loc[inferred["ex_date"] <= real_market.COVERED_UNTIL]
    official = real_market.events()
    official = official.loc[official["kind"].isin(FACTOR_KINDS)]
    true = official.groupby(["symbol", "ex_date"])["factor"].prod().rename("true")
    listed = inferred.merge(true, on=["symbol", "ex_date"], how="left")
    splits = listed.loc[listed["kind"].ne("demerger")]
    shares = splits.loc[splits["true"].notna()]
    assert len(shares) == 158
    assert np.allclose(shares["factor"], shares["true"])
    others = splits.loc[splits["true"].isna(), "symbol"]
    assert others.str.contains("ETF|HDFC|NIFTY").all(), others.tolist()
    # The opening cannot tell a demerger from a rights issue, a special dividend or an odd bonus: these stay flagged.
    demergers = listed.loc[listed["kind"].eq("demerger")]
    assert set(demergers["source"]) == {DETACHED}
    opened_high = (demergers["factor"] / demergers["true"]).dropna()
    assert len(opened_high) == 7
    assert opened_high.between(1.0, 1.14).all()


@pytest.mark.real
def test_unit_splits_of_funds_and_demergers_of_the_list_inside_its_span() -> None:
    """Twenty fund splits of 1:10, and the four demergers whose shares traded on both sides of the ex-date."""
    funds = dict.fromkeys(real_market.FUNDS_SPLIT, "fund")
    events = [
        inferred_events(
            real_market.session_bars(day),
            real_market.history(day),
            real_market.COVERED_UNTIL,
            real_market.events(),
            kinds=dict.fromkeys(real_market.session_bars(day)["symbol"], "share") | funds,
        )
        for day in real_market.sessions_with_jumps()
        if day <= real_market.COVERED_UNTIL
    ]
    inferred = pd.concat([frame for frame in events if len(frame)])
    splits = inferred.loc[inferred["kind"].eq("split")]
    assert sorted(splits["symbol"]) == sorted(real_market.FUNDS_SPLIT)
    assert set(splits["factor"]) == {0.1}
    demergers = inferred.loc[inferred["kind"].eq("demerger")].set_index("symbol")["factor"].round(3)
    assert demergers.to_dict() == {"RELIANCE": 0.908, "ITC": 0.946, "SIEMENS": 0.497, "ABFRL": 0.364}


@pytest.mark.real
def test_later_inferred_events_of_the_sample() -> None:
    """After the list ends: splits and bonuses, each looked at by eye and confirmed by the counts that are known."""
    inferred = real_market.inferred_without_list()
    inferred = inferred.loc[inferred["ex_date"] > real_market.COVERED_UNTIL]
    splits = inferred.loc[inferred["kind"].ne("demerger")]
    factors = dict(zip(splits["symbol"], splits["factor"], strict=True))
    for symbol, factor in {
        "HDFCBANK": 1 / 2,
        "NESTLEIND": 1 / 2,
        "VRLLOG": 1 / 2,
        "INDIAGLYCO": 1 / 2,
        "DEVIT": 2 / 5,
        "KELLTONTEC": 1 / 5,
        "KOTAKBANK": 1 / 5,
        "MCX": 1 / 5,
        "TATAINVEST": 1 / 10,
        "ANGELONE": 1 / 10,
        "PATANJALI": 1 / 3,
        "NAZARA": 1 / 4,
        "ADANIPOWER": 1 / 5,
    }.items():
        assert factors[symbol] == pytest.approx(factor)
    assert "KARURVYSYA" not in factors  # 0.819 lies inside the band
    assert len(splits) == 71
    # VEDL and TMPV demerged; LGHL and RMDRIP gave odd bonuses, HCC and SADHNANIQ sold rights: all stay flagged.
    demergers = inferred.loc[inferred["kind"].eq("demerger")]
    assert sorted(demergers["symbol"]) == ["HCC", "LGHL", "RMDRIP", "SADHNANIQ", "TMPV", "VEDL"]


@pytest.mark.real
@pytest.mark.parametrize("share_of_day", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("turnover", [1.0, 3.0, 10.0])
def test_injected_crashes_are_left_alone(share_of_day: float, turnover: float) -> None:
    """Every share of four sessions falls by 25-60 %: at the opening as far as its band allows (0), less so (0.5), or
    during the day alone (1)."""
    rng = np.random.default_rng(11)
    for session in real_market.sessions()[[620, 660, 700, 740]]:
        today, history = real_market.session_bars(session).copy(), real_market.history(session)
        crash = rng.uniform(0.25, 0.60, len(today))
        lowest = (0.8 * today["prev_close"] / today["open"]).clip(upper=1)
        at_opening, by_close = np.maximum((1 - crash) ** (1 - share_of_day), lowest), 1 - crash
        today["open"] *= at_opening
        today["high"] *= at_opening
        today["low"] *= by_close
        today["close"] *= by_close
        today["volume"] = (today["volume"] * turnover).astype("int64")
        today["turnover_lakh"] *= turnover * by_close
        inferred = real_market.inferred_without_list()
        genuine = inferred.loc[inferred["ex_date"] == session, "symbol"]
        inferred = inferred_events(today.loc[~today["symbol"].isin(genuine)], history, None)
        assert inferred.empty, inferred[["symbol", "factor", "evidence"]].to_dict("records")
