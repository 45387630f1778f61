"""A backtest as one JSON object, from stored places, bars and events."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from market_data.storage import queries
from ml.champions.queries import champion
from ml.pick_history import queries as pick_history
from ml.predictions import predicted_symbols
from portfolio.backtest.figures import Floats, daily_returns, figures, impact_rupees, periods
from portfolio.backtest.lists import lists_by_session, wanted_symbols
from portfolio.backtest.panel import Panel
from portfolio.backtest.parameters import BacktestError, Parameters
from portfolio.backtest.simulation import CHARGE_LINES, Lists, Simulation, simulate
from portfolio.backtest.yardsticks import FUND, equal_weight_returns, fund_returns
from portfolio.orders.evidence import Limits
from portfolio.trading.account import NOTHING
from stocks.storage.frames import database_snapshot, query_frame

GONE_SESSIONS: Final = 20
"""A share that has not traded for so many sessions at the end is listed as untraded."""

LONGEST_GAP_DAYS: Final = 21
"""A list of the market's corporate actions has no longer gap between ex-dates."""

_PAISA: Final = Decimal("0.01")


Trading = Callable[[Panel, Lists, Parameters, Callable[[int, int], None], Mapping[str, str]], Simulation]


def backtest(terms: Parameters, report: Callable[[int, int], None], trade: Trading = simulate) -> dict[str, Any]:
    """Trade a list's walk-forward places of the champion's recipe through a span.

    Parameters
    ----------
    report
        Receives how many sessions of how many are done.
    trade
        What trades the lists; a replay on paper does it otherwise, and comes to the same.

    Returns
    -------
    dict
        Plain JSON. Rupees and prices are texts (of whole shares with two decimals), quantities whole numbers (of
        parts of shares texts), sessions ISO dates, percentages numbers or None. ``data_hash`` covers all that was read.

    Raises
    ------
    BacktestError
        There is no champion, no session or no list in the span, a list has a place twice, or the capital buys no share.

    Notes
    -----
    Point in time: the equity of a session depends on nothing later. Dividends, rights, and demergers without a known
    ratio are not booked; those that fell on a holding are listed.
    """
    with database_snapshot():
        evidence = _evidence(terms)
    sessions, panel = evidence.sessions, Panel(evidence.bars, evidence.history)
    simulation = trade(panel, evidence.lists, terms, report, evidence.sector_of())
    _check_capital(terms, simulation)
    events = _open_events(evidence.events, sessions[0], sessions[-1])
    yardsticks = (
        equal_weight_returns(evidence.closes, evidence.universe, sessions),
        fund_returns(evidence.fund, sessions),
    )
    return {
        "parameters": terms.as_json(),
        "recipe": evidence.recipe,
        "data_hash": _data_hash((*evidence.hashed(), events)),
        **_refused_json(terms, simulation),
        "lists": evidence.lists_json,
        **_account_json(terms, simulation, panel),
        **_results_json(terms, simulation, panel, *yardsticks),
        "events_not_booked": _events_json(terms, simulation, events),
        "events_known_until": _known_until(evidence.events, sessions[0], sessions[-1]),
    }


class _Evidence(NamedTuple):
    """All that a backtest reads; `history` are the sessions with bars up to its end, `sessions` those of its span."""

    recipe: str
    history: list[date]
    sessions: list[date]
    lists: Lists
    lists_json: dict[str, Any]
    places: pd.DataFrame
    bars: pd.DataFrame
    closes: pd.DataFrame
    universe: pd.DataFrame
    fund: pd.DataFrame
    events: pd.DataFrame
    sectors: pd.DataFrame | None

    def hashed(self) -> tuple[pd.DataFrame, ...]:
        read = (self.places, self.bars, self.closes, self.universe, self.fund)
        return read if self.sectors is None else (*read, self.sectors)

    def sector_of(self) -> dict[str, str]:
        """Each share's sector; empty where no limit asks for it."""
        return {} if self.sectors is None else dict(self.sectors.itertuples(index=False, name=None))


def _evidence(terms: Parameters) -> _Evidence:
    current = champion()
    if current is None:
        raise BacktestError("No recipe is champion yet: train a model (train_models), then fill the pick history.")
    history = _history(terms)
    sessions = [day for day in history if day >= terms.first]
    first, last = sessions[0], sessions[-1]
    places = pick_history.places(terms.strategy, current.recipe, first, last)
    lists = lists_by_session(places, sessions, terms.strategy, terms.keep)
    symbols = wanted_symbols(lists, sessions, terms.every)
    since = pick_history.first_session(terms.strategy, current.recipe)
    _check_lists(terms, lists, since)
    return _Evidence(
        current.recipe,
        history,
        sessions,
        lists,
        _lists_json(terms, lists, current.recipe, sessions, since),
        places,
        bars=queries.prices_frame(symbols, last),
        closes=queries.adjusted_closes(first, last),
        universe=predicted_symbols(current.recipe, first, last),
        fund=queries.closes_frame([FUND], last),
        events=queries.events_frame(last),
        sectors=None if terms.limits.sector_share is None else _sectors(symbols),
    )


def _sectors(symbols: Sequence[str]) -> pd.DataFrame:
    """Symbol and sector of shares whose sector is known: today's, since no source dates it."""
    return query_frame(
        "SELECT symbol, sector FROM stocks WHERE symbol = ANY(%s) AND sector <> '' ORDER BY symbol", [list(symbols)]
    )


def _history(terms: Parameters) -> list[date]:
    """The sessions with bars up to the end of the span; some lie in it."""
    latest = queries.latest_session()
    history = queries.bar_sessions(terms.last)
    if latest is None:
        raise BacktestError("No bars are stored: load the market's data first.")
    if not history:
        raise BacktestError(f"The span ends on {terms.last}, before the first stored bars: choose a later end.")
    if history[-1] < terms.first:
        if terms.first > latest:
            raise BacktestError(f"The span begins on {terms.first}, after the last stored bars of {latest}.")
        raise BacktestError(f"No session lies from {terms.first} to {terms.last}: choose a wider span.")
    return history


def _check_lists(terms: Parameters, lists: Lists, since: date | None) -> None:
    if lists:
        return
    stored = f"it has places since {since}" if since else "it has none at all: fill it with pick_history"
    raise BacktestError(
        f"The list {terms.strategy} has no places from {terms.first} to {terms.last} in the pick history; {stored}."
    )


def _check_capital(terms: Parameters, simulation: Simulation) -> None:
    if simulation.trades or simulation.cheapest is None:
        return
    slot = terms.capital / terms.holdings
    raise BacktestError(
        f"capital {terms.capital} buys no share of anything on the lists: each of {terms.holdings} holdings gets"
        f" ₹{slot:.2f}, the cheapest share cost ₹{simulation.cheapest:.2f} before charges; take more capital or fewer"
        " holdings."
    )


def _lists_json(
    terms: Parameters, lists: Lists, recipe: str, sessions: Sequence[date], since: date | None
) -> dict[str, Any]:
    reasons = pick_history.sessions_without_places(terms.strategy, recipe, sessions[0], sessions[-1])
    without = [[day.isoformat(), reasons.get(day, "no list was computed")] for day in sessions if day not in lists]
    return {"first": since.isoformat() if since else None, "sessions": len(lists), "without": without}


def _account_json(terms: Parameters, simulation: Simulation, panel: Panel) -> dict[str, Any]:
    last = len(panel.sessions) - 1
    return {
        "equity": _curve(terms, simulation.sessions, simulation.equity),
        "trades": [
            {
                "session": trade.session.isoformat(),
                "symbol": trade.symbol,
                "side": trade.side.value,
                "quantity": _quantity(terms, trade.quantity),
                "price": _price(trade.price),
            }
            for trade in simulation.trades
        ],
        "cash": _rupees(terms, simulation.cash[-1]),
        "usable_cash": _rupees(terms, simulation.usable_cash),
        "holdings": [
            {
                "symbol": symbol,
                "quantity": _quantity(terms, quantity),
                "last_close": _price(panel.last_close(symbol, last)),
                "last_session": panel.sessions[panel.last_session(symbol, last)].isoformat(),
            }
            for symbol, quantity in sorted(simulation.holdings[-1].items())
        ],
        "charges": {line: f"{simulation.charges[line]:.2f}" for line in CHARGE_LINES},
        "impact": _rupees(terms, impact_rupees(simulation.trades)),
    }


def _results_json(
    terms: Parameters, simulation: Simulation, panel: Panel, equal_weight: Floats, fund: Floats | None
) -> dict[str, Any]:
    gone = _gone(simulation, panel)
    last = len(panel.sessions) - 1
    value = sum((quantity * panel.last_close(symbol, last) for symbol, quantity in gone.items()), NOTHING)
    values = figures(simulation, terms.capital, equal_weight, fund, value)
    for name in ("end_value", "end_value_at_nothing"):
        values[name] = _rupees(terms, values[name])
    capacity = values["capacity_rupees"]
    values["capacity_rupees"] = None if capacity is None else format(capacity, "f")
    returns = daily_returns(simulation.equity)
    curves = {"equal_weight": equal_weight, "niftybees": fund}
    return {
        "figures": values,
        "monthly": periods(simulation.sessions, "month", returns, equal_weight, fund),
        "half_years": periods(simulation.sessions, "half_year", returns, equal_weight, fund),
        "yardsticks": {name: _yardstick(terms, simulation.sessions, daily) for name, daily in curves.items()},
        "untraded": [
            {
                "symbol": symbol,
                "quantity": _quantity(terms, quantity),
                "last_session": panel.sessions[panel.last_session(symbol, last)].isoformat(),
                "last_close": _price(panel.last_close(symbol, last)),
            }
            for symbol, quantity in sorted(gone.items())
        ],
    }


def _gone(simulation: Simulation, panel: Panel) -> dict[str, Decimal]:
    """Holdings at the end that have not traded for `GONE_SESSIONS`."""
    last, held = len(panel.sessions) - 1, simulation.holdings[-1]
    return {name: held[name] for name in held if last - panel.last_session(name, last) >= GONE_SESSIONS}


def _open_events(events: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    """Events of a span that no factor carries, so that no holding follows them: symbol, ex_date, kind, purpose.

    A demerger of the list has no ratio, but a row with the ratio of its opening may stand beside it.
    """
    in_force = events[events["status"] != "rejected"]
    key = ["symbol", "ex_date", "kind"]
    carried = in_force["factor"].notna().groupby([in_force[name] for name in key]).transform("any")
    is_open = ~carried & in_force["ex_date"].between(pd.Timestamp(first), pd.Timestamp(last))
    columns = [*key, "purpose"]
    return in_force.loc[is_open, columns].sort_values(columns, ignore_index=True)


def _known_until(events: pd.DataFrame, first: date, last: date) -> str | None:
    """The last official ex-date of a span before its first long gap: after it, dividends are missing."""
    in_span = events["ex_date"].between(pd.Timestamp(first), pd.Timestamp(last))
    official = events.loc[in_span & (events["status"] == "official"), "ex_date"]
    days = np.unique(official.to_numpy(dtype="datetime64[D]"))
    gaps = np.flatnonzero(np.diff(days) > np.timedelta64(LONGEST_GAP_DAYS, "D"))
    return str(days[gaps[0] if len(gaps) else -1]) if len(days) else None


def _refused_json(terms: Parameters, simulation: Simulation) -> dict[str, Any]:
    """The purchases that the account's limits refused; no key where none is set."""
    if terms.limits == Limits():
        return {}
    rows = simulation.refused
    return {
        "refused": [
            {
                "session": row.session.isoformat(),
                "symbol": row.symbol,
                "quantity": int(row.quantity),
                "checks": list(row.checks),
            }
            for row in rows
        ]
    }


def _events_json(terms: Parameters, simulation: Simulation, events: pd.DataFrame) -> list[dict[str, Any]]:
    """The events of the span whose share was held at the close before the ex-date."""
    days = pd.DatetimeIndex(pd.to_datetime(simulation.sessions))
    rows = []
    for symbol, ex_date, kind, purpose in events.itertuples(index=False):
        before = int(days.searchsorted(ex_date)) - 1
        quantity = simulation.holdings[before].get(symbol) if before >= 0 else None
        if quantity:
            row = {"symbol": symbol, "ex_date": ex_date.date().isoformat(), "kind": kind, "purpose": purpose}
            rows.append(row | {"quantity": _quantity(terms, quantity)})
    return sorted(rows, key=lambda row: (row["ex_date"], row["symbol"], row["kind"]))


def _yardstick(terms: Parameters, sessions: Sequence[date], returns: Floats | None) -> list[list[str]] | None:
    if returns is None:
        return None
    values = float(terms.capital) * np.cumprod(1 + returns)
    return [[day.isoformat(), f"{value:.2f}"] for day, value in zip(sessions, values.tolist(), strict=True)]


def _curve(terms: Parameters, sessions: Sequence[date], values: Sequence[Decimal]) -> list[list[str]]:
    return [[day.isoformat(), _rupees(terms, value)] for day, value in zip(sessions, values, strict=True)]


def _rupees(terms: Parameters, amount: Decimal) -> str:
    return format(amount if terms.fractional else amount.quantize(_PAISA, ROUND_HALF_UP), "f")


def _price(price: Decimal) -> str:
    """A price with its decimals, at least two."""
    return f"{price:.2f}" if price == price.quantize(_PAISA) else format(price, "f")


def _quantity(terms: Parameters, quantity: Decimal) -> int | str:
    return format(quantity, "f") if terms.fractional else int(quantity)


def _data_hash(frames: Sequence[pd.DataFrame]) -> str:
    """SHA-256 over all columns of some frames."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(f"{list(frame.columns)} {len(frame)}".encode())
        for name in frame:
            column = frame[name].to_numpy()
            is_text = column.dtype == object
            digest.update("\n".join(map(str, column)).encode() if is_text else np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
