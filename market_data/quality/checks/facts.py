"""Checks of fundamentals and corporate actions: contradictions, staleness, coverage; pure."""

import pandas as pd

from market_data.prices.events import unsettled_events
from market_data.quality.checks.check import Blocks, Check, Fault, counted, day_fault, symbol_faults
from market_data.quality.checks.evidence import Evidence

CRORE = 1e7
RATIO_TOLERANCE = 0.01
SOURCES_TOLERANCE = 0.25
COVERAGE_NEEDED = {"market_cap": 0.9, "pe_ratio": 0.5, "roe": 0.5}
_FIGURES = {"market_cap": "a market cap", "pe_ratio": "a P/E", "roe": "a return on equity"}
OLD_FACT_DAYS, OLD_FACTS = 120, 0.5
EVENTS_OLD_DAYS = 30
UNCONFIRMED_DAYS = 90
# A pick made so many days before an ex-date is still held on it; a year later no average reaches back to it.
UNREAD_AHEAD_DAYS, UNREAD_BEHIND_DAYS = 21, 365


def ratio_contradiction(evidence: Evidence) -> list[Fault]:
    """Stored ratios that do not follow from the figures stored beside them."""
    rows = evidence.metrics
    relations = {
        "market cap": (rows["issue_size"] * rows["current_price"] / CRORE, rows["market_cap"]),
        "P/E": (rows["current_price"] / rows["eps"], rows["pe_ratio"]),
        "P/B": (rows["current_price"] / rows["book_value"], rows["pb_ratio"]),
        "PEG": (rows["pe_ratio"] / rows["earnings_growth"], rows["peg_ratio"]),
        "price": (rows["close"], rows["current_price"]),
    }
    faults = []
    for name, (expected, stored) in relations.items():
        off = (expected / stored - 1).abs() > RATIO_TOLERANCE
        wrong = rows[off].assign(expected=expected[off], stored=stored[off])
        text = f"{{symbol}} has a {name} of {{stored:.4g}}, but its own figures give {{expected:.4g}}"
        faults += symbol_faults(wrong, text, "stored", "expected", "current_price", "issue_size", "eps", "book_value")
    return _one_a_symbol(faults)


def impossible_fundamentals(evidence: Evidence) -> list[Fault]:
    """A positive ROE on negative equity, a P/E of a loss, or other figures that exclude each other."""
    rows = evidence.metrics
    reasons = {
        "a positive ROE ({roe:.4g} %) on a negative equity ({equity:.4g} ₹ crore)": (rows["equity"] < 0)
        & (rows["roe"] > 0),
        "a P/E ({pe_ratio:.4g}) with a loss per share ({eps:.4g})": (rows["eps"] < 0) & (rows["pe_ratio"] > 0),
        "an operating margin of {operating_margin:.4g} %": rows["operating_margin"] > 100,
        "a debt-to-equity ratio of {debt_to_equity:.4g}": rows["debt_to_equity"] < 0,
        "a quick ratio ({quick_ratio:.4g}) above its current ratio ({current_ratio:.4g})": rows["quick_ratio"]
        > rows["current_ratio"] * (1 + RATIO_TOLERANCE),
    }
    columns = ("roe", "equity", "eps", "pe_ratio", "operating_margin", "debt_to_equity", "quick_ratio", "current_ratio")
    faults = []
    for text, applies in reasons.items():
        faults += symbol_faults(rows[applies.fillna(False)], "{symbol} has " + text, *columns)
    return _one_a_symbol(faults)


def margin_above_hundred(evidence: Evidence) -> list[Fault]:
    """Profits above the revenue."""
    rows = evidence.metrics
    margins = rows[["net_margin", "profit_margin"]].max(axis=1)
    wrong = rows.assign(margin=margins).loc[margins > 100, "symbol"]
    return counted(
        sorted(wrong.astype(str)),
        "1 company earned more than its revenue: {some}",
        "{count} companies earned more than their revenue: {some}",
    )


def sources_disagree(evidence: Evidence) -> list[Fault]:
    """Shares whose stored issue size differs from the exchange's report pack or the screener."""
    rows = evidence.metrics
    faults = []
    for name in ("exchange", "screener"):
        shares = rows[f"{name}_cap"] * CRORE / rows[f"{name}_price"]
        off = (shares / rows["issue_size"] - 1).abs() > SOURCES_TOLERANCE
        wrong = rows[off].assign(shares=shares[off])
        text = f"{{symbol}} has {{issue_size:,.0f}} issued shares; the {name}'s market cap implies {{shares:,.0f}}"
        faults += symbol_faults(wrong, text, "issue_size", "shares")
    return _one_a_symbol(faults)


def thin_fundamentals(evidence: Evidence) -> list[Fault]:
    """Figures that too few tradable shares have: a failed import, or sources that are too old."""
    shares = _tradable(evidence)
    if shares.empty:
        return []
    coverage = {column: float(shares[column].notna().mean()) for column in COVERAGE_NEEDED}
    thin = [name for name, needed in COVERAGE_NEEDED.items() if coverage[name] < needed]
    names = ", ".join(f"{_FIGURES[name]} ({coverage[name]:.0%})" for name in thin)
    message = f"too few of the {len(shares):,} tradable shares have {names}"
    return day_fault(message, **{column: round(share, 3) for column, share in coverage.items()}) if thin else []


def stale_fundamentals(evidence: Evidence) -> list[Fault]:
    """Returns on equity that are old for most of the tradable shares."""
    shares = _tradable(evidence)
    dated = pd.to_datetime(shares["roe_as_of"]).dropna()
    if dated.empty:
        return []
    age = (pd.Timestamp(evidence.session) - dated).dt.days
    old = float((age > OLD_FACT_DAYS).mean())
    if old <= OLD_FACTS:
        return []
    message = f"{old:.0%} of the returns on equity are older than {OLD_FACT_DAYS} days, the median {age.median():.0f}"
    return day_fault(message, share=round(old, 3), median_days=int(age.median()))


def events_end(evidence: Evidence) -> list[Fault]:
    """A list of corporate actions that ends more than a month before the session."""
    official = evidence.events.loc[evidence.events["status"].eq("official"), "ex_date"]
    past = official[official <= pd.Timestamp(evidence.session)]
    if len(past) and (pd.Timestamp(evidence.session) - past.max()).days <= EVENTS_OLD_DAYS:
        return []
    last = f"the last official ex-date is {past.max():%Y-%m-%d}" if len(past) else "no official event is known"
    return day_fault(f"{last}: later splits are inferred from openings", last=str(past.max())[:10])


def unconfirmed_events(evidence: Evidence) -> list[Fault]:
    """Factors inferred from prices that no list has confirmed for three months."""
    events = evidence.events
    inferred = events[events["status"].eq("inferred") & events["factor"].notna()]
    age = (pd.Timestamp(evidence.session) - inferred["ex_date"]).dt.days
    old = sorted(inferred.loc[age > UNCONFIRMED_DAYS, "symbol"].astype(str))
    return counted(
        old,
        "1 inferred factor is unconfirmed by any list: {some}",
        "{count} inferred factors are unconfirmed by any list: {some}",
    )


def unread_action(evidence: Evidence) -> list[Fault]:
    """Splits or bonuses of the list whose wording could not be read and whose ratio nothing else tells."""
    events = unsettled_events(evidence.events)
    days_ahead = (events["ex_date"] - pd.Timestamp(evidence.session)).dt.days
    unread = events[days_ahead.between(-UNREAD_BEHIND_DAYS, UNREAD_AHEAD_DAYS)]
    unread = unread[unread["symbol"].isin(evidence.bars["symbol"])].drop_duplicates("symbol", keep="last")
    text = "{symbol} has a split or bonus on {ex_date:%Y-%m-%d} that could not be read: “{purpose}”"
    return symbol_faults(unread, text, "purpose")


def _tradable(evidence: Evidence) -> pd.DataFrame:
    return evidence.metrics[evidence.metrics["tradable"].astype(bool)]


def _one_a_symbol(faults: list[Fault]) -> list[Fault]:
    return list({fault.symbol: fault for fault in reversed(faults)}.values())


CHECKS = (
    Check(
        "ratio_contradiction",
        "error",
        Blocks.SYMBOL,
        "Market cap = issued shares × price, P/E = price ÷ EPS, P/B = price ÷ book value, PEG = P/E ÷ growth, price = "
        "close of the bar: they are stored together, so they agree to 1 %.",
        "Run calculate_business_logic for the session; it computes the figures again.",
        ratio_contradiction,
        holds=1,
        needs="metrics",
    ),
    Check(
        "impossible_fundamentals",
        "error",
        Blocks.SYMBOL,
        "Figures from different sources that exclude each other: a positive ROE on negative equity, P/E of a loss, "
        "operating margin above 100 %, quick ratio above current ratio.",
        "Upload the symbol's correct statement or snapshot in the admin (it replaces the wrong one), then start "
        "business logic.",
        impossible_fundamentals,
        holds=1,
        needs="metrics",
    ),
    Check(
        "margin_above_hundred",
        "info",
        Blocks.NOTHING,
        "Net profit above revenue: other income or a sale of assets; possible, and worth a look.",
        "None if the statement says so.",
        margin_above_hundred,
        needs="metrics",
    ),
    Check(
        "sources_disagree",
        "warning",
        Blocks.NOTHING,
        "Issued shares according to the exchange's report pack, and to the screener's latest snapshot (market cap ÷ "
        "price), differ from the stored number by more than 25 %: more than new issues explain.",
        "Look the number up in the exchange's report pack; a split or bonus may be missing in "
        "lists/CF-CA-equities.csv.",
        sources_disagree,
        needs="metrics",
    ),
    Check(
        "thin_fundamentals",
        "warning",
        Blocks.NOTHING,
        "90 % of the tradable shares need a market cap, 50 % a P/E and an ROE. Growth and value pick only among those.",
        "Import newer statements and snapshots with import_fundamentals.",
        thin_fundamentals,
        needs="metrics",
    ),
    Check(
        "stale_fundamentals",
        "warning",
        Blocks.NOTHING,
        "More than half of the returns on equity are older than 120 days: a quarter's results are missing.",
        "Import newer statements and snapshots with import_fundamentals.",
        stale_fundamentals,
        needs="metrics",
    ),
    Check(
        "events_end",
        "warning",
        Blocks.NOTHING,
        "The exchange announces ex-dates every week; a month without one means an old list.",
        "Put a newer list of corporate actions into lists/CF-CA-equities.csv, or let the exchange's be downloaded.",
        events_end,
    ),
    Check(
        "unread_action",
        "error",
        Blocks.SYMBOL,
        "What looks like a split or bonus of the share and cannot be read has no factor, so its prices, market cap and "
        "EPS are wrong from the ex-date on. It is kept out from three weeks before it until the ratio is known, for a "
        "year at most. None in the ten years of the real list.",
        "Correct the wording in lists/CF-CA-equities.csv (“Bonus 1:1”, “Face Value Split From Rs 10 To Rs 2”) and run "
        "the pipeline.",
        unread_action,
        holds=1,
    ),
    Check(
        "unconfirmed_events",
        "info",
        Blocks.NOTHING,
        "Splits and bonuses inferred from price, ISIN or share counts more than 90 days ago and confirmed by no list.",
        "Put a newer list of corporate actions into lists/CF-CA-equities.csv; the next pipeline run confirms them.",
        unconfirmed_events,
    ),
)
