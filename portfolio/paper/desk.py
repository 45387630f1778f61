"""Carries a paper account's orders out, one after another: each through the checks, the sender and the simulated venue.

The clock is the session's own. It moves by the venue's ticks, so that an order that was taken in meets the next opening
price, and never back.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import ROUND_CEILING, Decimal
from typing import Final

from brokers.charges import Side
from brokers.protocol import IST, OrderType
from market_data.quality.blocking import excluded_symbols
from portfolio.models import Order, Strategy, TradingAccount
from portfolio.orders import desk, gathered
from portfolio.orders.book import Wish
from portfolio.orders.events import Kind
from portfolio.orders.evidence import Draft, Evidence
from portfolio.orders.projection import WORKING, State
from portfolio.orders.risk import Refusal, refusals
from portfolio.paper.prices import OPENING, TICK, StoredBars
from portfolio.plans.live import PURPOSE
from portfolio.sending.sender import WAITS, Sender
from portfolio.sending.venues import venue_of
from portfolio.trading.account import Account, Execution, Quote
from portfolio.trading.session import Market

_AFTER_THE_CLOSE: Final = time(15, 31)
_LEAST_PROTECTION: Final = Decimal("0.01")


class SessionClock:
    """The time of a session that is carried out; it never moves back."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, day: date, clock: time) -> None:
        self.now = max(self.now, datetime.combine(day, clock, IST))

    def tick(self) -> None:
        self.now += TICK


@dataclass
class PaperDesk:
    """A paper account with its sender, between whose turns the clock moves."""

    account: TradingAccount
    bars: StoredBars
    clock: SessionClock
    charges: bool = True
    strategy: Strategy | None = None
    session: date = date.min
    _sender: Sender | None = None
    _series: dict[str, str] = field(default_factory=dict)
    _expected: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _free: Callable[[], Decimal] | None = None
    _prices: dict[str, Decimal] = field(default_factory=dict)
    _kept_out: Collection[str] | None = None

    def begin(self, session: date) -> None:
        """Move to a session's opening."""
        self.clock.move(session, OPENING)
        self.session = session
        self._series = {listing.symbol: listing.series for listing in self.bars.listings(session)}

    def open_session(self, session: date, account: Account, strategy: Strategy, market: Market) -> None:
        """Let an account trade a session through this desk from its opening on; the checks know its openings."""
        self.begin(session)
        self.strategy = strategy
        self._expected, self._free = {}, lambda: account.usable_cash
        quotes = {symbol: market.quote(symbol) for symbol in account.holdings}
        self._prices = {symbol: quote.bar.open for symbol, quote in quotes.items() if quote is not None}
        latest = gathered.latest_session_before(self.clock())
        self._kept_out = None if latest is None else excluded_symbols(latest).keys()
        account.execute = self.execute

    def close_session(self) -> None:
        """Hear what the close did to orders that are still open."""
        self.clock.move(self.session, _AFTER_THE_CLOSE)
        self._turn()

    def send_what_was_ordered(self) -> None:
        """Send the orders of the session that were queued by hand, each at the moment of its wish."""
        queued = Order.objects.filter(account=self.account, session=self.session, status=State.QUEUED.value)
        for moment in sorted(order.events.earliest("at").at for order in queued):
            self.clock.now = max(self.clock.now, moment.astimezone(IST))
            self._turn()

    def execute(self, side: Side, symbol: str, quantity: Decimal, quote: Quote, price: Decimal) -> Execution | None:
        """Order shares of a symbol, and say what was filled at the opening; the rest is cancelled."""
        self.clock.tick()
        self._expected[symbol, side.value] = price
        self._prices[symbol] = quote.bar.open
        draft = Draft(
            account=str(self.account.pk),
            session=self.session,
            symbol=symbol,
            side=side,
            quantity=int(quantity),
            order_type=OrderType.MARKET,
            market_protection=_protection(quote.bar.open, price),
        )
        series = self._series.get(symbol, "EQ")
        wish = Wish(draft, PURPOSE, self.strategy, self.account.owner, series)
        order = desk.place(self.account, wish, self.clock(), self._evidence(draft, None))
        if order.status in (State.QUEUED, State.SENDING, State.UNKNOWN):
            self._turn()
            self.clock.tick()
        self._settle(order)
        if not order.filled_quantity or order.average_price is None:
            return None
        return Execution(Decimal(order.filled_quantity), Decimal(order.average_price))

    def _settle(self, order: Order) -> None:
        """Hear what became of an order, and take what is left of it out of the book."""
        order.refresh_from_db()
        if order.status not in WORKING:
            return
        self._turn()
        order.refresh_from_db()
        if order.status in WORKING:
            desk.ask_cancel(order, PURPOSE, self.clock())
            self.clock.tick()
            self._turn()
            self.clock.tick()
            self._turn()
            order.refresh_from_db()

    def _turn(self) -> None:
        assert self._sender is not None
        self._sender.expect_news()
        self._sender.step()

    def refusals_of(self, order: Order, at: datetime) -> Sequence[Refusal]:
        """What refuses an order right before it is sent; one that was wished later waits for its moment."""
        wished = order.events.filter(kind=Kind.CREATE.value).values_list("at", flat=True).first()
        if wished is not None and wished > at:
            return [Refusal(WAITS, "It was ordered later in the session.")]
        draft = desk.draft_of(order)
        if (order.symbol, order.side) in self._expected and order.session == self.session:
            return refusals(draft, self._evidence(draft, order))
        return refusals(draft, gathered.evidence_for(self.account, draft, at, own=order, strategy=order.strategy))

    def _evidence(self, draft: Draft, own: Order | None) -> Evidence:
        """What is known of an order of the opening: its price, and what it gets."""
        price = self._expected[draft.symbol, draft.side.value]
        known = gathered.evidence_for(
            *(self.account, draft, self.clock()),
            own=own,
            strategy=self.strategy,
            prices=self._prices,
            kept_out=self._kept_out,
        )
        standing = known.standing
        if draft.side == Side.BUY and self._free is not None:
            # What was ordered by hand later in the session blocks no money yet.
            charges = standing.charges if self.charges else Decimal(0)
            standing = replace(standing, charges=charges, cash=self._free())
        return replace(known, share=replace(known.share, execution_price=price), standing=standing)


@contextmanager
def paper_desk(
    account: TradingAccount, bars: StoredBars, clock: SessionClock, *, charges: bool = True
) -> Iterator[PaperDesk]:
    """Open a paper account's desk; while it is open, the account has no other sender.

    Raises
    ------
    AnotherSender
        Somebody else is at work for the account.
    """
    own = PaperDesk(account, bars, clock, charges)
    behaviour = bars.behaviour(account.charges_of if charges else None)
    with venue_of(account, clock, bars, behaviour) as venue, Sender(account, venue, clock, own.refusals_of) as sender:
        own._sender = sender
        yield own


def _protection(opening: Decimal, price: Decimal) -> Decimal:
    """Market protection in percent, two decimals, that reaches from the opening to the price expected."""
    away = abs(price / opening - 1) * 100
    return max(away.quantize(_LEAST_PROTECTION, ROUND_CEILING), _LEAST_PROTECTION)
