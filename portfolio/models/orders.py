"""Accounts, the wishes to trade, their orders with all that happened to them, fills and positions."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from brokers.models import BrokerConfiguration
from brokers.protocol import SellAuthorisation
from portfolio.models.amounts import money
from portfolio.models.people import Strategy
from portfolio.orders.events import Kind
from portfolio.orders.projection import Pending, State


def _choices(names: "type[State] | type[Pending] | type[Kind]") -> list[tuple[str, str]]:
    return [(name.value, name.value.replace("_", " ").capitalize()) for name in names]


SIDES = (("buy", "Buy"), ("sell", "Sell"))
PRODUCTS = (("cnc", "Delivery"), ("mis", "Intraday"))
ORDER_TYPES = (("market", "Market"), ("limit", "Limit"), ("sl", "Stop"), ("sl-m", "Stop market"))


class TradingAccount(models.Model):
    """Where orders go and money is: simulated with paper, a person's own account at a broker with live.

    Paper is always the simulator's and has no access of a person; live always has one, and never is the simulator's.
    """

    class AccountKind(models.TextChoices):
        PAPER = "paper", "Paper"
        LIVE = "live", "Live"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="trading_accounts",
        help_text="empty: a replay's account",
    )
    broker = models.CharField(max_length=20, choices=BrokerConfiguration.Broker)
    configuration = models.ForeignKey(
        BrokerConfiguration,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="trading_accounts",
        help_text="the access of a live account",
    )
    charges_of = models.CharField(
        max_length=20, choices=BrokerConfiguration.Broker, help_text="whose charges are expected of its orders"
    )
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=5, choices=AccountKind)
    demat_id = models.CharField(max_length=16, blank=True, help_text="of the depository, 16 characters")
    sell_authorisation = models.CharField(
        max_length=10,
        choices=[(each.value, each.replace("_", " ").capitalize()) for each in SellAuthorisation],
        default=SellAuthorisation.UNKNOWN.value,
        db_default=SellAuthorisation.UNKNOWN.value,
        help_text="whether shares can be sold without the owner, as the broker says",
    )
    sell_authorised_on = models.DateField(
        null=True, blank=True, help_text="day of the owner's last eDIS authorisation at the broker"
    )
    is_replay = models.BooleanField(default=False, help_text="of a replay of past sessions: no page lists it")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "trading_accounts"
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("owner", "name"), name="trading_accounts_owner_name", nulls_distinct=False),
            models.CheckConstraint(
                condition=models.Q(kind="paper", broker="simulator", configuration=None)
                | (models.Q(kind="live", configuration__isnull=False) & ~models.Q(broker="simulator")),
                name="trading_accounts_paper_is_simulated",
            ),
            models.CheckConstraint(
                condition=models.Q(is_replay=True, kind="paper", owner=None)
                | models.Q(is_replay=False, owner__isnull=False),
                name="trading_accounts_have_owners",
            ),
            models.CheckConstraint(condition=~models.Q(charges_of="simulator"), name="trading_accounts_real_charges"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"

    @property
    def is_live(self) -> bool:
        return self.kind == self.AccountKind.LIVE


class OrderIntent(models.Model):
    """The wish to trade a share; it is wished once, and has one order."""

    account = models.ForeignKey(TradingAccount, models.PROTECT, related_name="intents")
    strategy = models.ForeignKey(Strategy, models.PROTECT, null=True, blank=True, related_name="intents")
    session = models.DateField(help_text="on which it is to be sent")
    symbol = models.CharField(max_length=50)
    side = models.CharField(max_length=4, choices=SIDES)
    purpose = models.CharField(max_length=60, help_text="`plan`, or `by_hand` with the one-time key of its form")
    wished_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="intents"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "order_intents"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "strategy", "session", "symbol", "side", "purpose"),
                name="order_intents_once",
                nulls_distinct=False,
            ),
        )

    def __str__(self) -> str:
        return f"{self.side} {self.symbol} on {self.session}"


class Order(models.Model):
    """An instruction to trade, as its events leave it: a projection that `portfolio.orders.book` alone writes."""

    account = models.ForeignKey(TradingAccount, models.PROTECT, related_name="orders")
    intent = models.OneToOneField(
        OrderIntent, models.PROTECT, null=True, blank=True, related_name="order", help_text="empty: placed elsewhere"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="orders")
    strategy = models.ForeignKey(Strategy, models.PROTECT, null=True, blank=True, related_name="orders")
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tag = models.CharField(
        max_length=20, null=True, blank=True, unique=True, help_text="travels with it; empty: placed elsewhere"
    )
    broker = models.CharField(max_length=20)
    broker_order_id = models.CharField(max_length=60, null=True, blank=True)
    session = models.DateField(help_text="of whose book it is")
    symbol = models.CharField(max_length=50)
    series = models.CharField(max_length=2, default="EQ", db_default="EQ")
    side = models.CharField(max_length=4, choices=SIDES)
    quantity = models.PositiveIntegerField(help_text="shares")
    order_type = models.CharField(max_length=10, choices=ORDER_TYPES)
    product = models.CharField(max_length=10, choices=PRODUCTS)
    price = money("₹ per share", null=True)
    trigger_price = money("₹ per share", null=True)
    market_protection = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="percent from the last price; -1: the broker's own",
    )
    status = models.CharField(max_length=15, choices=_choices(State), default=State.CREATED)
    pending = models.CharField(max_length=6, choices=_choices(Pending), blank=True, default="", db_default="")
    alarms = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)
    filled_quantity = models.PositiveBigIntegerField(default=0, help_text="shares")
    average_price = money("₹ per share", null=True)
    reason = models.TextField(blank=True)
    pick = models.JSONField(null=True, blank=True, help_text="copy of the pick it came from")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "orders"
        ordering = ("-created_at",)
        constraints = (models.CheckConstraint(condition=models.Q(quantity__gt=0), name="orders_quantity_positive"),)
        indexes = (
            models.Index(fields=("account", "status"), name="idx_orders_account_status"),
            models.Index(fields=("account", "broker_order_id"), name="idx_orders_account_broker_id"),
        )

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.symbol}"

    @property
    def is_external(self) -> bool:
        """Placed by hand at the broker: counted, shown, never touched."""
        return self.intent_id is None


class OrderEvent(models.Model):
    """Something that happened to an order; only ever added to."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="events")
    key = models.CharField(max_length=200, help_text="counts once an order")
    kind = models.CharField(max_length=20, choices=_choices(Kind))
    at = models.DateTimeField(help_text="when it was written down here")
    broker_at = models.DateTimeField(null=True, blank=True, help_text="by the broker's clock")
    content = models.JSONField(default=dict, help_text="the fields of its kind; amounts in ₹ as texts")
    raw = models.JSONField(null=True, blank=True, help_text="what the broker answered, without secrets")
    digest = models.CharField(max_length=32, help_text="of its content: one that is heard twice is stored once")
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "order_events"
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("order", "key", "digest"), name="order_events_once"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class OrderAlarm(models.Model):
    """A contradiction in an order's events; it blocks new orders of the account until it is closed with a reason.

    What is closed are its facts: others, which come later, are another row.
    """

    order = models.ForeignKey(Order, models.PROTECT, related_name="alarm_rows")
    alarm = models.CharField(max_length=20)
    facts = models.CharField(max_length=100, blank=True, default="", db_default="", help_text="what contradicts")
    since = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    reason = models.CharField(max_length=300, blank=True, default="", db_default="")

    class Meta:
        db_table = "order_alarms"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("order", "alarm"), condition=models.Q(closed_at=None), name="order_alarms_open_once"
            ),
            models.CheckConstraint(
                condition=models.Q(closed_at=None) | ~models.Q(reason=""), name="order_alarms_closed_with_reason"
            ),
        )

    def __str__(self) -> str:
        return f"{self.alarm} of order {self.order_id}"


class Trade(models.Model):
    """A fill that counts, whichever way it was heard of: one for an account, exchange, day and trade id."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="trades")
    account = models.ForeignKey(TradingAccount, models.PROTECT, related_name="trades")
    broker = models.CharField(max_length=20)
    exchange = models.CharField(max_length=10, default="NSE", db_default="NSE")
    date = models.DateField(help_text="by the broker's clock, in IST")
    broker_trade_id = models.CharField(max_length=60)
    quantity = models.PositiveIntegerField(help_text="shares")
    price = money("₹ per share")
    traded_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "trades"
        ordering = ("-traded_at",)
        constraints = (
            models.UniqueConstraint(fields=("account", "exchange", "date", "broker_trade_id"), name="trades_once"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0, price__gt=0), name="trades_positive"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} at {self.price}"


class Position(models.Model):
    """An account's holding of a share: a projection of its ledger."""

    account = models.ForeignKey(TradingAccount, models.PROTECT, related_name="positions")
    symbol = models.CharField(max_length=50)
    product = models.CharField(max_length=10, choices=PRODUCTS)
    quantity = models.IntegerField(help_text="shares; negative when short")
    average_price = money("₹ per share", null=True)
    realised_profit = money("₹", null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "positions"
        constraints = (models.UniqueConstraint(fields=("account", "symbol", "product"), name="positions_once"),)

    def __str__(self) -> str:
        return f"{self.quantity} {self.symbol}"
