"""Statements of the simulated companies: quarters and years with their publication dates, ₹ crore.

Each company starts with a price-earnings ratio, a margin and a leverage; its revenue grows at its own pace with noise.
Every quarter draws from a generator seeded with (seed, quarter number), so later quarters never change earlier ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from market_data.providers import STATEMENT_COLUMNS
from market_data.providers.simulator.companies import Companies, Floats

FIRST_YEAR = 2019
"""Calendar year of the first quarter; five quarters before the market begins are enough for yearly growth."""

_LATEST_DAYS = {"quarter": 45, "year": 60}
_LOSS_CHANCE = 0.12


@dataclass(frozen=True)
class _Ratios:
    """Constant traits of the companies, one entry each."""

    revenue: Floats
    growth: Floats
    margin: Floats
    operating_over_net: Floats
    assets_over_revenue: Floats
    equity_share: Floats
    debt_share: Floats
    delay: Floats


def statements(
    market: Companies, seed: int, as_of: date, shares_at: Callable[[date], Floats], since: date | None = None
) -> pd.DataFrame:
    """Return the statements published by a day, after ``since``, under the companies' first symbols; funds have none.

    ``STATEMENT_COLUMNS``; a quarter is published 15-45 days after its end, a year 30-60 days after it (31 March), the
    dates are known and not assumed. ``shares_at`` returns the issued shares of each security on a day.

    Point in time: only rows with ``published_on <= as_of``.
    """
    ratios = _ratios(market, seed)
    parts: list[pd.DataFrame] = []
    year: list[dict[str, Floats]] = []
    revenue = ratios.revenue / 4
    for number, end in enumerate(_quarter_ends(as_of)):
        rng = np.random.default_rng([seed, 4, number])
        revenue = revenue * np.exp(ratios.growth / 4 + 0.04 * rng.standard_normal(len(market)))
        net = revenue * (ratios.margin + 0.02 * rng.standard_normal(len(market)))
        operating = np.maximum(net * ratios.operating_over_net, net + 0.01 * revenue)
        income = {"revenue": revenue, "operating_income": operating, "net_income": net}
        is_due = since is None or end + timedelta(days=max(_LATEST_DAYS.values())) > since
        if is_due:
            parts.append(_rows(market, end, "quarter", income, ratios.delay, shares_at(end)))
        year.append(income)
        if end.month == 3 and len(year) >= 4:
            sums = {name: np.sum([quarter[name] for quarter in year[-4:]], axis=0) for name in income}
            figures = sums | _balance(sums["revenue"], ratios, rng)
            if is_due:
                parts.append(_rows(market, end, "year", figures, ratios.delay, shares_at(end)))
    if not parts:
        return pd.DataFrame(columns=list(STATEMENT_COLUMNS), dtype="object")
    every = pd.concat([part[~market.is_fund] for part in parts], ignore_index=True)
    known = every.loc[every["published_on"] <= as_of, list(STATEMENT_COLUMNS)]
    if since is not None:
        known = known[known["published_on"] > since]
    return known.sort_values(["symbol", "period_end", "kind"], ignore_index=True)


def trailing_net_income(published: pd.DataFrame) -> "pd.Series":
    """Return the net income of the last four published quarters by symbol, ₹ crore; NaN with fewer."""
    quarters = published[published["kind"] == "quarter"].sort_values("period_end")
    last = quarters.groupby("symbol").tail(4).groupby("symbol")["net_income"]
    return last.sum().where(last.size() == 4)


def _ratios(market: Companies, seed: int) -> _Ratios:
    rng = np.random.default_rng([seed, 5])
    count = len(market)
    cap_crores = market.price * market.shares / 1e7
    earning_yield = np.exp(rng.normal(-3.2, 0.5, count))
    loss = rng.random(count) < _LOSS_CHANCE
    margin = np.exp(rng.normal(-2.4, 0.5, count)).clip(0.01, 0.4)
    return _Ratios(
        revenue=cap_crores * earning_yield / margin,
        growth=rng.normal(0.11, 0.10, count),
        margin=np.where(loss, -0.5 * margin, margin),
        operating_over_net=rng.uniform(1.3, 2.2, count),
        assets_over_revenue=np.exp(rng.normal(0.2, 0.4, count)),
        equity_share=rng.uniform(0.3, 0.75, count),
        debt_share=rng.uniform(0.0, 0.5, count),
        delay=rng.uniform(0.35, 1.0, count),
    )


def _balance(revenue: Floats, ratios: _Ratios, rng: np.random.Generator) -> dict[str, Floats]:
    """Split the assets of a year's end; equity, debt and current liabilities never exceed them."""
    count = len(revenue)
    assets = revenue * ratios.assets_over_revenue
    current = assets * rng.uniform(0.25, 0.6, count)
    other = assets * (1 - ratios.equity_share)
    return {
        "total_assets": assets,
        "equity": assets * ratios.equity_share,
        "debt": other * ratios.debt_share,
        "current_assets": current,
        "current_liabilities": other * (1 - ratios.debt_share) * 0.8,
        "inventory": current * rng.uniform(0.05, 0.5, count),
    }


def _rows(
    market: Companies, end: date, kind: str, figures: dict[str, Floats], delay: Floats, shares: Floats
) -> pd.DataFrame:
    """Return one period of all securities as rows; what its kind does not report is NaN."""
    days = np.floor(_LATEST_DAYS[kind] * delay).astype(int)
    frame = pd.DataFrame({name: np.round(values, 2) for name, values in figures.items()})
    frame = frame.reindex(columns=list(STATEMENT_COLUMNS))
    return frame.assign(
        symbol=market.symbol,
        period_end=end,
        kind=kind,
        published_on=[end + timedelta(days=int(late)) for late in days],
        published_assumed=False,
        eps=np.round(figures["net_income"] * 1e7 / shares, 2),
        shares=shares if kind == "year" else np.nan,
        source="simulator",
    )


def _quarter_ends(until: date) -> list[date]:
    ends = [
        date(year, month, day)
        for year in range(FIRST_YEAR, until.year + 1)
        for month, day in ((3, 31), (6, 30), (9, 30), (12, 31))
    ]
    return [end for end in ends if end <= until]
