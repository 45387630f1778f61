"""Twin of market_data/prices/events.py."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_data.prices.events import (
    EVENT_COLUMNS,
    FACTOR_KINDS,
    KINDS,
    blocked_events,
    empty_events,
    official_events,
    parse_purpose,
    unsettled_events,
)
from tests.market_data import real_market
from tests.market_data.frames import events_of, records

NONE = math.nan

# Each line read by hand from the exchange's list; spellings as published.
READ_BY_HAND = [
    ("Bonus 1:1", [("bonus", 1 / 2)]),
    (" Bonus 1:2", [("bonus", 2 / 3)]),
    ("Bonus- 1:2", [("bonus", 2 / 3)]),
    (" Bonus 1: 2", [("bonus", 2 / 3)]),
    ("Bonus  3:2", [("bonus", 2 / 5)]),
    ("Bonus 6:11", [("bonus", 11 / 17)]),
    ("Bonus 17:25", [("bonus", 25 / 42)]),
    ("BONUS 1:1", [("bonus", 1 / 2)]),
    ("Face Value Split (Sub-Division) - From Rs 10/- Per Share To Re 1/- Per Share", [("split", 1 / 10)]),
    ("Face Value Split (Sub-Division) - From Rs10/- Per Share To Rs 5/- Per Share", [("split", 1 / 2)]),
    ("Face Value Split (Sub-Division) - From Rs 10 /- Per Share To Rs 2/- Per Share", [("split", 1 / 5)]),
    ("Face Value Split (Sub-Division) - From Rs 10 Per Share To Rs 5  Per Share", [("split", 1 / 2)]),
    ("Face Value Split (Sub-Division) - From Rs 5 Per Share To Rs 2 Per Share", [("split", 2 / 5)]),
    (" Face Value Split From Rs 10 To Re 2", [("split", 1 / 5)]),
    (" Fv Splt Frm Rs 10 To Re 1", [("split", 1 / 10)]),
    ("FVSPLT FRM RS 10 TO RS 5", [("split", 1 / 2)]),
    (
        " Bonus 1:3/Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 5/- Per Share",
        [("split", 1 / 2), ("bonus", 3 / 4)],
    ),
    (
        " Interim Div - Rs 6/- Per Share + Face Value Split (Sub-Division) - From Rs 10/- Per Share "
        "To Re 1/- Per Share",
        [("split", 1 / 10), ("dividend", NONE)],
    ),
    (
        " Annual General Meeting/Dividend - Rs 2.50 Per Share/Bonus 1:10 (Revised)",
        [("bonus", 10 / 11), ("dividend", NONE)],
    ),
    ("Consolidation Of Equity Shares From Re 1 Per Share To Rs 10 Per Share", [("consolidation", 10.0)]),
    (
        " Capital Reduction Rs 10 To Rs 3.30 / Consolidation Rs 3.30 To Rs.10",
        [("consolidation", 10 / 3.3), ("capital_reduction", NONE)],
    ),
    (" Capital Reduction -  From Rs 10/- To Rs 4/- Per Share", [("capital_reduction", NONE)]),
    ("Capital Reduction Pursuant To Nclt Order", [("capital_reduction", NONE)]),
    ("Bonus Ncrps 1:116", [("other", NONE)]),
    (" Scheme Of Arrangement - Bonus Ncrps 1:10", [("other", NONE), ("demerger", NONE)]),
    (
        " Scheme Of Arangement- Bonus - 1 Debenture For 1 Equity Share Held",
        [("other", NONE), ("demerger", NONE)],
    ),
    ("Demerger", [("demerger", NONE)]),
    ("De-Merger", [("demerger", NONE)]),
    (" Sheme Of Arrangement", [("demerger", NONE)]),
    ("Rights 1:4@ Premium Rs 110/-", [("rights", NONE)]),
    (" Dividend - Re 1/- Per Share/ Right 1:5", [("rights", NONE), ("dividend", NONE)]),
    (
        " Rights:14 Compulosry Convertible Debentures For Every 15 Equity Shares",
        [("rights", NONE)],
    ),
    ("Interim Dividend - Re 1/- Per Share (Purpose Revised)", [("dividend", NONE)]),
    ("Buy Back", [("other", NONE)]),
    ("Bon 2:1", [("bonus", 1 / 3)]),
    ("Bon 1:1/Fv Spl Rs.5tors.2", [("split", 2 / 5), ("bonus", 1 / 2)]),
    ("Bonus Shares In The Ratio Of 1:1", [("bonus", 1 / 2)]),
    ("Split-Rs.10tors.2/Div-60%Purpose Revised", [("split", 1 / 5), ("dividend", NONE)]),
    ("Agm/Div-10%/Bouns 1:1", [("bonus", 1 / 2), ("dividend", NONE)]),
    ("Fv Chg Rs.10/- To Re.1/-", [("split", 1 / 10)]),
    ("Face Value Split/Sub-Division Rs 10/ Per Share To Rs 5/ Per Share", [("split", 1 / 2)]),
    ("Bonus 1 Dvr : 10 Eq Share", [("other", NONE)]),
    ("Bonus 1:10 (Dvr)", [("other", NONE)]),
    ("Bonus 1:1/Bonus 1:21 Ccps", [("bonus", 1 / 2)]),
    ("Bonus Warrants 1:5", [("other", NONE)]),
    ("Reduction Of Face Value From Rs 10 To Rs 5", [("capital_reduction", NONE)]),
    ("Agm/Spl Div- Rs.5/- Div-7.5/-", [("dividend", NONE)]),
    ("Buyback Of Bonds", [("other", NONE)]),
    ("Bonus Shares", [("unread", NONE)]),
    ("Bonus 0:1", [("unread", NONE)]),
    ("Sub-Division 10:1", [("unread", NONE)]),
    ("Bon 1:1/Fv Spl", [("bonus", 1 / 2), ("unread", NONE)]),
    ("Consolidation Of Shares", [("unread", NONE)]),
    ("Annual General Meeting", []),
    ("Extra Ordinary General Meeting", []),
    (" Annual General Meeting (Book Closure Dates Revised)", []),
]


@pytest.mark.parametrize(("purpose", "actions"), READ_BY_HAND)
def test_purposes_read_by_hand(purpose: str, actions: list[tuple[str, float]]) -> None:
    parsed = parse_purpose(purpose)
    assert sorted(action.kind for action in parsed) == sorted(kind for kind, _ in actions)
    for kind, factor in actions:
        parsed_factor = next(action.factor for action in parsed if action.kind == kind)
        assert parsed_factor == pytest.approx(factor, nan_ok=True)


def test_a_split_without_a_ratio_is_unread_and_blocks_labels_until_it_is_settled() -> None:
    unread = ("ABC", "2024-03-01", "Face Value Split")
    events = events_of(unread)
    assert events["kind"].tolist() == ["unread"]
    assert events["factor"].isna().all()
    assert len(blocked_events(events)) == len(unsettled_events(events)) == 1
    assert unsettled_events(events.assign(status="rejected")).empty
    for other, left in (
        (("ABC", "2024-03-01", "Face Value Split From Rs 10 To Rs 2"), 0),
        (("ABC", "2024-03-20", "Bonus 1:1"), 1),
        (("XYZ", "2024-03-01", "Bonus 1:1"), 1),
        (("ABC", "2024-03-01", "Dividend - Rs 2 Per Share"), 1),
    ):
        assert len(unsettled_events(events_of(unread, other))) == left, other


def test_what_was_read_of_a_text_does_not_settle_the_rest_of_it() -> None:
    events = events_of(("ABC", "2024-03-01", "Bon 1:1/Fv Spl"))
    assert sorted(events["kind"]) == ["bonus", "unread"]
    assert unsettled_events(events)["kind"].tolist() == ["unread"]


def test_a_split_and_a_bonus_of_equal_factors_are_two_events() -> None:
    events = events_of(("ABC", "2024-12-20", "Bonus 1:1"), ("ABC", "2024-12-20", "Face Value Split From Rs 10 To Rs 5"))
    assert events["factor"].tolist() == [0.5, 0.5]


@given(st.text(max_size=80))
def test_any_text_gives_known_kinds_and_sane_factors(text: str) -> None:
    for action in parse_purpose(text):
        assert action.kind in KINDS
        assert math.isnan(action.factor) or (action.factor > 0 and action.kind in FACTOR_KINDS)


@given(st.integers(1, 50), st.integers(1, 50))
def test_a_bonus_multiplies_the_shares_as_its_ratio_says(new: int, held: int) -> None:
    (action,) = parse_purpose(f"Bonus {new}:{held}")
    assert action.factor * (new + held) == pytest.approx(held)


def test_rows_of_one_day_stay_apart_and_repeats_count_once() -> None:
    raw = pd.DataFrame(
        [
            ("ABC", "EQ", "Bonus 1:1", "2024-03-01"),
            ("ABC", "BE", "BONUS 1:1", "2024-03-01"),
            ("ABC", "IQ", "BONUS 1:1", "2024-03-01"),
            ("ABC", "EQ", "Face Value Split From Rs 10 To Rs 5", "2024-03-01"),
            ("ABC", "EQ", "Dividend - Rs 2 Per Share", "2024-03-01"),
            ("ABC", "EQ", "Special Dividend - Rs 5 Per Share", "2024-03-01"),
            ("GOLD", "GB", "Interest Payment", "2024-03-01"),
        ],
        columns=["symbol", "series", "purpose", "ex_date"],
    )
    events = official_events(raw.assign(source="test"))
    assert list(events.columns) == list(EVENT_COLUMNS)
    assert events["kind"].tolist() == ["bonus", "dividend", "dividend", "split"]
    assert events["factor"].dropna().tolist() == [0.5, 0.5]
    assert set(events["status"]) == {"official"}


def test_a_revised_ratio_of_the_same_day_replaces_the_first() -> None:
    events = events_of(("ABC", "2024-03-01", "Bonus 1:1"), ("ABC", "2024-03-01", "Bonus 1:2 (Revised)"))
    assert events["factor"].tolist() == [pytest.approx(2 / 3)]


def test_an_event_is_known_from_its_publication_or_from_its_ex_date() -> None:
    raw = pd.DataFrame(
        {
            "symbol": ["ABC", "XYZ"],
            "series": "EQ",
            "purpose": "Bonus 1:1",
            "ex_date": pd.to_datetime(["2024-03-01", "2024-03-01"]),
            "known_on": pd.Series([pd.Timestamp("2024-02-20"), pd.NaT]),
            "source": "test",
        }
    )
    assert official_events(raw)["known_on"].astype(str).tolist() == ["2024-02-20", "2024-03-01"]


def test_blocking_events_are_those_with_a_value_outside_the_price() -> None:
    events = events_of(
        ("A", "2024-03-01", "Demerger"),
        ("B", "2024-03-01", "Rights 1:4 @ Premium Rs 10/-"),
        ("C", "2024-03-01", "Capital Reduction"),
        ("D", "2024-03-01", "Bonus 1:1"),
        ("E", "2024-03-01", "Dividend - Rs 2 Per Share"),
    )
    assert blocked_events(events)["symbol"].tolist() == ["A", "B", "C"]
    events["status"] = "rejected"
    assert blocked_events(events).empty


def test_empty_events_have_the_dtypes_of_filled_ones() -> None:
    pd.testing.assert_series_equal(empty_events().dtypes, events_of(("A", "2024-03-01", "Demerger")).dtypes)


@pytest.mark.real
def test_every_official_split_and_bonus_of_the_sample_equals_its_ratio_read_another_way() -> None:
    """Numbers picked from the text with nothing but their order: an independent reading of 255 rows."""
    rows = real_market.actions()
    rows = rows.loc[(rows["ex_date"] >= "2023-04-03") & rows["series"].eq("EQ")]
    text = rows["purpose"].str.strip()
    events = real_market.events()
    events = events.loc[events["kind"].isin(FACTOR_KINDS) & (events["ex_date"] >= "2023-04-03")]
    by_key = {(e.symbol, e.ex_date, e.kind): e.factor for e in events.itertuples(index=False)}
    checked = 0
    for word, kind in (("Bonus", "bonus"), ("Face Value Split", "split"), ("Consolidation", "consolidation")):
        for row in records(rows.loc[text.str.startswith(word)]):
            first, second = (float(number) for number in _numbers(row["purpose"]))
            expected = second / (first + second) if kind == "bonus" else second / first
            assert by_key[(row["symbol"], row["ex_date"], kind)] == pytest.approx(expected, rel=1e-12)
            checked += 1
    assert checked == len(events) == 255


def _numbers(text: str) -> list[str]:
    return "".join(character if character.isdigit() else " " for character in text).split()


@pytest.mark.real
def test_no_official_split_of_ten_years_is_left_without_a_ratio() -> None:
    events = official_events(real_market.actions())
    assert not events["kind"].eq("unread").any()
    looks_like = events["purpose"].str.contains(r"bon|split|spl?t\b|sub-?division|consolidation|\bf\.?v", case=False)
    others = events.loc[looks_like & ~events["kind"].isin((*FACTOR_KINDS, "dividend", "capital_reduction")), "purpose"]
    unpriced = others.loc[~others.isin(events.loc[events["factor"].notna(), "purpose"])]
    assert unpriced.str.contains("Ncrps|Debenture|Bond", case=False).all(), unpriced.tolist()
    priced = events.loc[events["kind"].isin(FACTOR_KINDS)]
    assert len(priced) > 690
    assert priced["factor"].notna().all()
    assert np.all((priced["factor"] < 1) == (priced["kind"] != "consolidation"))
