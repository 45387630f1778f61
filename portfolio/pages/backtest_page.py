"""What the pages of a backtest show, read from its stored content: nothing is computed here but what is drawn."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

from portfolio.models import Backtest
from portfolio.pages.figures.backtest_plots import Line, drawdown_plot, gains, lines_plot, value_plot
from stocks.storage.csv_cells import escaped

TRADE_COLUMNS: Final = ("session", "symbol", "side", "quantity", "price")
CHARGES: Final = {
    "brokerage": "Brokerage",
    "stt": "Securities transaction tax",
    "exchange": "Exchange transaction charge",
    "ipft": "Investor protection fund",
    "sebi": "SEBI turnover fee",
    "stamp_duty": "Stamp duty",
    "gst": "GST",
    "total": "On contract notes",
    "dp": "DP charges, beside the notes",
}
_FIGURES: Final = (
    # key, name, style, what it means
    ("total_return_pct", "Total return", "signed", "after charges and impact, over the whole span"),
    ("annual_return_pct", "Annual return", "signed", "the same a year, compounded over 252 sessions"),
    ("annual_return_interval_pct", "Mean return a year", "interval", "the mean session times 252"),
    ("excess_equal_weight_pct", "Over all tradable shares", "interval", "a year, held in equal parts and free of cost"),
    ("excess_niftybees_pct", "Over NIFTYBEES", "interval", "a year; the fund keeps its dividends"),
    ("max_drawdown_pct", "Deepest fall", "signed", "below the highest value before"),
    ("volatility_pct", "Volatility", "pct", "of the sessions, a year"),
    ("sharpe", "Sharpe ratio", "ratio", "return over volatility, a year, without a risk-free rate"),
    ("turnover_a_year", "Turnover", "fold", "half of what is bought and sold a year, over the mean value"),
    ("charges_pct_a_year", "Charges", "pct", "a year, of the mean value"),
    ("impact_pct_a_year", "Impact", "pct", "a year, of the mean value; assumed"),
    ("exposure_pct", "Invested", "pct", "of the value, mean of the sessions"),
)  # fmt: skip


def page_context(backtest: Backtest) -> dict[str, Any]:
    """Figures, plots and tables of a completed backtest."""
    content: dict[str, Any] = backtest.content or {}
    figures = content["figures"]
    return {
        "content": content,
        "figures": figures,
        "tiles": tiles(figures),
        "plots": [
            plot
            for plot in (value_plot(content["equity"], content["yardsticks"]), drawdown_plot(content["equity"]))
            if plot
        ],
        "charges": [(words, content["charges"][line]) for line, words in CHARGES.items()],
        "has_fund": content["yardsticks"]["niftybees"] is not None,
        "untraded_value_differs": figures["end_value"] != figures["end_value_at_nothing"],
    }


def tiles(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures in their order, each with its name, value, interval and meaning."""
    return [_tile(figures.get(key), name, style, meaning) for key, name, style, meaning in _FIGURES]


def _tile(value: Any, name: str, style: str, meaning: str) -> dict[str, Any]:
    interval = (value or {}) if style == "interval" else {}
    return {
        "name": name,
        "value": interval.get("mean") if style == "interval" else value,
        "style": "signed" if style == "interval" else style,
        "low": interval.get("low_90"),
        "high": interval.get("high_90"),
        "meaning": meaning,
    }


def comparison(first: Backtest, second: Backtest) -> dict[str, Any]:
    """Two completed backtests side by side: parameters that differ, figures, and both curves."""
    contents: list[dict[str, Any]] = [first.content or {}, second.content or {}]
    pairs = zip(*(tiles(content["figures"]) for content in contents), strict=True)
    names = [name for name in first.parameters if first.parameters[name] != second.parameters.get(name)]
    lines = [
        Line(kind, f"{letter}: {backtest.strategy}", gains(content["equity"]))
        for kind, letter, backtest, content in zip(("model", "fund"), "AB", (first, second), contents, strict=True)
    ]
    return {
        "pairs": list(pairs),
        "differences": [(name, first.parameters[name], second.parameters.get(name)) for name in names],
        "plot": lines_plot("comparison", "Gained since each one's first session", lines),
        "ends": [content["figures"]["end_value"] for content in contents],
    }


def trades_csv(content: Mapping[str, Any]) -> Iterator[str]:
    """The trades as lines of a CSV file with a header."""
    line = io.StringIO()
    rows = csv.writer(line)
    rows.writerow(TRADE_COLUMNS)
    for trade in content["trades"]:
        rows.writerow([escaped(str(trade[name])) for name in TRADE_COLUMNS])
    yield line.getvalue()
