"""What trades by itself: an account's strategy, its limits, its plans, its leave to trade live, its simulated venue."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from portfolio.models.amounts import money
from portfolio.models.orders import TradingAccount
from portfolio.models.people import Strategy


def share(help_text: str) -> "models.DecimalField[Any, Any]":
    """A part of a whole, plain: 0.1 is a tenth."""
    return models.DecimalField(max_digits=6, decimal_places=4, null=True, blank=True, help_text=help_text)


class AccountLimits(models.Model):
    """What an operator allows an account's purchases; empty: unset, nothing is limited."""

    account = models.OneToOneField(TradingAccount, models.PROTECT, related_name="limits")
    order_value = money("₹ an order", null=True)
    position_share = share("a share's part of the account, 0-1")
    sector_share = share("a sector's part of the account, 0-1")
    orders_a_day = models.PositiveIntegerField(null=True, blank=True, help_text="orders a session")
    daily_loss = money("₹ a session", null=True)
    drawdown = share("fall from the account's highest value, 0-1")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "account_limits"
        verbose_name_plural = "account limits"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(
                    ("order_value__gt", 0),
                    ("daily_loss__gt", 0),
                    ("orders_a_day__gt", 0),
                    ("position_share__gt", 0),
                    ("position_share__lte", 1),
                    ("sector_share__gt", 0),
                    ("sector_share__lte", 1),
                    ("drawdown__gt", 0),
                    ("drawdown__lte", 1),
                ),
                name="account_limits_in_range",
            ),
        )

    def __str__(self) -> str:
        return f"limits of {self.account_id}"


class TradedStrategy(models.Model):
    """The strategy that an account trades, and on which terms; one at a time."""

    account = models.ForeignKey(TradingAccount, models.PROTECT, related_name="traded_strategies")
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="traded_on")
    terms = models.JSONField(help_text="holdings, keep, every, reweigh: as in a backtest")
    first_session = models.DateField(help_text="of its first decision; each `every`-th session decides again")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "traded_strategies"
        verbose_name_plural = "traded strategies"
        constraints = (
            models.UniqueConstraint(
                fields=("account",), condition=models.Q(is_active=True), name="traded_strategies_one_at_a_time"
            ),
        )

    def __str__(self) -> str:
        return f"{self.strategy_id} on {self.account_id}"


class Plan(models.Model):
    """What an account is to trade at the next opening, by the list of an evening; its tickets are never changed."""

    class PlanStatus(models.TextChoices):
        WAITING = "waiting", "Waits for its approval"
        APPROVED = "approved", "Approved"
        CARRIED_OUT = "carried_out", "Carried out"
        EXPIRED = "expired", "Expired"
        WITHDRAWN = "withdrawn", "Withdrawn"

    account = models.ForeignKey(TradingAccount, models.PROTECT, related_name="plans")
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="plans")
    session = models.DateField(help_text="whose list it carries out")
    trades_on = models.DateField(help_text="the session at whose opening it trades")
    content = models.JSONField(help_text="tickets, expected charges and impact, what is left out and why; ₹ as texts")
    digest = models.CharField(max_length=64, help_text="SHA-256 of its content: an approval is of exactly this")
    status = models.CharField(max_length=11, choices=PlanStatus, default=PlanStatus.WAITING)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="approved_plans"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, default="", db_default="", help_text="why it ended")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "plans"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "strategy", "session"),
                condition=models.Q(status__in=("waiting", "approved", "carried_out")),
                name="plans_one_in_force",
            ),
        )

    def __str__(self) -> str:
        return f"plan of {self.account_id} for {self.trades_on}"


class LivePermission(models.Model):
    """The owner's leave to trade one strategy with real money on one account; it ends by time or by any change."""

    account = models.ForeignKey(TradingAccount, models.PROTECT, related_name="live_permissions")
    strategy = models.ForeignKey(
        Strategy,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="live_permissions",
        help_text="empty: orders by hand",
    )
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="live_permissions")
    given_at = models.DateTimeField(db_default=Now())
    until = models.DateTimeField()
    release = models.CharField(max_length=100, help_text="of the program: another one ends it")
    account_digest = models.CharField(
        max_length=64, default="", db_default="", help_text="SHA-256 of account and access: a change ends it"
    )
    parameters_digest = models.CharField(max_length=64, help_text="SHA-256 of strategy and terms: a change ends it")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=300, blank=True, default="", db_default="")

    class Meta:
        db_table = "live_permissions"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "strategy"),
                condition=models.Q(ended_at=None),
                name="live_permissions_one_in_force",
                nulls_distinct=False,
            ),
        )

    def __str__(self) -> str:
        return f"{self.strategy_id} on {self.account_id} until {self.until}"


class PaperVenue(models.Model):
    """The memory of the simulated broker of a paper account: the venue's own book, no record of ours."""

    account = models.OneToOneField(TradingAccount, models.PROTECT, related_name="paper_venue")
    snapshot = models.JSONField(help_text="as the simulator takes it up again")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "paper_venues"

    def __str__(self) -> str:
        return f"venue of {self.account_id}"
