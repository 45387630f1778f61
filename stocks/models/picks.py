"""Published lists and their picks; units and missing values as in `shares`."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

from stocks.models.shares import amount
from stocks.picks.public_state import Abstention, list_reason


class Publication(models.Model):
    """One version of one strategy's list for one session; superseded, never deleted."""

    date = models.DateField(help_text="session whose close was used")
    strategy = models.CharField(max_length=50)
    version = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    valid_for = models.DateField(null=True, blank=True, help_text="session the picks are meant for")
    published_at = models.DateTimeField()
    run_id = models.CharField(max_length=64, help_text="selection run that published it")
    model_id = models.CharField(max_length=100, null=True, blank=True)
    count = models.PositiveIntegerField()
    abstention = models.CharField(
        max_length=12,
        choices=[(code.value, code.value) for code in Abstention],
        blank=True,
        default="",
        db_default="",
        help_text="why it has no picks; empty: the conditions decided",
    )
    reason = models.TextField(
        blank=True, help_text="why the list is empty or short, for operators; readers see `public_reason`"
    )
    picks = models.JSONField(default=list, help_text="the list as published, kept when it is superseded")
    previous = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="the list before, with which it was compared; empty: there was none, or it is no longer kept",
    )
    departures = models.JSONField(
        default=list, blank=True, help_text="shares that left: symbol, last rank, place now, or why it no longer passes"
    )
    superseded_at = models.DateTimeField(null=True, blank=True)
    head_hash = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="SHA-256 of the list's head (`stocks/picks/heads.py`); empty: published before hashes were kept",
    )
    previous_hash = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="head_hash published before it on the same list"
    )

    class Meta:
        db_table = "publications"
        ordering = ("-date", "strategy", "-version")
        constraints = (
            models.UniqueConstraint(fields=("date", "strategy", "version"), name="publications_version"),
            models.UniqueConstraint(
                fields=("date", "strategy"), condition=models.Q(superseded_at=None), name="publications_one_in_force"
            ),
        )

    def __str__(self) -> str:
        return f"{self.strategy} {self.date} v{self.version}"

    @property
    def public_reason(self) -> str:
        """Why the list is empty or short, in plain words; empty for a full one."""
        return list_reason(self.strategy, self.count, self.abstention)


class SuggestedStock(models.Model):
    """A pick in force: the figures it was chosen by, and the reason."""

    date = models.DateField(help_text="session whose close was used")
    symbol = models.CharField(max_length=50)
    stock_name = models.CharField(max_length=200, null=True, blank=True)
    current_price = amount("₹, close of `date`")
    market_cap = amount("₹ crore")
    strategy = models.CharField(max_length=50)
    selection_score = amount("0-1, the strategy's own score")
    rank = models.PositiveIntegerField(null=True, blank=True)
    ml_prediction_score = amount("0-1, percentile of the predicted excess in the tradable universe")
    ml_price_target = amount("₹, expected at the exit: expected entry × (1 + expected absolute return)")
    ml_confidence = amount("0-1, agreement of the ensemble's members")
    ml_probability = amount("0-1, calibrated chance to beat the day's median share")
    ml_risk_score = amount("0-1, mapped from the predicted drawdown; lower is safer")
    predicted_return = amount("percent, expected excess over the day's mean share in the ten sessions held")
    predicted_drawdown = amount("percent below the entry, worst low within ten sessions")
    rsi_14 = amount("0-100")
    macd = amount("₹")
    sma_50 = amount("₹")
    sma_200 = amount("₹")
    pe_ratio = amount("ratio")
    pb_ratio = amount("ratio")
    roe = amount("percent")
    eps = amount("₹ per share")
    beta = amount("ratio")
    revenue_growth = amount("percent")
    earnings_growth = amount("percent")
    operating_margin = amount("percent")
    target_price = amount("₹, level that the highest high reaches with `target_probability`, rounded to the tick")
    stop_loss = amount("₹, level that the lowest low undercuts with `stop_probability`, rounded down to the tick")
    recommendation = models.CharField(max_length=20, null=True, blank=True)
    reason = models.TextField(null=True, blank=True)
    score_parts = models.JSONField(
        null=True, blank=True, help_text="part of the score → its value, 0-1; a part whose input was missing is absent"
    )
    sector = models.CharField(max_length=100, null=True, blank=True)
    market_cap_category = models.CharField(max_length=20, null=True, blank=True)
    valid_for = models.DateField(null=True, blank=True, help_text="next session")
    publication = models.ForeignKey(Publication, models.PROTECT, related_name="picks_in_force")
    run_id = models.CharField(max_length=64, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    place = models.PositiveIntegerField(null=True, blank=True, help_text="among all shares that passed, 1 is the best")
    standing = models.CharField(
        max_length=4,
        choices=[("new", "new"), ("kept", "kept")],
        null=True,
        blank=True,
        help_text="new, or kept from the list before",
    )
    listed_since = models.DateField(null=True, blank=True, help_text="first session of its unbroken stay on the list")
    expected_entry = amount("₹, close × (1 + mean step to the next open)")
    excess_low = amount("percent, lower end of the 80 % interval of the excess in the ten sessions held")
    excess_high = amount("percent, upper end of the 80 % interval of the excess in the ten sessions held")
    round_trip_cost_pct = amount("percent of the value, charges and impact of buying and selling once")
    target_probability = amount("0-1, chance that the ten sessions' highest high reaches the target")
    stop_probability = amount("0-1, chance that the ten sessions' lowest low undercuts the stop")
    reward_to_risk = amount("ratio, way from the expected entry up to the target over the way down to the stop")

    class Meta:
        db_table = "daily_suggested_stocks"
        ordering = ("-date", "strategy", "rank")
        constraints = (
            models.UniqueConstraint(fields=("date", "symbol", "strategy"), name="picks_date_symbol_strategy"),
            models.UniqueConstraint(
                fields=("date", "strategy", "rank"),
                name="picks_date_strategy_rank",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(
                condition=models.Q(stop_loss__lt=models.F("current_price")), name="picks_stop_below_price"
            ),
            models.CheckConstraint(
                condition=~models.Q(recommendation="STRONG_BUY") | models.Q(reward_to_risk__gte=0.2),
                name="picks_strong_buy_is_rewarded",
            ),
        )
        indexes = (
            models.Index(fields=("-date",), name="idx_daily_suggested_date"),
            models.Index(fields=("-ml_prediction_score",), name="idx_daily_suggested_ml_score"),
            # A share's page looks its past picks up.
            models.Index(fields=("symbol", "-date"), name="idx_daily_suggested_symbol"),
        )

    def __str__(self) -> str:
        return f"{self.date} {self.strategy} {self.symbol}"
