"""Dated ratios: results worked out by hand, and independence of the future."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocks.fundamentals.formulas import ALL_COLUMNS, PANEL_COLUMNS, SOURCES, dated_fundamentals
from tests.examples import examples
from tests.stocks.dated_frames import events, facts, keys, quarter, snapshots, statements, year

NOTHING = statements(), snapshots(), facts()


def ratios(frame, day, close=100.0, *, shown=NOTHING[1], packs=NOTHING[2], happened=None, provenance=False):
    happened = events() if happened is None else happened
    result = dated_fundamentals(
        frame, shown, packs, keys(day, close=close), happened, columns=ALL_COLUMNS, provenance=provenance
    )
    return result.iloc[0]


def eight_quarters(**latest):
    """Quarters of 100, 110 … 170 crore revenue and 10, 11 … 17 income, each published 45 days after its end."""
    ends = pd.date_range("2023-03-31", periods=8, freq="QE")
    rows = [
        quarter(end, end + pd.Timedelta(days=45), 100 + 10 * number, 10 + number, operating_income=20 + number)
        for number, end in enumerate(ends)
    ]
    rows[-1] |= latest
    return rows


BALANCE = year(
    "2024-03-31",
    "2024-05-20",
    total_assets=1000.0,
    equity=400.0,
    debt=100.0,
    current_assets=300.0,
    current_liabilities=150.0,
    inventory=60.0,
    shares=10_000_000,
)


def test_ratios_of_four_quarters_by_hand():
    # By the time the last quarter is published the balance is too old: computed while both are fresh.
    row = ratios(statements(*eight_quarters(), BALANCE), "2024-11-20", close=500.0)
    # Quarters to 2024-09: revenue 130+140+150+160 = 580 against 100+110+120 (and one unknown).
    assert row["net_margin"] == pytest.approx(100 * (13 + 14 + 15 + 16) / 580)
    assert row["operating_margin"] == pytest.approx(100 * (23 + 24 + 25 + 26) / 580)
    assert row["profit_margin"] == pytest.approx(10.0)
    assert np.isnan(row["revenue_growth"]), "only seven quarters are known"
    assert row["issue_size"] == 10_000_000
    assert row["eps"] == pytest.approx(58.0), "58 crore over 1 crore shares"
    assert row["pe_ratio"] == pytest.approx(500 / 58)
    assert row["book_value"] == pytest.approx(400.0)
    assert row["pb_ratio"] == pytest.approx(1.25)
    assert row["market_cap"] == pytest.approx(500.0)
    assert row["roe"] == pytest.approx(100 * 58 / 400)
    assert row["roa"] == pytest.approx(5.8)
    assert (row["debt_to_equity"], row["current_ratio"], row["quick_ratio"]) == (0.25, 2.0, 1.6)


def test_growth_is_four_quarters_over_the_four_before():
    row = ratios(statements(*eight_quarters()), "2025-02-14")
    assert row["revenue_growth"] == pytest.approx(100 * (620 / 460 - 1))
    assert row["earnings_growth"] == pytest.approx(100 * (62 / 46 - 1))


def test_peg_is_price_earnings_over_growth():
    count = {"date": "2025-02-14", "issue_size": 10_000_000}
    row = ratios(statements(*eight_quarters()), "2025-02-14", close=620.0, packs=facts(count))
    assert row["pe_ratio"] == pytest.approx(10.0)
    assert row["peg_ratio"] == pytest.approx(10.0 / (100 * (62 / 46 - 1)))


def test_a_gap_between_quarters_leaves_four_quarters_unknown():
    rows = eight_quarters()
    del rows[5]
    row = ratios(statements(*rows), "2025-02-20")
    assert np.isnan(row["net_margin"])
    assert row["profit_margin"] == pytest.approx(10.0)


def test_a_line_missing_in_one_quarter_leaves_its_sum_unknown():
    rows = eight_quarters()
    rows[6]["revenue"] = None
    row = ratios(statements(*rows), "2025-02-20")
    assert np.isnan(row["net_margin"])
    assert row["earnings_growth"] == pytest.approx(100 * (62 / 46 - 1))


@pytest.mark.parametrize("missing", ["inventory", "debt", "equity", "total_assets", "current_liabilities"])
def test_a_missing_figure_leaves_its_ratio_null(missing):
    of = {
        "inventory": ["quick_ratio"],
        "debt": ["debt_to_equity"],
        "equity": ["debt_to_equity", "roe", "pb_ratio", "book_value"],
        "total_assets": ["roa"],
        "current_liabilities": ["current_ratio", "quick_ratio"],
    }[missing]
    row = ratios(statements(*eight_quarters(), BALANCE | {missing: None}), "2024-11-20")
    unknown = [column for column in of if np.isnan(row[column])]
    assert unknown == of


# The larger one would give ratios within the bounds of a believable figure.
@pytest.mark.parametrize("equity", [-5.0, -500.0])
def test_a_negative_equity_gives_no_ratio(equity):
    row = ratios(statements(*eight_quarters(), BALANCE | {"equity": equity}), "2024-11-20")
    assert row[["roe", "pb_ratio", "book_value", "debt_to_equity"]].isna().all()


def test_a_loss_has_eps_but_no_price_earnings():
    rows = [row | {"net_income": -5.0} for row in eight_quarters()]
    row = ratios(statements(*rows, BALANCE), "2024-11-20")
    assert row["eps"] == pytest.approx(-20.0)
    assert np.isnan(row["pe_ratio"])


def test_a_statement_counts_from_the_day_it_was_published_and_for_two_hundred_days():
    frame = statements(*eight_quarters())
    result = dated_fundamentals(
        *(frame, *NOTHING[1:]), keys("2025-02-13", "2025-02-14", "2025-09-02", "2025-09-03"), events()
    )
    assert result["net_margin"].round(4).tolist()[:3] == [10.0, 10.0, 10.0]
    assert np.isnan(result["net_margin"].iloc[3])
    assert result["revenue_growth"].notna().tolist() == [False, True, True, False]


def test_a_restated_period_counts_from_its_own_publication():
    rows = [*eight_quarters(), quarter("2024-12-31", "2025-04-01", 999.0, 17.0, operating_income=27.0)]
    frame = statements(*rows)
    assert ratios(frame, "2025-03-31")["profit_margin"] == pytest.approx(10.0)
    assert ratios(frame, "2025-04-01")["profit_margin"] == pytest.approx(100 * 17 / 999)


SHOWN = {
    "snapshot": "2026-03-10",
    "close": 200.0,
    "market_cap": 2000.0,
    "pe_ratio": 20.0,
    "roe": 15.0,
    "debt_to_equity": 0.5,
    "operating_margin": 12.0,
    "sales_quarter": 220.0,
    "sales_quarter_last_year": 200.0,
    "net_profit_quarter": 22.0,
    "net_profit_quarter_last_year": 20.0,
}


def test_an_evening_of_the_screener_counts_from_the_next_day():
    shown = snapshots(SHOWN)
    before, after = (ratios(NOTHING[0], day, close=210.0, shown=shown) for day in ("2026-03-10", "2026-03-11"))
    assert before[list(ALL_COLUMNS)].isna().all()
    assert (after["roe"], after["debt_to_equity"], after["operating_margin"]) == (15, 0.5, 12)
    assert after["eps"] == pytest.approx(10.0)
    assert after["pe_ratio"] == pytest.approx(21.0)
    assert after["market_cap"] == pytest.approx(2100.0)
    assert after["revenue_growth"] == pytest.approx(10.0)
    assert after["profit_margin"] == pytest.approx(10.0)
    assert after[["pb_ratio", "roa", "net_margin", "current_ratio", "quick_ratio", "book_value"]].isna().all()


def test_the_newest_evening_wins_even_where_it_has_no_figure():
    shown = snapshots(SHOWN, SHOWN | {"snapshot": "2026-03-11", "roe": None})
    assert np.isnan(ratios(NOTHING[0], "2026-03-12", shown=shown)["roe"])


def test_an_evening_too_old_leaves_only_the_share_count():
    row = ratios(NOTHING[0], "2026-09-28", close=300.0, shown=snapshots(SHOWN))
    assert row["market_cap"] == pytest.approx(3000.0)
    assert row[["pe_ratio", "eps", "roe", "debt_to_equity", "revenue_growth"]].isna().all()


def test_the_newer_of_statement_and_screener_wins():
    frame = statements(*eight_quarters(), BALANCE)
    early = ratios(frame, "2025-02-20", shown=snapshots(SHOWN | {"snapshot": "2025-02-10"}), provenance=True)
    late = ratios(frame, "2025-02-20", shown=snapshots(SHOWN | {"snapshot": "2025-02-18"}), provenance=True)
    assert SOURCES[early["operating_margin_source"]] == "statements"
    assert early["operating_margin_as_of"] == pd.Timestamp("2025-02-14")
    assert SOURCES[late["operating_margin_source"]] == "screener"
    assert late["operating_margin_as_of"] == pd.Timestamp("2025-02-18")
    assert SOURCES[early["roe_source"]] == "screener", "the balance is too old for a ratio of its own"


PACK = {"date": "2025-12-16", "issue_size": 10_000_000, "market_cap": 100.0, "pe_ratio": 25.0}


def test_a_report_pack_counts_the_same_evening_and_its_eps_is_carried_until_the_next_results():
    packs = facts(PACK)
    same = ratios(NOTHING[0], "2025-12-16", close=100.0, packs=packs, provenance=True)
    assert (same["pe_ratio"], same["eps"], same["market_cap"]) == (25, 4, 100)
    assert SOURCES[same["pe_ratio_source"]] == "exchange"
    carried = ratios(NOTHING[0], "2026-01-20", close=120.0, packs=packs)
    assert carried["pe_ratio"] == pytest.approx(30.0)
    announced = snapshots({"snapshot": "2026-01-18", "results_date": "2026-01-17"})
    assert np.isnan(ratios(NOTHING[0], "2026-01-20", close=120.0, packs=packs, shown=announced)["pe_ratio"])
    ahead = snapshots({"snapshot": "2026-01-18", "results_date": "2026-01-25"})
    assert ratios(NOTHING[0], "2026-01-20", close=120.0, packs=packs, shown=ahead)["pe_ratio"] == pytest.approx(30.0)


def test_an_official_price_earnings_without_a_price_is_used_for_five_sessions():
    packs = facts(PACK | {"market_cap": None})
    result = dated_fundamentals(NOTHING[0], NOTHING[1], packs, keys("2025-12-16", "2025-12-23", "2025-12-24"), events())
    assert result["pe_ratio"].tolist()[:2] == [25, 25]
    assert np.isnan(result["pe_ratio"].iloc[2])
    assert result["eps"].isna().all()


def test_the_newest_share_count_wins_regardless_of_publication_order():
    late_report = year("2025-03-31", "2026-01-05", shares=7_000_000)
    row = ratios(statements(late_report), "2026-01-10", packs=facts(PACK))
    assert row["issue_size"] == 10_000_000


SPLIT = {"ex_date": "2026-01-12", "kind": "split", "factor": 0.1}


def test_a_split_multiplies_shares_and_divides_earnings_from_its_day_on():
    packs, split = facts(PACK), events(SPLIT)
    before = ratios(NOTHING[0], "2026-01-11", close=100.0, packs=packs, happened=split)
    after = ratios(NOTHING[0], "2026-01-12", close=10.0, packs=packs, happened=split)
    assert (before["issue_size"], before["eps"]) == (10_000_000, 4)
    assert after["issue_size"] == pytest.approx(100_000_000)
    assert after["eps"] == pytest.approx(0.4)
    assert after["market_cap"] == pytest.approx(before["market_cap"])
    assert after["pe_ratio"] == pytest.approx(before["pe_ratio"])


@pytest.mark.parametrize(
    "change",
    [
        {"known_on": "2026-02-01"},
        {"status": "rejected"},
        {"kind": "demerger"},
        {"factor": float("nan")},
        {"symbol": "OTHER"},
        {"ex_date": "2025-12-16", "known_on": "2025-12-01"},
    ],
)
def test_events_that_do_not_count(change):
    happened = events(SPLIT | change)
    assert ratios(NOTHING[0], "2026-01-20", packs=facts(PACK), happened=happened)["issue_size"] == 10_000_000


def test_two_events_multiply():
    bonus = {"ex_date": "2026-01-14", "kind": "bonus", "factor": 0.5}
    row = ratios(NOTHING[0], "2026-01-20", packs=facts(PACK), happened=events(SPLIT, bonus))
    assert row["issue_size"] == pytest.approx(200_000_000)


def test_a_split_and_a_bonus_of_one_day_with_equal_factors_both_count():
    split, bonus = (SPLIT | {"kind": kind, "factor": 0.5} for kind in ("split", "bonus"))
    before = ratios(NOTHING[0], "2026-01-11", close=800.0, packs=facts(PACK), happened=events(split, bonus))
    after = ratios(NOTHING[0], "2026-01-12", close=200.0, packs=facts(PACK), happened=events(split, bonus))
    assert (after["issue_size"], after["eps"]) == (4 * before["issue_size"], before["eps"] / 4)
    assert after["market_cap"] == before["market_cap"]


def test_without_facts_every_ratio_is_null():
    row = ratios(NOTHING[0], "2026-01-20")
    assert row[list(ALL_COLUMNS)].isna().all()
    empty = dated_fundamentals(*NOTHING, keys("2026-01-20").iloc[:0], events(), provenance=True)
    assert empty.empty


def test_index_and_order_of_the_keys_are_kept():
    frame = keys("2026-03-12", "2026-03-11").set_axis([7, 3])
    result = dated_fundamentals(NOTHING[0], snapshots(SHOWN), NOTHING[2], frame, events())
    assert result.index.tolist() == [7, 3]
    assert result["date"].tolist() == frame["date"].tolist()


# --- properties -----------------------------------------------------------------------------------------------------

START = pd.Timestamp("2024-01-01")
days = st.integers(0, 900).map(lambda number: START + pd.Timedelta(days=number))
symbols = st.sampled_from(["A", "B"])
amounts = st.one_of(st.none(), st.floats(-100, 1000).map(lambda value: round(value, 2)))


@st.composite
def statement_rows(draw):
    end = (draw(days) + pd.offsets.QuarterEnd(0)).normalize()
    return {
        "symbol": draw(symbols),
        "kind": draw(st.sampled_from(["quarter", "quarter", "quarter", "year"])),
        "period_end": end,
        "published_on": end + pd.Timedelta(days=draw(st.integers(0, 120))),
        "revenue": draw(amounts),
        "net_income": draw(amounts),
        "operating_income": draw(amounts),
        "equity": draw(amounts),
        "shares": draw(st.one_of(st.none(), st.integers(1, 10**9))),
    }


snapshot_rows = st.fixed_dictionaries(
    {"symbol": symbols, "snapshot": days, "close": st.floats(1, 1000), "market_cap": st.floats(1, 1e5)}
    | dict.fromkeys(("pe_ratio", "roe", "debt_to_equity", "sales_quarter", "sales_quarter_last_year"), amounts)
    | {"results_date": days}
)
fact_rows = st.fixed_dictionaries(
    {
        "symbol": symbols,
        "date": days,
        "issue_size": st.integers(1, 10**9),
        "market_cap": st.floats(1, 1e5),
        "pe_ratio": amounts,
    }
)
event_rows = st.fixed_dictionaries(
    {
        "symbol": symbols,
        "ex_date": days,
        "kind": st.sampled_from(["split", "bonus"]),
        "factor": st.sampled_from([0.1, 0.5]),
    }
)
worlds = st.tuples(
    st.lists(statement_rows(), max_size=25),
    st.lists(snapshot_rows, max_size=6, unique_by=lambda row: (row["symbol"], row["snapshot"])),
    st.lists(fact_rows, max_size=4, unique_by=lambda row: (row["symbol"], row["date"])),
    st.lists(event_rows, max_size=3, unique_by=lambda row: (row["symbol"], row["ex_date"])),
)


def built(world):
    frame, shown, packs, happened = world
    return statements(*frame), snapshots(*shown), facts(*packs), events(*happened)


def computed(world, frame, columns=ALL_COLUMNS):
    reported, shown, packs, happened = built(world)
    return dated_fundamentals(reported, shown, packs, frame, happened, columns=columns, provenance=True)


@examples(0.2)
@given(worlds, days, st.integers(-1000, 1000))
def test_garbling_the_future_changes_nothing(world, session, noise):
    frame = pd.concat([keys(session, symbol="A"), keys(session, symbol="B")], ignore_index=True)
    reported, shown, packs, happened = world

    def garbled(row):
        return {name: value + noise if isinstance(value, float) else value for name, value in row.items()}

    later = (
        [garbled(row) if row["published_on"] > session else row for row in reported],
        [garbled(row) if row["snapshot"] >= session else row for row in shown],
        [garbled(row) | {"issue_size": 7} if row["date"] > session else row for row in packs],
        [row | {"factor": 0.01} if row["ex_date"] > session else row for row in happened],
    )
    cut = (
        [row for row in reported if row["published_on"] <= session],
        [row for row in shown if row["snapshot"] < session],
        [row for row in packs if row["date"] <= session],
        [row for row in happened if row["ex_date"] <= session],
    )
    expected = computed(world, frame)
    pd.testing.assert_frame_equal(computed(later, frame), expected, check_exact=True)
    pd.testing.assert_frame_equal(computed(cut, frame), expected, check_exact=True)


@examples(0.1)
@given(worlds, st.lists(days, min_size=2, max_size=8, unique=True))
def test_one_session_agrees_with_the_panel(world, sessions):
    frame = pd.concat([keys(*sessions, symbol="A"), keys(*sessions, symbol="B")], ignore_index=True)
    panel = computed(world, frame)
    for session in sessions:
        alone = frame.loc[frame["date"] == session]
        pd.testing.assert_frame_equal(computed(world, alone), panel.loc[alone.index], check_exact=True)


def test_a_loss_leaves_neither_price_earnings_nor_its_source():
    shown = dict.fromkeys(("roe", "debt_to_equity", "sales_quarter", "sales_quarter_last_year"))
    evening = {"symbol": "A", "snapshot": START, "close": 10.0, "market_cap": 1.0, "pe_ratio": -5.0}
    evening |= shown | {"results_date": START}
    row = computed(([], [evening], [], []), keys(START + pd.Timedelta(days=2), symbol="A")).iloc[0]
    assert row["eps"] == -2.0
    assert np.isnan(row["pe_ratio"])
    assert row["pe_ratio_source"] == 0
    assert pd.isna(row["pe_ratio_as_of"])


@examples(0.1)
@given(worlds, days)
def test_ratios_stay_inside_their_bounds(world, session):
    row = computed(world, keys(session, symbol="A"), PANEL_COLUMNS).iloc[0]
    for column, low, high in (("roe", -200, 200), ("debt_to_equity", 0, 25), ("operating_margin", -1000, 100)):
        assert np.isnan(row[column]) or low <= row[column] <= high or row[f"{column}_source"] == 2
    for column in ("pe_ratio", "pb_ratio", "market_cap"):
        assert np.isnan(row[column]) or row[column] > 0
    for column in PANEL_COLUMNS:
        assert np.isnan(row[column]) == (row[f"{column}_source"] == 0), column
        assert np.isnan(row[column]) or row[f"{column}_as_of"] <= session
