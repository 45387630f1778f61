"""A backtest's content as a text for a terminal; pure."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

_LINES: Final = {
    "brokerage": "Brokerage",
    "stt": "Securities transaction tax",
    "exchange": "Exchange",
    "ipft": "Investor protection fund",
    "sebi": "SEBI",
    "stamp_duty": "Stamp duty",
    "gst": "GST",
    "total": "Total on the contract notes",
    "dp": "DP charges",
}


def report_text(content: Mapping[str, Any]) -> str:
    """The terms, the figures, charges by line, months, and what was not traded or not booked."""
    sections = (_head, _figures, _charges, _periods, _left_out)
    return "\n\n".join("\n".join(section(content)) for section in sections)


def _head(content: Mapping[str, Any]) -> Iterator[str]:
    terms, lists = content["parameters"], content["lists"]
    yield (
        f"{terms['strategy']} by recipe {content['recipe']}, {content['equity'][0][0]} to {content['equity'][-1][0]}:"
        f" ₹{Decimal(terms['capital']):,} in {terms['holdings']} holdings, kept to place {terms['keep']},"
        f" a decision every {terms['every']} sessions"
    )
    broker = f"charges of {terms['broker']}" if terms["broker"] else "no charges"
    yield (
        f"reweigh {terms['reweigh']}, settlement {terms['settlement']}, {broker},"
        f" {'with' if terms['impact'] else 'without'} impact{', parts of shares' if terms['fractional'] else ''}"
    )
    if limits := terms.get("limits"):
        words = ", ".join(f"{name} {value}" for name, value in limits.items())
        yield f"Within limits: {words}; they refused {len(content['refused'])} purchases."
    yield f"A list on {lists['sessions']} sessions, since {lists['first']}; none on {len(lists['without'])}."


def _figures(content: Mapping[str, Any]) -> Iterator[str]:
    figures = content["figures"]
    yield f"{'End value':<34}{_rupees(figures['end_value']):>18} ₹"
    yield f"{'  what does not trade at nothing':<34}{_rupees(figures['end_value_at_nothing']):>18} ₹"
    rows = (
        ("Total return", _percent(figures["total_return_pct"])),
        ("Annual return", _percent(figures["annual_return_pct"])),
        ("  mean, 90 % interval", _interval(figures["annual_return_interval_pct"])),
        ("Over equal weight, a year", _interval(figures["excess_equal_weight_pct"])),
        ("Over NIFTYBEES, a year", _interval(figures["excess_niftybees_pct"])),
        ("Volatility", _share(figures["volatility_pct"])),
        ("Sharpe ratio", _number(figures["sharpe"])),
        ("Deepest fall", _percent(figures["max_drawdown_pct"])),
        ("Turnover a year", _number(figures["turnover_a_year"])),
        ("In shares", _share(figures["exposure_pct"])),
        ("Charges, a year", _share(figures["charges_pct_a_year"])),
        ("Impact, a year", _share(figures["impact_pct_a_year"])),
    )
    for label, value in rows:
        yield f"{label:<34}{value}"
    if figures["capacity_rupees"]:
        yield f"{'Median order 1 % of turnover at':<34}{_rupees(figures['capacity_rupees']):>18} ₹"
    yield "NIFTYBEES keeps its dividends; those of the shares are not booked. Equal weight pays no charges."


def _charges(content: Mapping[str, Any]) -> Iterator[str]:
    for name, label in _LINES.items():
        yield f"{label:<34}{_rupees(content['charges'][name]):>18} ₹"
    yield f"{'Impact':<34}{_rupees(content['impact']):>18} ₹"


def _periods(content: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'':<10}{'return':>10}{'equal weight':>14}{'NIFTYBEES':>12}"
    for row in (*content["monthly"], *content["half_years"]):
        label = row.get("month") or row["half_year"]
        yield (
            f"{label:<10}{_percent(row['return_pct']):>10}{_percent(row['equal_weight_pct']):>14}"
            f"{_percent(row['niftybees_pct']):>12}"
        )


def _left_out(content: Mapping[str, Any]) -> Iterator[str]:
    yield from _listed(
        "Holdings that have not traded for 20 sessions",
        [f"{each['symbol']} since {each['last_session']}: {each['quantity']}" for each in content["untraded"]],
    )
    yield from _listed(
        "Events that fell on a holding and are not booked",
        [f"{each['ex_date']} {each['symbol']}: {each['purpose']}" for each in content["events_not_booked"]],
    )
    if content["events_known_until"] != content["equity"][-1][0]:
        until = content["events_known_until"] or "no day"
        yield f"Corporate actions are known to {until}; later ones are missing here."


def _listed(title: str, rows: Sequence[str]) -> Iterator[str]:
    yield f"{title}: {len(rows)}"
    for row in rows:
        yield f"  {row}"


def _rupees(text: str) -> str:
    return f"{Decimal(text):,.2f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f} %"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _interval(interval: Mapping[str, float | None] | None) -> str:
    if interval is None:
        return "–"
    return f"{_percent(interval['mean'])} ({_percent(interval['low_90'])} … {_percent(interval['high_90'])})"
