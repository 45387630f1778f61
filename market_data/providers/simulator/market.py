"""The prices of a simulated market, session by session: pure, seeded, and independent of how many are generated.

The model, in daily log returns of a share::

    r = beta * market + sector_beta * sector + own
    own = volatility * sqrt(h) * shock + drift + (u - u_before)

with GARCH(1,1) variances ``h`` of the market and of each share, shocks with fat tails, a slow drift (AR 0.98: mild
momentum) and a passing component ``u`` (AR 0.85: mild reversal over about a week). The last two are what a model can
find: over 1,200 securities and 1,000 sessions the reversal of the last 5 sessions has a rank correlation of 0.03 with
the ten sessions from the next open on, the momentum of 120 sessions without the last ten has 0.04. There is no other
signal, and no profit after costs is promised. Funds follow the market closely.

Every session draws from a generator seeded with (seed, session number), and each state follows from the one before:
the first thousand sessions are the same whether one or two thousand are generated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from market_data.providers.nse.security_kinds import FIVE_PAISE_UNTIL
from market_data.providers.simulator.companies import SECTORS, Companies, Floats, Whole
from market_data.providers.simulator.incidents import Placed, price_effect

MARKET_VOLATILITY, SECTOR_VOLATILITY = 0.0085, 0.0050
_MARKET_DRIFT = 0.0004
_GARCH_OWN, _GARCH_KEEP = 0.08, 0.89
_DRIFT_KEEP, _DRIFT_SIZE = 0.98, 0.016
_PASSING_KEEP, _PASSING_SIZE = 0.85, 0.60
_FAT_TAIL_CHANCE, _FAT_TAIL_SIZE = 0.02, 3.0
_DAILY_BAND = 0.18
_FINE_TICK, _COARSE_TICK, _COARSE_FROM = 1, 5, 25_000
"""In paise: the ticks, and the price from which the coarse one applies."""

_LOG_PRICE_BOUNDS = (float(np.log(1.0)), float(np.log(500_000.0)))
"""Logs of rupees; no share of the real market has left this range."""

NOT_TRADED, IN_EQ, IN_BE = 0, 1, 2
PRICES = ("open", "high", "low", "close", "prev_close", "last_price", "vwap")


@dataclass
class History:
    """What was published; every array is sessions × securities.

    ``prices`` are in paise, by column of the bar frame; ``volume`` and ``delivered`` are shares; ``status`` is
    ``NOT_TRADED``, ``IN_EQ`` or ``IN_BE``.
    """

    prices: dict[str, npt.NDArray[np.int32]]
    volume: npt.NDArray[np.int64]
    trades: npt.NDArray[np.int32]
    delivered: npt.NDArray[np.int64]
    status: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.status)


@dataclass
class State:
    """The state between two sessions; arrays have one entry per security."""

    log_price: Floats
    published_factor: Floats
    last_close: Floats
    market_variance: float
    market_shock: float
    variance: Floats
    shock: Floats
    drift: Floats
    passing: Floats
    activity: Floats
    has_traded: npt.NDArray[np.bool_]


def history(market: Companies, seed: int, days: Sequence[date], incidents: Sequence[Placed]) -> History:
    """Generate a market of some sessions from its first one on; incidents after the last session are ignored."""
    rows = status(market, len(days), incidents)
    return continue_history(market, seed, days, 0, rows, first_state(market), price_factors(len(days), incidents))


def continue_history(
    market: Companies,
    seed: int,
    days: Sequence[date],
    start: int,
    rows: npt.NDArray[np.int8],
    state: State,
    factors: dict[int, dict[int, float]],
) -> History:
    """Generate some sessions of a market from the state before them, the first of which has the index ``start``.

    ``rows`` is the `status` of the sessions, changed in place where a share finds no buyer. ``state`` becomes the state
    after the last session; its arrays are replaced, not changed, but for the published factor. ``factors`` is as
    `price_factors` returns them.
    """
    shape = rows.shape
    out = History(
        prices={column: np.zeros(shape, dtype=np.int32) for column in PRICES},
        volume=np.zeros(shape, dtype=np.int64),
        trades=np.zeros(shape, dtype=np.int32),
        delivered=np.zeros(shape, dtype=np.int64),
        status=rows,
    )
    state.published_factor, state.has_traded = state.published_factor.copy(), state.has_traded.copy()
    for row in range(len(rows)):
        at = start + row
        _advance(out, state, market, row, np.random.default_rng([seed, 3, at]), factors.get(at, {}), days[at])
    return out


def status(market: Companies, sessions: int, incidents: Sequence[Placed]) -> npt.NDArray[np.int8]:
    """Return the series in which each security may trade on each session; sessions × securities."""
    listed = np.arange(sessions)[:, None] >= market.lists_at[None, :]
    out = np.where(listed, IN_EQ, NOT_TRADED).astype(np.int8)
    for incident in incidents:
        if incident.kind == "listing":
            out[:, incident.place] = IN_EQ
            out[: incident.at, incident.place] = NOT_TRADED
    for kind, becomes in (("surveillance", IN_BE), ("suspension", NOT_TRADED)):
        for incident in incidents:
            if incident.kind == kind:
                window = out[incident.at : incident.at + incident.length, incident.place]
                window[window != NOT_TRADED] = becomes
    for incident in incidents:
        if incident.kind == "delisting":
            out[incident.at :, incident.place] = NOT_TRADED
    return out


def price_factors(sessions: int, incidents: Sequence[Placed]) -> dict[int, dict[int, float]]:
    """Return the price factors: session index of the ex-date → place → factor."""
    out: dict[int, dict[int, float]] = {}
    for incident in incidents:
        if incident.at < sessions and price_effect(incident) != 1.0:
            day = out.setdefault(incident.at, {})
            day[incident.place] = day.get(incident.place, 1.0) * price_effect(incident)
    return out


def first_state(market: Companies) -> State:
    """Return the state before the first session."""
    nothing = np.zeros(len(market))
    return State(
        log_price=np.log(market.price),
        published_factor=np.ones(len(market)),
        last_close=np.rint(market.price * 20) * 5,
        market_variance=1.0,
        market_shock=0.0,
        variance=np.ones(len(market)),
        shock=nothing.copy(),
        drift=nothing.copy(),
        passing=nothing.copy(),
        activity=nothing.copy(),
        has_traded=np.zeros(len(market), dtype=bool),
    )


def _advance(
    out: History,
    state: State,
    market: Companies,
    at: int,
    rng: np.random.Generator,
    factors: dict[int, float],
    day: date,
) -> None:
    """Generate one session and write its published figures."""
    returns = _returns(state, market, rng)
    gap = 0.3 * returns + 0.3 * market.volatility * rng.standard_normal(len(market))
    before = state.log_price
    state.log_price = (before + returns).clip(*_LOG_PRICE_BOUNDS)
    for place, factor in factors.items():
        state.published_factor[place] *= factor
    # Until its first trade, a share's issue price serves as its last close.
    state.last_close = np.where(state.has_traded, state.last_close, _paise(before, state, market, day))
    scale = market.volatility * np.sqrt(state.variance)
    up, down = np.abs(rng.standard_normal((2, len(market)))) * scale * 0.6
    traded = _volume(out, state, market, at, rng)
    opened, closed = _paise(before + gap, state, market, day), _paise(state.log_price, state, market, day)
    top, bottom = np.maximum(before + gap, state.log_price) + up, np.minimum(before + gap, state.log_price) - down
    high = np.maximum(_paise(top, state, market, day), np.maximum(opened, closed))
    low = np.minimum(_paise(bottom, state, market, day), np.minimum(opened, closed))
    last = (closed + _tick(closed, market, day) * rng.integers(-1, 2, len(market))).clip(low, high)
    published = dict(zip(PRICES, (opened, high, low, closed, state.last_close, last), strict=False))
    published["vwap"] = np.rint((opened + high + low + closed) / 4)
    for column, values in published.items():
        out.prices[column][at] = values
    state.last_close = np.where(traded, closed, state.last_close)
    state.has_traded |= traded


def _returns(state: State, market: Companies, rng: np.random.Generator) -> Floats:
    """Move the variances, the drift and the passing component on, and return the day's log returns."""
    count = len(market)
    common = rng.standard_normal(1 + len(SECTORS))
    z = rng.standard_normal((3, count))
    tails = np.where(rng.random(count) < _FAT_TAIL_CHANCE, _FAT_TAIL_SIZE, 1.0)
    spread = 1.0 - _GARCH_OWN - _GARCH_KEEP
    state.market_variance = spread + _GARCH_OWN * state.market_shock**2 + _GARCH_KEEP * state.market_variance
    state.market_shock = float(common[0]) * state.market_variance**0.5
    state.variance = spread + _GARCH_OWN * state.shock**2 + _GARCH_KEEP * state.variance
    # Fat tails would make the variance above explode slowly, so they enter the return but not the variance.
    state.shock = z[0] * np.sqrt(state.variance)
    state.drift = _DRIFT_KEEP * state.drift + _DRIFT_SIZE * market.volatility * z[1]
    passing = _PASSING_KEEP * state.passing + _PASSING_SIZE * market.volatility * z[2]
    own: Floats = market.volatility * state.shock * tails + state.drift + passing - state.passing
    state.passing = passing
    overall = _MARKET_DRIFT + MARKET_VOLATILITY * state.market_shock
    by_sector = SECTOR_VOLATILITY * common[1:][market.sector]
    own += market.beta * overall + np.where(market.is_fund, 0.0, market.sector_beta * by_sector)
    return np.clip(own, -_DAILY_BAND, _DAILY_BAND)


def _volume(out: History, state: State, market: Companies, at: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draw turnover and write volume, trades and deliveries; return which securities traded."""
    z = rng.standard_normal((2, len(market)))
    chance, delivered = rng.random((2, len(market)))
    state.activity = 0.93 * state.activity + 0.18 * z[0]
    excited = 0.5 * (np.abs(state.shock) - 0.8)
    turnover = market.turnover * np.exp(state.activity + excited + 0.3 * z[1])
    # The smallest shares do not trade every day.
    silent = chance < np.exp(-turnover / 2e4)
    out.status[at, silent] = NOT_TRADED
    price = np.exp(state.log_price) * state.published_factor
    volume = np.floor(turnover / price).clip(1).astype(np.int64)
    out.volume[at] = volume
    out.trades[at] = np.ceil(volume / np.ceil(30_000 / price)).clip(1, 2e9).astype(np.int32)
    out.delivered[at] = np.floor(volume * (0.2 + 0.6 * delivered)).astype(np.int64)
    return np.asarray(out.status[at] != NOT_TRADED)


def _paise(log_price: Floats, state: State, market: Companies, day: date) -> Floats:
    """Return published prices in paise, on the day's tick."""
    paise = np.exp(log_price) * state.published_factor * 100
    tick = _tick(paise, market, day)
    return np.maximum(np.rint(paise / tick), 1) * tick


def _tick(paise: Floats, market: Companies, day: date) -> Whole:
    """Return the tick in paise: shares 5 (below ₹250 1 since June 2024), funds 1."""
    fine = market.is_fund | ((paise < _COARSE_FROM) & (day >= FIVE_PAISE_UNTIL))
    return np.where(fine, _FINE_TICK, _COARSE_TICK)
