"""What an account has at a moment of a session: shares that can be sold, free cash, and what all of it is worth."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Final

from brokers.charges import Side
from brokers.protocol import IST, OrderType
from market_data.models import DailyBar, Quote, TradingLimits
from portfolio.accounts.charges import are_posted, owed_charges
from portfolio.accounts.readings import arrival_session, last_closes, postings_of, put_in
from portfolio.ledger.holdings import cash, holdings
from portfolio.ledger.postings import Posting, shares_of
from portfolio.models import Order, TradingAccount
from portfolio.orders.evidence import PRICED, TRIGGERED, Holding, protected_price
from portfolio.trading.bars import exact
from portfolio.trading.sizing import Sizing
from stocks.models import Stock
from stocks.universe.sectors import same_sector
from stocks.universe.symbols import owners

_WITH_RESERVE: Final = Sizing(whole=True, reserve=True)
_ONE_DAY: Final = timedelta(days=1)
_NOTHING: Final = Decimal(0)


@dataclass
class Worth:
    """An account at a moment, with its orders of the session that may still be filled.

    The order that is judged is not among them: its own fills count, but what is left of it blocks nothing. `prices` are
    newer ones than the tables', ₹ a share.
    """

    account: TradingAccount
    at: datetime
    in_the_market: Sequence[Order]
    prices: dict[str, Decimal] = field(default_factory=dict)

    def holding(self, symbol: str) -> Holding:
        """Shares of a symbol, less what open sales take: of what is delivered first."""
        own = [posting for posting in self._postings if posting.symbol == symbol]
        held = holdings(own, self._today, self._session_before).get(symbol)
        if held is None:
            return Holding(0)
        taken = sum(order.quantity - order.filled_quantity for order in self._open(Side.SELL) if order.symbol == symbol)
        short = max(taken - held.delivered, 0)
        return Holding(max(held.delivered - taken, 0), max(held.arriving - short, 0), held.bonus_due)

    def free_cash(self) -> Decimal | None:
        """Usable cash less the day's charges so far and what open purchases block, in ₹; None where a cost is unknown.

        Nothing is to be bought with money that is owed already.
        """
        free = cash(self._postings, self._today, self._session_before).usable - self._charges_due
        for order in self._open(Side.BUY):
            price = self._highest(order)
            if price is None:
                return None
            free -= _WITH_RESERVE.cost(Decimal(order.quantity - order.filled_quantity), price)
        return free

    def equity(self) -> Decimal | None:
        """Cash less the day's charges so far, and holdings at their newest prices; None where one has no price."""
        shares = self._value_of(self._held)
        money = sum((posting.amount for posting in self._postings), _NOTHING)
        return None if shares is None else money - self._charges_due + shares

    def value_in(self, symbols: Collection[str]) -> Decimal | None:
        """What is held of shares at their newest prices and what open purchases of them would add, in ₹."""
        total = self._value_of({symbol: self._held.get(symbol, 0) for symbol in symbols})
        for order in self._open(Side.BUY):
            if order.symbol in symbols:
                price = self._highest(order)
                if price is None or total is None:
                    return None
                total += price * (order.quantity - order.filled_quantity)
        return total

    def value_in_sector(self, sector: str) -> Decimal | None:
        """As `value_in`, of all shares of a sector; None where the sector of one is not known."""
        symbols = {*self._held, *(order.symbol for order in self._open(Side.BUY))}
        sectors = dict(Stock.objects.filter(symbol__in=symbols).values_list("symbol", "sector"))
        if any(not sectors.get(symbol) for symbol in symbols):
            return None
        return self.value_in({symbol for symbol in symbols if same_sector(sectors[symbol] or "", sector)})

    def profit_today(self) -> Decimal | None:
        """What the account gained since the close before, after charges and without what was put in or out, in ₹."""
        now, closes = self.equity(), self._values_at_closes
        if now is None or closes is None:
            return None
        day, value = closes[-1] if closes else (date.min, _NOTHING)
        since = put_in([each for each in self._postings if each.day > day])
        return None if since is None else now - value - since

    def peak(self) -> Decimal | None:
        """The highest value at a close, or now, in ₹, as if all that was put in or out had been from the start.

        So a withdrawal is no fall. None where it is not known.
        """
        now, closes = self.equity(), self._values_at_closes
        if now is None or closes is None:
            return None
        given = put_in(self._postings)
        if given is None:
            return None
        earlier = [value + (put_in([each for each in self._postings if each.day > day]) or 0) for day, value in closes]
        return max([now, given, *earlier])

    def price(self, symbol: str) -> Decimal | None:
        """The newest price of a share in ₹: the caller's, today's newest quote, the last close before today."""
        if symbol in self.prices:
            return self.prices[symbol]
        last = quoted_price(symbol, self.at)
        if last is not None:
            return last
        close = last_closes([symbol], self._today - _ONE_DAY).get(symbol)
        return None if close is None else close.price

    # --- what is read ------------------------------------------------------------------------------------------------
    @property
    def _today(self) -> date:
        return self.at.astimezone(IST).date()

    @cached_property
    def _postings(self) -> list[Posting]:
        return postings_of(self.account, self._today)

    @cached_property
    def _session_before(self) -> date:
        return arrival_session(self._postings, self._today)

    @cached_property
    def _held(self) -> dict[str, int]:
        return shares_of(self._postings)

    @cached_property
    def _charges_due(self) -> Decimal:
        """The contract note and DP charges of today's fills, unless the ledger has them already."""
        return _NOTHING if are_posted(self.account, self._today) else owed_charges(self.account, self._today)

    def _open(self, side: Side) -> list[Order]:
        return [order for order in self.in_the_market if order.side == side.value]

    def _value_of(self, shares: dict[str, int]) -> Decimal | None:
        total = _NOTHING
        for symbol, quantity in shares.items():
            price = self.price(symbol) if quantity else _NOTHING
            if price is None:
                return None
            total += price * quantity
        return total

    def _highest(self, order: Order) -> Decimal | None:
        """The highest price that the rest of an order can be filled at, as `evidence.worst_price` has it."""
        kind = OrderType(order.order_type)
        if kind in PRICED:
            return Decimal(order.price) if order.price is not None else None
        start = order.trigger_price if kind in TRIGGERED else self.price(order.symbol)
        limits = TradingLimits.objects.filter(symbol=order.symbol, date=self._today).first()
        upper = None if limits is None or limits.upper_band is None else exact(limits.upper_band)
        return upper if start is None else protected_price(start, order.market_protection, upper)

    @cached_property
    def _values_at_closes(self) -> list[tuple[date, Decimal]] | None:
        """The account's value at each close before today since its first entry; None where a share had no price."""
        waiting = list(self._postings)
        if not waiting:
            return []
        owner = owners(date.max)  # bars have moved to the symbols of today
        now = {each.symbol: owner(each.symbol, self._today) for each in waiting if each.symbol}
        closes = _closes(set(now.values()), self._today)
        newest: dict[str, Decimal] = {}
        held: Counter[str] = Counter()
        money, values = _NOTHING, []
        for day in sorted(closes):
            newest |= closes[day]
            while waiting and waiting[0].day <= day:
                posting = waiting.pop(0)
                money += posting.amount
                if posting.symbol:
                    held[posting.symbol] += posting.quantity
            if len(waiting) == len(self._postings):
                continue
            if any(quantity and now[symbol] not in newest for symbol, quantity in held.items()):
                return None
            values.append((day, money + sum((newest[now[s]] * n for s, n in held.items() if n), _NOTHING)))
        return values


def _closes(symbols: Collection[str], before: date) -> dict[date, dict[str, Decimal]]:
    """Final closes before a day, by session and symbol."""
    bars = DailyBar.objects.filter(
        symbol__symbol__in=symbols, date__lt=before, status=DailyBar.Status.FINAL, close__isnull=False
    )
    closes: dict[date, dict[str, Decimal]] = {}
    for symbol, day, close in bars.values_list("symbol__symbol", "date", "close"):
        if close is not None:
            closes.setdefault(day, {})[symbol] = exact(close)
    return closes


def quoted_price(symbol: str, at: datetime) -> Decimal | None:
    """The last price of the newest quote of a moment's day, in ₹."""
    opened = datetime.combine(at.astimezone(IST).date(), time(), tzinfo=IST)
    quotes = Quote.objects.filter(symbol__symbol=symbol, at__gte=opened, at__lte=at).order_by("-at")
    last: float | None = quotes.values_list("last_price", flat=True).first()
    return None if last is None else exact(last)
