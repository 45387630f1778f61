"""Checks of an order against the market: session, phase, share, price, quantity; pure.

Each returns a sentence with the value and the remedy; an empty one where nothing is wrong. What follows from
unknown facts is in `risk`.
"""

from decimal import Decimal
from typing import Final

from brokers.charges import Product, Side
from brokers.protocol import SERIES
from market_data.trading_phases import IST, PhaseError, PhaseRule, phase_at
from portfolio.orders.evidence import BROKERS_OWN, PRICED, TRIGGERED, UNPRICED, Draft, Evidence, is_price
from stocks.universe.ticks import finest_tick, tick_size

TRADE_TO_TRADE: Final = frozenset(("BE", "BZ", "ST"))
_IN_LOTS: Final = frozenset(("SM", "ST"))


# --- the market -----------------------------------------------------------------------------------------------------
def session_closed(draft: Draft, evidence: Evidence) -> str:
    today = evidence.at.astimezone(IST).date()
    if evidence.day is None or evidence.day.day != today:
        return f"The calendar does not know {today}; add its market days with import_market_days."
    if not evidence.day.is_session:
        return f"{today} is no session ({evidence.day.kind}); order for the next one."
    if draft.session != today:
        return f"The order is for the session of {draft.session} and today is {today}; send it on that day."
    return ""


def phase(draft: Draft, evidence: Evidence) -> str:
    if session_closed(draft, evidence):
        return ""  # said already
    at = f"{evidence.at.astimezone(IST):%H:%M:%S}"
    try:
        possible = _possible_phases(evidence)
    except PhaseError as error:
        return str(error)
    if len({phase and (phase.phase, phase.order_types) for phase in possible}) > 1:
        return (
            f"At {at} shares with derivatives trade otherwise than those without, and which {draft.symbol} is is not"
            " known; wait for a phase that both share."
        )
    phase = possible[0]
    if phase is None:
        return f"At {at} nothing can be entered; the phases of the day are in trading_phases."
    if draft.order_type not in phase.order_types:
        allowed = " and ".join(phase.order_types)
        takes = f"The {phase.words} ({phase.hours}) takes {allowed} orders"
        return f"{takes}, not {draft.order_type}; change the order's type."
    return ""


def _possible_phases(evidence: Evidence) -> list[PhaseRule | None]:
    known = evidence.share.has_derivatives
    assert evidence.day is not None
    return [
        phase_at(evidence.at, has_derivatives=has, day=evidence.day, rules=evidence.phases)
        for has in ((True, False) if known is None else (known,))
    ]


# --- the share ------------------------------------------------------------------------------------------------------
def not_tradable(draft: Draft, evidence: Evidence) -> str:
    share, symbol = evidence.share, draft.symbol
    if share.renamed_to:
        return f"{symbol} trades as {share.renamed_to}; order that."
    if share.series is None:
        return f"{symbol} is in no list of symbols; check its spelling, or read the account's list anew."
    if share.series not in SERIES:
        return f"{symbol} is in series {share.series}; only {', '.join(SERIES)} are traded."
    if share.suspended:
        return f"{symbol} is suspended; wait until the exchange lists it again."
    if share.kind == "fund":
        return f"{symbol} is a fund; only shares are traded."
    if draft.side is Side.SELL:
        return ""
    if share.kind != "share":
        return f"Whether {symbol} is a share is not known; settle its kind first."
    if share.quarantined is None:
        return f"Whether findings keep {symbol} out is not known; let the evening's validation end first."
    if share.quarantined:
        return f"Findings keep {symbol} out; settle them first. It may be sold."
    return ""


def trade_to_trade(draft: Draft, evidence: Evidence) -> str:
    series = evidence.share.series
    if series in TRADE_TO_TRADE and draft.product is not Product.DELIVERY:
        return f"{draft.symbol} is in series {series}, delivery only, and the order is {draft.product}; order cnc."
    return ""


def band(draft: Draft, evidence: Evidence) -> str:
    lower, upper = evidence.share.lower_band, evidence.share.upper_band
    for name, price in _prices(draft):
        if price is None or not price.is_finite():
            continue
        if (lower is not None and price < lower) or (upper is not None and price > upper):
            return f"The {name} {price} is outside today's band, {lower} to {upper}; choose one inside."
    return ""


def lot(draft: Draft, evidence: Evidence) -> str:
    quantity, share = draft.quantity, evidence.share
    if quantity <= 0:
        return f"The quantity is {quantity}; order at least one share."
    if share.lot is None and share.series in _IN_LOTS:
        return f"{draft.symbol} trades in lots, and its lot is not known; read the account's list of symbols."
    if share.lot is not None and quantity % share.lot:
        return f"{quantity} is no multiple of {draft.symbol}'s lot, {share.lot}; order whole lots."
    if share.freeze_quantity is not None and quantity >= share.freeze_quantity:
        return f"The exchange refuses {quantity} {draft.symbol}: an order has fewer than {share.freeze_quantity}."
    return ""


def tick(draft: Draft, evidence: Evidence) -> str:
    step = _step(draft, evidence)
    for name, price in _prices(draft):
        needed = draft.order_type in (PRICED if name == "price" else TRIGGERED)
        if (price is not None) != needed:
            need = "needs a" if needed else "has no"
            return f"A {draft.order_type} order {need} {name}, and {price} was given; correct the order."
        if price is not None and not is_price(price):
            return f"The {name} {price} is none; give one above 0."
        if price is not None and price % step:
            return f"The {name} {price} is no multiple of {draft.symbol}'s tick, {step}; round it."
    return ""


def _step(draft: Draft, evidence: Evidence) -> Decimal:
    share = evidence.share
    if share.tick_size is not None:
        return share.tick_size
    if share.month_close is None:
        return finest_tick(draft.session)
    return tick_size(draft.session, share.month_close)


def _prices(draft: Draft) -> tuple[tuple[str, Decimal | None], ...]:
    return ("price", draft.price), ("trigger price", draft.trigger_price)


def stale_data(draft: Draft, evidence: Evidence) -> str:
    if draft.side is Side.SELL and draft.order_type in PRICED:
        return ""  # it has a price of its own: a share that has not traded lately can be sold
    prices_of, latest = evidence.share.prices_of, evidence.latest_session
    if latest is None:
        return "The latest completed session is not known; seed the calendar first."
    if prices_of is None:
        return f"No price of {draft.symbol} is known; load the session of {latest} first."
    if prices_of < latest:
        return f"The newest price of {draft.symbol} is of {prices_of}; load the session of {latest} first."
    return ""


def market_protection(draft: Draft, evidence: Evidence) -> str:
    protection = draft.market_protection
    if draft.order_type not in UNPRICED:
        return ""
    if protection is None or not protection.is_finite() or protection == 0:
        return f"A {draft.order_type} order has the market protection {protection}; give -1, or up to 100 percent."
    if protection != BROKERS_OWN and not 0 < protection <= 100:
        return f"The market protection {protection} is neither -1 nor above 0 and up to 100 percent; choose one."
    return ""
