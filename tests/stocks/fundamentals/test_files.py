"""The fundamentals folder: files made by hand with every trap of the real ones."""

import pandas as pd
import pytest

from stocks.fundamentals.files import FundamentalsUnreadableError, read_snapshots, read_statements
from tests.stocks.fundamentals_folder import (
    BALANCE_HEADER,
    income,
    write_balance,
    write_cashflow,
    write_income,
    write_snapshots,
)


def reasons(reading):
    return dict(zip(reading.rejects["symbol"] + " " + reading.rejects["reason"], reading.rejects["raw"], strict=True))


def test_a_quarter_ends_with_its_month_and_is_assumed_published_sixty_days_later(tmp_path):
    write_income(tmp_path, income("acme ", "Dec-24", 200, 150, 55, 30, 28, 2.8))
    [row] = read_statements(tmp_path).rows.to_dict("records")
    assert row["symbol"] == "ACME"
    assert (row["period_end"], row["published_on"]) == (pd.Timestamp("2024-12-31"), pd.Timestamp("2025-03-01"))
    assert (row["kind"], row["published_assumed"], row["source"]) == (
        "quarter",
        True,
        "statements_income_quarterly.csv.gz",
    )
    assert (row["revenue"], row["operating_income"], row["net_income"]) == (200, 50, 28)
    assert pd.isna(row["eps"]), "restated for later splits: ignored"
    assert pd.isna(row["debt"])
    assert pd.isna(row["inventory"])


def test_a_zero_is_missing_and_a_row_of_zeros_is_dropped(tmp_path):
    write_income(tmp_path, income("A", "Mar-24", 100, 0, 0, 7, 0, 0), income("B", "Mar-24", 0, 0, 0, 0, 0, 0))
    reading = read_statements(tmp_path)
    [row] = reading.rows.to_dict("records")
    assert row["symbol"] == "A"
    assert pd.isna(row["operating_income"])
    assert row["net_income"] == 7, "the total serves where the attributable income is missing"
    assert reading.empty == 1


def test_a_duplicated_period_keeps_only_figures_that_agree(tmp_path):
    same = income("A", "Dec-17", 10, 5, 6, 3, 3, 1)
    write_income(
        tmp_path, same, same, income("B", "Dec-17", 10, 5, 6, 3, 3, 1), income("B", "Dec-17", 12, 5, 8, 3, 3, 0)
    )
    reading = read_statements(tmp_path)
    a, b = reading.rows.sort_values("symbol").to_dict("records")
    assert (a["revenue"], a["net_income"]) == (10, 3)
    assert pd.isna(b["revenue"])
    assert b["net_income"] == 3
    assert "B revenue: two rows of one period contradict each other" in reasons(reading)


def test_impossible_figures_are_rejected_with_their_reason(tmp_path):
    write_income(
        tmp_path,
        income("SALES", "Mar-24", -5, 1, 1, 3, 3, 1),
        income("COSTS", "Mar-24", 100, 20, 40, 3, 3, 1),
        income("BAD SYMBOL", "Mar-24", 100, 90, 10, 3, 3, 1),
        income("MONTH", "2024-03", 100, 90, 10, 3, 3, 1),
        "TEXT,Mar-24,abc,90,1,10,1,1,1,3,3,1,2024-03-01",
    )
    assert reasons(read_statements(tmp_path)) == {
        "SALES revenue is negative": "-5.0",
        "COSTS operating income above EBITDA": "80.0",
        "BAD SYMBOL the symbol is not one of the exchange": "BAD SYMBOL",
        "MONTH the period is not a month like Dec-24": "2024-03",
        "TEXT revenue is not a number": "abc",
    }


def test_a_year_has_its_balance_and_the_income_of_its_cash_flow(tmp_path):
    write_balance(
        tmp_path,
        "ACME,Mar-24,350.5,-0.1,46,189.5,236,0,257,332,589.8,142,468,3.53,100,2024-03-01",
        "ODD,Mar-24,900,0,46,189.5,236,0,257,700,589.8,142,468,-3.53,100,2024-03-01",
    )
    write_cashflow(tmp_path, "ACME,Mar-24,56.07,1,1,1,1,1,2024-03-01")
    reading = read_statements(tmp_path)
    acme, odd = reading.rows.to_dict("records")
    assert (acme["kind"], acme["published_on"]) == ("year", pd.Timestamp("2024-06-14"))
    assert (acme["equity"], acme["total_assets"], acme["current_assets"]) == (350.5, 589.8, 332)
    assert (acme["current_liabilities"], acme["net_income"]) == (189.5, 56.07)
    assert pd.isna(acme["shares"]), "restated for later splits: ignored"
    assert pd.isna(odd["equity"])
    assert pd.isna(odd["current_assets"])
    assert len(reading.rejects) == 2


def test_a_snapshot_is_read_as_shown(tmp_path):
    write_snapshots(tmp_path, {})
    [row] = read_snapshots(tmp_path).rows.to_dict("records")
    assert (row["snapshot"], row["symbol"], row["stock_name"]) == (pd.Timestamp("2026-04-30"), "ACME", "Acme")
    assert (row["pe_ratio"], row["roe"], row["debt_to_equity"], row["market_cap"]) == (20, 15, 0.5, 2000)
    assert (row["circuit_limit"], row["results_date"]) == (20, pd.Timestamp("2026-02-10"))


def test_a_zero_of_the_screener_is_missing(tmp_path):
    write_snapshots(
        tmp_path,
        {
            "pe_ratio": 0.0,
            "roe_percent": 0.0,
            "sales_latest_quarter": 0.0,
            "latest_earnings_date": "N/A",
            "sector": None,
        },
    )
    [row] = read_snapshots(tmp_path).rows.to_dict("records")
    for column in ("pe_ratio", "roe", "sales_quarter", "results_date", "sector"):
        assert pd.isna(row[column]), column


@pytest.mark.parametrize(
    ("shown", "believed"),
    [
        ({"roe_percent": 30.0, "roce_percent": 40.0}, True),
        ({"roe_percent": 30.0, "roce_percent": 12.0}, False),
        ({"roe_percent": -30.0, "roce_percent": -30.0}, False),
        ({"roe_percent": 30.0, "roce_percent": 40.0, "latest_quarter": "N/A"}, False),
    ],
)
def test_zero_debt_is_accepted_only_where_the_returns_agree(tmp_path, shown, believed):
    write_snapshots(tmp_path, {"debt_to_equity": 0.0} | shown)
    [row] = read_snapshots(tmp_path).rows.to_dict("records")
    assert (row["debt_to_equity"] == 0) is believed
    assert pd.isna(row["debt_to_equity"]) is not believed


def test_meaningless_ratios_are_rejected_and_the_rest_of_the_row_stays(tmp_path):
    write_snapshots(
        tmp_path,
        {"symbol": "NEG", "debt_to_equity": -3.0, "roe_percent": 80.0},
        {"symbol": "ROE", "roe_percent": 4736.0},
        {"symbol": "MARGIN", "operating_margin_ttm_percent": -72177.0},
        {"symbol": "PE", "pe_ratio": -0.1},
    )
    reading = read_snapshots(tmp_path)
    assert set(reasons(reading)) == {
        "NEG roe: return on an equity that is negative or next to nothing",
        "NEG debt_to_equity: debt over an equity that is negative or next to nothing",
        "ROE roe: return on an equity that is negative or next to nothing",
        "MARGIN operating_margin: margin over sales next to nothing",
        "PE pe_ratio: price over earnings next to nothing, or under one year's",
    }
    assert reading.rows["market_cap"].tolist() == [2000.0] * 4


def test_a_stale_quarter_leaves_only_market_figures(tmp_path):
    write_snapshots(tmp_path, {"latest_quarter": "202003"})
    [row] = read_snapshots(tmp_path).rows.to_dict("records")
    assert (row["close"], row["market_cap"]) == (200, 2000)
    assert pd.isna(row["pe_ratio"])
    assert pd.isna(row["eps_last_year"])


def test_an_evening_in_two_files_counts_once(tmp_path):
    write_snapshots(tmp_path, {"snapshot": "2026-04-29"}, {}, name="snapshots_2026-04.parquet")
    write_snapshots(tmp_path, {})
    reading = read_snapshots(tmp_path)
    assert reading.rows.duplicated(["snapshot", "symbol"]).sum() == 0
    assert len(reading.rows) == 2


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FundamentalsUnreadableError, match="nowhere does not exist"):
        read_statements(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"symbol,Date\nA,Mar-24\n", "lacks the columns Total Stockholders Fund"),
        (BALANCE_HEADER.encode() + b"\nACM\xe9,Mar-24" + b",1" * 14 + b"\n", "is not UTF-8 text"),
        (b"", "cannot be read"),
    ],
)
def test_a_malformed_file_is_named(tmp_path, content, message):
    (tmp_path / "statements_balance_yearly.csv").write_bytes(content)
    with pytest.raises(FundamentalsUnreadableError, match=message) as caught:
        read_statements(tmp_path)
    assert "statements_balance_yearly.csv" in str(caught.value)


def test_a_truncated_archive_is_named(tmp_path):
    write_income(tmp_path, *(income(f"S{number}", "Dec-24", 200, 150, 55, 30, 28, 2.8) for number in range(500)))
    path = tmp_path / "statements_income_quarterly.csv.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FundamentalsUnreadableError, match="cannot be read"):
        read_statements(tmp_path)


def test_a_damaged_parquet_is_named(tmp_path):
    (tmp_path / "snapshots_x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(FundamentalsUnreadableError, match=r"snapshots_x\.parquet is not a complete parquet file"):
        read_snapshots(tmp_path)


@pytest.mark.real
def test_the_real_folder(sample_dir):
    statements, snapshots = read_statements(sample_dir / "fundamentals"), read_snapshots(sample_dir / "fundamentals")
    assert statements.rows["kind"].value_counts().to_dict() == {"quarter": 60592, "year": 25856}
    assert statements.rows["symbol"].nunique() == 1415
    assert len(snapshots.rows) == 149626
    assert snapshots.rows["snapshot"].nunique() == 54
    assert snapshots.rows["debt_to_equity"].dropna().between(0, 25).all()
    assert snapshots.rows["roe"].dropna().between(-200, 200).all()
    names = ("revenue", "net_income", "total_assets", "equity", "current_assets")
    assert not (statements.rows[list(names)] == 0).any().any()
