"""Metrics of one session."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from stocks.fundamentals.metrics import METRIC_COLUMNS, market_cap_category, session_metrics
from stocks.models import StockMetrics
from tests.stocks.dated_frames import events, facts, snapshots, statements

SESSION = date(2026, 4, 30)


def assembled(*rows, kinds=None, quarantined=frozenset(), turnover=100.0, packs=(), **options):
    bars = pd.DataFrame(
        [{"series": "EQ", "close": 100.0, "volume": 1000} | row for row in rows],
        columns=["symbol", "series", "close", "volume"],
    ).assign(date=pd.Timestamp(SESSION))
    indicators = pd.DataFrame({"symbol": ["ACME"], "atr_14": [2.5], "atr_percentage": [2.5]})
    history = pd.DataFrame(
        {"symbol": bars["symbol"], "beta": 1.1, "avg_volume_30d": 900.4, "turnover_median_20": turnover}
    )
    shown = snapshots({"snapshot": "2026-04-29", "close": 80.0, "market_cap": 800.0, "pe_ratio": 16.0, "roe": 12.0})
    kinds = kinds or dict.fromkeys(bars["symbol"], "share")
    return session_metrics(
        SESSION,
        bars,
        indicators,
        history,
        statements(),
        shown,
        facts(*packs),
        events(),
        kinds=pd.Series(kinds),
        quarantined=quarantined,
        **options,
    ).set_index("symbol")


def test_a_row_has_every_column_of_the_table():
    own = {field.column for field in StockMetrics._meta.concrete_fields} - {"id", "run_id", "created_at"}
    assert set(METRIC_COLUMNS) == own


def test_figures_and_their_provenance():
    row = assembled({"symbol": "ACME"}).loc["ACME"]
    assert (row["current_price"], row["volume"], row["avg_volume_30d"], row["atr_14"]) == (100, 1000, 900, 2.5)
    assert row["issue_size"] == 100_000_000
    assert row["market_cap"] == pytest.approx(1000.0)
    assert (row["pe_ratio"], row["eps"]) == (pytest.approx(20.0), pytest.approx(5.0))
    assert row["market_cap_category"] == "large"
    provenance = json.loads(row["provenance"])
    assert provenance["roe"] == {"source": "screener", "as_of": "2026-04-29", "how": "measured"}
    assert provenance["market_cap"] == {"source": "screener", "as_of": "2026-04-29", "how": "computed"}
    assert provenance["current_price"] == {"source": "bars", "as_of": "2026-04-30", "how": "measured"}
    known = {column for column in METRIC_COLUMNS if pd.notna(row.get(column))} - {"date", "tradable", "provenance"}
    assert set(provenance) == known


def test_provenance_states_a_simulated_market():
    pack = {"date": "2026-04-30", "issue_size": 10_000_000, "market_cap": 100.0, "pe_ratio": 41.3}
    row = assembled({"symbol": "ACME"}, simulated=True, packs=[pack]).loc["ACME"]
    provenance = json.loads(row["provenance"])
    assert {origin["source"] for origin in provenance.values()} == {"simulator"}
    assert {origin["how"] for origin in provenance.values()} == {"simulated", "computed"}
    assert provenance["roe"]["how"] == provenance["pe_ratio"]["how"] == "simulated"


@pytest.mark.parametrize(
    ("pack", "shown", "how"),
    [
        # 100 / (100 / 41.3) is 41.30000000000001.
        ({"date": "2026-04-30"}, 41.3, "measured"),
        ({"date": "2026-04-29"}, 41.3 * 100 / 90, "computed"),
    ],
)
def test_an_official_price_earnings_is_shown_as_printed_on_its_own_day(pack, shown, how):
    close = 10_000_000 * 90 / 1e7
    pack |= {"issue_size": 10_000_000, "market_cap": 100.0 if how == "measured" else close, "pe_ratio": 41.3}
    row = assembled({"symbol": "ACME"}, packs=[pack]).loc["ACME"]
    origin = json.loads(row["provenance"])["pe_ratio"]
    assert origin == {"source": "exchange", "as_of": pack["date"], "how": how}
    assert row["pe_ratio"] == (shown if how == "measured" else pytest.approx(shown))


def test_unknown_figures_are_null():
    row = assembled({"symbol": "OTHER"}).loc["OTHER"]
    for column in ("pe_ratio", "market_cap", "atr_14", "historical_volatility_1y", "issue_size", "market_cap_category"):
        assert pd.isna(row[column]), column
    assert set(json.loads(row["provenance"])) == {
        "current_price",
        "volume",
        "beta",
        "avg_volume_30d",
        "turnover_median_20",
    }


@pytest.mark.parametrize(
    ("bar", "options", "exclusion"),
    [
        ({}, {}, None),
        ({}, {"kinds": {"ACME": "fund"}}, "kind is fund"),
        ({}, {"kinds": {"X": "share"}}, "kind is unknown"),
        ({"series": "BE"}, {}, "series BE"),
        ({}, {"quarantined": {"ACME"}}, "quarantined by a finding"),
        ({}, {"turnover": 50.0}, "median turnover not above ₹50 lakh"),
        ({}, {"turnover": np.nan}, "turnover of 20 sessions not known"),
        ({"close": 20.0}, {}, "price not above ₹20"),
        ({"series": "BE"}, {"kinds": {"ACME": "fund"}}, "kind is fund"),
    ],
)
def test_tradable_symbols_and_exclusions(bar, options, exclusion):
    row = assembled({"symbol": "ACME"} | bar, **options).loc["ACME"]
    assert (None if pd.isna(row["exclusion"]) else row["exclusion"]) == exclusion
    assert row["tradable"] == (exclusion is None)


def test_funds_have_no_market_cap_class():
    assert assembled({"symbol": "ACME"}, kinds={"ACME": "fund"}).loc["ACME", "market_cap_category"] is None


def test_classes_by_rank():
    caps = pd.Series(range(300, 0, -1), dtype=float)
    caps[299] = np.nan
    classes = market_cap_category(caps)
    assert classes.iloc[[0, 99, 100, 249, 250, 298]].tolist() == ["large", "large", "mid", "mid", "small", "small"]
    assert classes.iloc[299] is None
