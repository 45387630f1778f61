"""Users, their strategies, orders, trades and positions. Money owed is ``numeric``."""

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now

from stocks.picks import screening

PARAMETERS_SCHEMA = {
    "type": "object",
    "properties": {
        "limit": {"type": "integer", "minimum": 1, "maximum": screening.MAX_PICKS},
        "thresholds": {"type": "object", "additionalProperties": {"type": "number"}},
    },
    "additionalProperties": False,
}


def validate_parameters(value: object) -> None:
    """Reject strategy parameters that the schema does not allow: the ValidationError names the first invalid key."""
    from jsonschema import Draft202012Validator  # slow, and models are loaded by every command

    for error in Draft202012Validator(PARAMETERS_SCHEMA).iter_errors(value):
        where = "/".join(map(str, error.absolute_path)) or "parameters"
        raise ValidationError(f"{where}: {error.message}")


def money(help_text: str, *, null: bool = False) -> "models.DecimalField[object, object]":
    """An exact amount column; `help_text` names its unit."""
    return models.DecimalField(max_digits=18, decimal_places=4, null=null, blank=null, help_text=help_text)


def strategy_kinds() -> list[tuple[str, str]]:
    """Choices of `Strategy.kind`: a callable, so that a new entry of the registry needs no migration."""
    return [(name, name.capitalize()) for name in screening.STRATEGIES]


class User(AbstractUser):
    """A person's account: deactivated, never deleted, because history names people (triggers see to it).

    In a table of the project's own from the first migration: it cannot be replaced later.
    """

    class Meta(AbstractUser.Meta):
        db_table = "users"


class Strategy(models.Model):
    """A way of choosing shares: a system row of the screening registry, or a user's own variation of one."""

    class Mode(models.TextChoices):
        PAPER = "paper", "Paper"
        LIVE = "live", "Live"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, help_text="empty: a system row"
    )
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=50, choices=strategy_kinds)
    parameters = models.JSONField(default=dict, blank=True, validators=[validate_parameters])
    capital = money("₹", null=True)
    is_active = models.BooleanField(default=True)
    mode = models.CharField(max_length=5, choices=Mode, default=Mode.PAPER)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "strategies"
        verbose_name_plural = "strategies"
        constraints = (
            models.UniqueConstraint(fields=("owner", "name"), name="strategies_owner_name", nulls_distinct=False),
            models.CheckConstraint(condition=models.Q(capital__gte=0), name="strategies_capital_not_negative"),
        )

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    """An instruction to trade; the idempotency key keeps it from being sent twice."""

    class Side(models.TextChoices):
        BUY = "buy", "Buy"
        SELL = "sell", "Sell"

    class Status(models.TextChoices):
        NEW = "new", "New"
        SENT = "sent", "Sent"
        OPEN = "open", "Open"
        PARTIAL = "partial", "Partly filled"
        FILLED = "filled", "Filled"
        CANCELLED = "cancelled", "Cancelled"
        REJECTED = "rejected", "Rejected"
        UNKNOWN = "unknown", "Unknown"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders")
    strategy = models.ForeignKey(Strategy, models.PROTECT, null=True, blank=True, related_name="orders")
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    broker = models.CharField(max_length=20)
    broker_order_id = models.CharField(max_length=60, null=True, blank=True)
    symbol = models.CharField(max_length=50)
    side = models.CharField(max_length=4, choices=Side)
    quantity = models.PositiveIntegerField(help_text="shares")
    order_type = models.CharField(
        max_length=10, choices=(("market", "Market"), ("limit", "Limit"), ("sl", "Stop"), ("sl-m", "Stop market"))
    )
    product = models.CharField(max_length=10, choices=(("cnc", "Delivery"), ("mis", "Intraday")))
    price = money("₹ per share", null=True)
    trigger_price = money("₹ per share", null=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.NEW)
    filled_quantity = models.PositiveIntegerField(default=0, help_text="shares")
    average_price = money("₹ per share", null=True)
    reason = models.TextField(blank=True)
    pick = models.JSONField(null=True, blank=True, help_text="copy of the pick it came from")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "orders"
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(fields=("broker", "broker_order_id"), name="orders_broker_id"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="orders_quantity_positive"),
            models.CheckConstraint(
                condition=models.Q(filled_quantity__lte=models.F("quantity")), name="orders_not_overfilled"
            ),
        )

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.symbol}"


class Trade(models.Model):
    """A fill reported by a broker, recorded once."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="trades")
    broker = models.CharField(max_length=20)
    broker_trade_id = models.CharField(max_length=60)
    quantity = models.PositiveIntegerField(help_text="shares")
    price = money("₹ per share")
    charges = money("₹", null=True)
    traded_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "trades"
        ordering = ("-traded_at",)
        constraints = (
            models.UniqueConstraint(fields=("broker", "broker_trade_id"), name="trades_broker_id"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0, price__gt=0), name="trades_positive"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} at {self.price}"


class Position(models.Model):
    """A user's holding of a symbol, derived from trades alone."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="positions")
    broker = models.CharField(max_length=20)
    symbol = models.CharField(max_length=50)
    product = models.CharField(max_length=10)
    quantity = models.IntegerField(help_text="shares; negative when short")
    average_price = money("₹ per share", null=True)
    realised_profit = money("₹", null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "positions"
        constraints = (models.UniqueConstraint(fields=("user", "broker", "symbol", "product"), name="positions_once"),)

    def __str__(self) -> str:
        return f"{self.quantity} {self.symbol}"
