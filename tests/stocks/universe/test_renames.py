"""Renames: proofs, their order, and what is no proof."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocks.universe.renames import RENAME_COLUMNS, renames
from tests.market_data import real_market

TODAY, YESTERDAY = pd.Timestamp("2025-04-09"), pd.Timestamp("2025-04-08")


def _bars(day: pd.Timestamp, *rows: tuple[str, float, float]) -> pd.DataFrame:
    """Rows of (symbol, previous close, close); the opening is the previous close."""
    frame = pd.DataFrame(rows, columns=["symbol", "prev_close", "close"]).astype({"symbol": object})
    return frame.assign(open=frame["prev_close"], date=day)


def _pairs(proven: pd.DataFrame) -> list[tuple[str, str, str]]:
    return list(proven[["from_symbol", "to_symbol", "proof"]].itertuples(index=False, name=None))


BEFORE = _bars(YESTERDAY, ("ZOMATO", 210.0, 215.19), ("TCS", 3300.0, 3310.0), ("GONE", 50.0, 51.25))
KNOWN = {"ZOMATO", "TCS", "GONE"}


def test_a_previous_close_equal_to_the_paisa_is_a_proof() -> None:
    today = _bars(TODAY, ("ETERNAL", 215.19, 217.0), ("TCS", 3310.0, 3320.0), ("IPO", 99.0, 120.0))
    proven = renames(today, BEFORE, KNOWN)
    assert list(proven.columns) == list(RENAME_COLUMNS)
    assert _pairs(proven) == [("ZOMATO", "ETERNAL", "prev_close")]
    assert proven["date"].tolist() == [TODAY]


@pytest.mark.parametrize(
    "today",
    [
        _bars(TODAY, ("ETERNAL", 215.18, 217.0)),  # a paisa off
        _bars(TODAY, ("ETERNAL", 215.19, 217.0), ("OTHER", 215.19, 300.0)),  # two new ones claim it
        _bars(TODAY, ("ETERNAL", 215.19, 217.0), ("ZOMATO", 215.19, 216.0)),  # the old one still trades
        _bars(TODAY, ("ETERNAL", 215.19, 217.0)).assign(open=300.0),  # opens outside every price band
    ],
)
def test_insufficient_proofs(today: pd.DataFrame) -> None:
    assert renames(today, BEFORE, KNOWN).empty


def test_two_candidates_with_the_same_close_prove_nothing() -> None:
    before = _bars(YESTERDAY, ("LIQUIDA", 1000.0, 1000.0), ("LIQUIDB", 1000.0, 1000.0))
    today = _bars(TODAY, ("LIQUIDC", 1000.0, 1000.01))
    assert renames(today, before, {"LIQUIDA", "LIQUIDB"}).empty


def test_only_the_session_just_before_counts() -> None:
    today = _bars(TODAY, ("ETERNAL", 215.19, 217.0))
    last_week = BEFORE.loc[BEFORE["symbol"] != "ZOMATO"]
    assert renames(today, last_week, KNOWN).empty


def test_a_symbol_that_traded_before_is_not_new() -> None:
    today = _bars(TODAY, ("ETERNAL", 215.19, 217.0))
    assert renames(today, BEFORE, KNOWN | {"ETERNAL"}).empty


def test_isins_prove_and_contradict() -> None:
    today = _bars(TODAY, ("ETERNAL", 215.19, 217.0), ("BACK", 10.0, 11.0))
    same = {"GONE": "INE111A01011", "BACK": "INE111A01011"}
    assert _pairs(renames(today, BEFORE, KNOWN, same)) == [
        ("GONE", "BACK", "isin"),
        ("ZOMATO", "ETERNAL", "prev_close"),
    ]
    stranger = {"ZOMATO": "INE758T01015", "ETERNAL": "INE999Z01011"}
    assert renames(today, BEFORE, KNOWN, stranger).empty
    after_a_split = {"ZOMATO": "INE758T01015", "ETERNAL": "INE758T01023"}
    assert _pairs(renames(today, BEFORE, KNOWN, after_a_split)) == [("ZOMATO", "ETERNAL", "prev_close")]


def test_the_exchanges_list_takes_precedence() -> None:
    official = pd.DataFrame(
        {"from_symbol": ["GONE", "TCS"], "to_symbol": ["ETERNAL", "ETERNAL2"], "date": [TODAY, TODAY]}
    )
    today = _bars(TODAY, ("ETERNAL", 215.19, 217.0), ("TCS", 3310.0, 3320.0))
    assert _pairs(renames(today, BEFORE, KNOWN, official=official)) == [("GONE", "ETERNAL", "exchange")]
    early = official.assign(date=TODAY + pd.Timedelta(days=1))
    assert _pairs(renames(today, BEFORE, KNOWN, official=early)) == [("ZOMATO", "ETERNAL", "prev_close")]


def test_empty_sessions_and_wrong_input() -> None:
    today = _bars(TODAY, ("ETERNAL", 215.19, 217.0))
    assert renames(today.iloc[:0], BEFORE, KNOWN).empty
    assert renames(today, BEFORE.iloc[:0], KNOWN).empty
    with pytest.raises(ValueError, match="must lie before"):
        renames(BEFORE, today, KNOWN)
    with pytest.raises(ValueError, match="one session"):
        renames(pd.concat([today, BEFORE]), BEFORE, KNOWN)


closes = st.dictionaries(st.sampled_from([f"S{n}" for n in range(12)]), st.sampled_from([1.0, 1.05, 2.0, 3.5]))


@given(closes, closes)
def test_no_symbol_is_used_twice_and_all_rules_hold(before: dict[str, float], after: dict[str, float]) -> None:
    yesterday = _bars(YESTERDAY, *((s, 1.0, price) for s, price in before.items()))
    today = _bars(TODAY, *((s, price, price) for s, price in after.items()))
    proven = renames(today, yesterday, set(before))
    assert proven["from_symbol"].is_unique
    assert proven["to_symbol"].is_unique
    for old, new, _ in _pairs(proven):
        assert old in before
        assert old not in after
        assert new not in before
        assert before[old] == after[new]


@pytest.mark.real
def test_renames_of_the_real_sample() -> None:
    """149 by the price rule; none of the old symbols trades again under its own name, none of the new ones before."""
    proven = real_market.all_renames()
    assert len(proven) == 149
    by_name = dict(zip(proven["from_symbol"], proven["to_symbol"], strict=True))
    for old, new in {
        "ZOMATO": "ETERNAL",
        "TATAMOTORS": "TMPV",
        "MCDOWELL-N": "UNITDSPR",
        "L&TFH": "LTF",
        "AMARAJABAT": "ARE&M",
        "LTIM": "LTM",
        "INFIBEAM": "CCAVENUE",
    }.items():
        assert by_name[old] == new
    bars = real_market.raw_bars()
    first, last = bars.groupby("symbol")["date"].min(), bars.groupby("symbol")["date"].max()
    assert (last.reindex(proven["from_symbol"]).to_numpy() < proven["date"].to_numpy()).all()
    assert (first.reindex(proven["to_symbol"]).to_numpy() == proven["date"].to_numpy()).all()
    assert not real_market.bars().duplicated(["symbol", "date"]).any()
