"""Shares and funds: each piece of evidence, its order, and that silence stays unknown."""

import pandas as pd
import pytest

from market_data.providers.nse.security_kinds import (
    Claim,
    decide_kinds,
    is_worded_as_fund,
    isin_claims,
    tick_claims,
    tick_counts,
)


def traded(symbol: str, start: str, sessions: int, price: float) -> pd.DataFrame:
    """Sessions of one symbol at one price."""
    return pd.DataFrame(
        {
            "symbol": symbol,
            "date": pd.bdate_range(start, periods=sessions),
            **dict.fromkeys(("open", "high", "low", "last_price"), price),
        }
    )


def test_the_first_claim_that_speaks_decides():
    claims = [Claim("fund", frozenset({"A"}), "first"), Claim("share", frozenset({"A", "B"}), "second")]
    verdict = decide_kinds(["B", "A", "C", "A"], claims)
    assert verdict["kind"].to_dict() == {"A": "fund", "B": "share", "C": "unknown"}
    assert verdict["because"].to_dict() == {"A": "first", "B": "second", "C": "no evidence"}


def test_the_isin_tells():
    fund, share = isin_claims(
        pd.Series({"A": "INF204KB14I2", "B": "INE002A01018", "C": "IN9175A01010", "D": None, "E": "US1"}), "x"
    )
    assert (fund.kind, sorted(fund.symbols)) == ("fund", ["A"])
    assert (share.kind, sorted(share.symbols)) == ("share", ["B", "C"])


@pytest.mark.parametrize(
    ("start", "sessions", "price", "kind"),
    [
        ("2024-01-01", 20, 101.37, "fund"),
        ("2024-01-01", 2, 101.37, None),
        ("2024-01-01", 20, 101.35, "share"),
        ("2024-01-01", 7, 101.35, None),
        # After June 2024 shares under ₹250 move by a paisa too: nothing can be told.
        ("2025-01-01", 20, 101.37, None),
        ("2025-01-01", 20, 101.35, None),
        ("2025-01-01", 20, 901.35, "share"),
        # A newly listed share may keep a fine step for a while: no proof of a fund.
        ("2025-01-01", 20, 901.37, None),
    ],
)
def test_the_step_of_prices_tells_only_where_the_rule_held(start, sessions, price, kind):
    claims = tick_claims(tick_counts(traded("A", start, sessions, price)))
    assert [claim.kind for claim in claims if "A" in claim.symbols] == ([kind] if kind else [])


def test_a_stray_price_does_not_unmake_a_share():
    rows = pd.concat([traded("A", "2025-01-01", 60, 901.35), traded("A", "2025-06-02", 2, 901.37)])
    assert "A" in tick_claims(tick_counts(rows))[1].symbols


@pytest.mark.parametrize(
    "symbol",
    ["NIFTYBEES", "GOLDBEES", "MIDCAPADD", "GOLDBETA", "ICICINIFTY", "HDFCSENETF", "EBBETF0425", "GROWWPSE", "MON100",
     "SDL24BEES", "MAN50ETF", "SILVER1", "DEFENCE", "GSEC10ABSL", "KOTAKPSUBK", "LIQUIDCASE", "BANK10ADD", "AXISGOLD"],
)  # fmt: skip
def test_funds_are_worded_as_funds(symbol):
    assert is_worded_as_fund(symbol)


@pytest.mark.parametrize(
    "symbol",
    ["RELIANCE", "ICICIBANK", "HDFCBANK", "HDFCAMC", "KOTAKBANK", "AXISBANK", "SBIN", "SBILIFE", "GOLDIAM", "SKYGOLD",
     "DECNGOLD", "TATATECH", "TATACONSUM", "BETA", "GROWW", "MAHABANK", "MAXHEALTH", "MOLDTECH", "IIFLSEC", "UTIAMC"],
)  # fmt: skip
def test_companies_are_not(symbol):
    assert not is_worded_as_fund(symbol)
