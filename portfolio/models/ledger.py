"""What an account owns and owes, entry by entry, and where the broker says otherwise."""

from django.db import models
from django.db.models.functions import Now

from portfolio.models.amounts import money
from portfolio.models.orders import TradingAccount


class LedgerEntry(models.Model):
    """A change of an account's shares or money; only ever added to. Holdings, cash and profit are sums of it.

    Symbol and ISIN are those of its day: who reads follows `symbol_changes`.
    """

    class EntryKind(models.TextChoices):
        OPENING = "opening", "Opening"
        FILL = "fill", "Fill"
        CHARGE = "charge", "Charge"
        DP_CHARGE = "dp_charge", "DP charge"
        DIVIDEND = "dividend", "Dividend"
        SPLIT = "split", "Split"
        BONUS = "bonus", "Bonus"
        DEMERGER = "demerger", "Demerger"
        FRACTION_PAID = "fraction_paid", "Fraction paid"
        TRANSFER = "transfer", "Transfer"
        DEPOSIT = "deposit", "Deposit"
        WITHDRAWAL = "withdrawal", "Withdrawal"
        CORRECTION = "correction", "Correction"

    account = models.ForeignKey(TradingAccount, models.PROTECT, related_name="ledger")
    day = models.DateField()
    kind = models.CharField(max_length=15, choices=EntryKind)
    symbol = models.CharField(max_length=50, blank=True, default="", db_default="")
    isin = models.CharField(max_length=12, blank=True, default="", db_default="")
    quantity = models.IntegerField(default=0, db_default=0, help_text="shares that came; negative: that went")
    amount = models.DecimalField(
        max_digits=18, decimal_places=4, default=0, db_default=0, help_text="₹ that came; negative: that went"
    )
    reference = models.CharField(max_length=200, help_text="what it is of: it stands in the ledger once")
    price = money("₹ per share, of openings and transfers", null=True)
    ratio_new = models.DecimalField(
        max_digits=18, decimal_places=6, null=True, blank=True, help_text="split, bonus: shares for every `ratio_old`"
    )
    ratio_old = models.DecimalField(
        max_digits=18, decimal_places=6, null=True, blank=True, help_text="split: shares before; bonus: shares held"
    )
    credited_on = models.DateField(null=True, blank=True, help_text="from when on its shares can be sold")
    fmv = money("₹ per share on 31 January 2018, where it counts", null=True)
    reason = models.CharField(max_length=300, blank=True, default="", db_default="")
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "ledger_entries"
        ordering = ("day", "id")
        verbose_name_plural = "ledger entries"
        constraints = (
            models.UniqueConstraint(fields=("account", "kind", "reference"), name="ledger_entries_once"),
            models.CheckConstraint(
                condition=~models.Q(kind="correction") | ~models.Q(reason=""), name="ledger_corrections_have_reasons"
            ),
        )
        indexes = (models.Index(fields=("account", "day"), name="idx_ledger_account_day"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class Difference(models.Model):
    """Where the broker's book and the account's differ: since when, both sides, and what was done."""

    class DifferenceKind(models.TextChoices):
        FILL_MISSING_HERE = "fill_missing_here", "Fill missing here"
        STATE_BEHIND = "state_behind", "State behind"
        FOREIGN_ORDER = "foreign_order", "Foreign order"
        FOREIGN_FILL = "foreign_fill", "Foreign fill"
        ORDER_MISSING_THERE = "order_missing_there", "Order missing there"
        FILL_UNKNOWN_THERE = "fill_unknown_there", "Fill unknown there"
        QUANTITY_DIFFERS = "quantity_differs", "Quantity differs"
        CASH_DIFFERS = "cash_differs", "Cash differs"
        CHARGES_DIFFER = "charges_differ", "Charges differ"
        EVENT_DUE = "event_due", "Event due"

    account = models.ForeignKey(TradingAccount, models.PROTECT, related_name="differences")
    kind = models.CharField(max_length=20, choices=DifferenceKind)
    subject = models.CharField(max_length=200, help_text="what differs: a share, an order, a fill, cash, a line")
    ours = models.JSONField(help_text="amounts in ₹ as texts")
    theirs = models.JSONField(help_text="amounts in ₹ as texts")
    since = models.DateTimeField()
    checked_at = models.DateTimeField(help_text="when it was last there")
    action = models.CharField(max_length=300, help_text="what was done")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    reason = models.CharField(max_length=300, blank=True, default="", db_default="")

    class Meta:
        db_table = "differences"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "kind", "subject"),
                condition=models.Q(closed_at=None),
                name="differences_open_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"
