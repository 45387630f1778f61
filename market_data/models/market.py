"""Bars, indicators, events and the market's calendar.

OHLCV stay as published; only `adj_close` follows corporate actions. Units are in each field's ``help_text``.
"""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now

from market_data.models.evidence import BarStatus, SourceFile
from market_data.trading_phases import Phase, Shares
from stocks.models import Stock, amount


def symbol_key() -> "models.ForeignKey[Stock, Stock]":
    """Return a foreign key to `stocks(symbol)`, without an index: the unique key (symbol, date) serves look-ups."""
    return models.ForeignKey(
        Stock, models.PROTECT, to_field="symbol", db_column="symbol", db_index=False, related_name="+"
    )


class DailyBar(models.Model):
    """One session of one symbol, as the exchange published it.

    The unique key (symbol, date) also serves `symbol, date DESC`: the contract's second index would only cost writes.
    """

    Status = BarStatus

    symbol = symbol_key()
    date = models.DateField()
    series = models.CharField(max_length=4, help_text="EQ, BE, BZ, SM or ST")
    open = amount("₹, as published")
    high = amount("₹, as published")
    low = amount("₹, as published")
    close = amount("₹, as published")
    adj_close = amount("₹, close adjusted for splits and bonuses known by the latest session")
    volume = models.BigIntegerField(null=True, help_text="shares")
    prev_close = amount("₹, as published; not adjusted on ex-dates")
    last_price = amount("₹, last trade")
    vwap = amount("₹, volume-weighted average price")
    turnover_lakh = amount("₹ lakh")
    trades = models.BigIntegerField(null=True, help_text="number of trades")
    delivered_quantity = models.BigIntegerField(null=True, help_text="shares delivered")
    source = models.CharField(max_length=60, help_text="provider and kind of file")
    status = models.CharField(max_length=12, choices=Status, default=Status.FINAL, db_default=Status.FINAL)
    run_id = models.CharField(max_length=64, null=True, help_text="run that inserted the row")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "historical_data"
        constraints = (
            models.UniqueConstraint(fields=("symbol", "date"), name="historical_data_symbol_date"),
            models.CheckConstraint(
                condition=models.Q(low__gt=0, high__gte=models.F("low"), high__lt=1e9, volume__gte=0),
                name="historical_data_sane",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    open__gte=models.F("low"),
                    open__lte=models.F("high"),
                    close__gte=models.F("low"),
                    close__lte=models.F("high"),
                ),
                name="historical_data_inside_range",
            ),
        )
        indexes = (models.Index(fields=("date", "symbol"), name="idx_hist_date_symbol"),)

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.date}"


class TechnicalIndicator(models.Model):
    """Indicators of one bar, in that day's own rupees; NULL until warm. A stored row never changes afterwards."""

    symbol = symbol_key()
    date = models.DateField()
    rsi_14 = amount("0-100")
    macd = amount("₹")
    signal_line = amount("₹")
    macd_histogram = amount("₹")
    sma_20 = amount("₹")
    sma_50 = amount("₹")
    sma_200 = amount("₹")
    ema_12 = amount("₹")
    ema_26 = amount("₹")
    atr_14 = amount("₹")
    atr_percentage = amount("percent of the close")
    bollinger_upper = amount("₹")
    bollinger_middle = amount("₹")
    bollinger_lower = amount("₹")
    run_id = models.CharField(max_length=64, null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "technical_indicators"
        constraints = (
            models.UniqueConstraint(fields=("symbol", "date"), name="technical_indicators_symbol_date"),
            models.CheckConstraint(condition=models.Q(rsi_14__gte=0, rsi_14__lte=100), name="technical_indicators_rsi"),
        )
        indexes = (models.Index(fields=("date", "symbol"), name="idx_tech_date_symbol"),)

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.date}"


class Quote(models.Model):
    """A price during a session; never mixed with daily bars."""

    symbol = symbol_key()
    at = models.DateTimeField()
    last_price = amount("₹")
    volume = models.BigIntegerField(null=True, help_text="shares traded so far")
    source = models.CharField(max_length=60)

    class Meta:
        db_table = "quotes"
        constraints = (models.UniqueConstraint(fields=("symbol", "at"), name="quotes_symbol_at"),)

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.at}"


class TradingLimits(models.Model):
    """What a share may do on a day, as a source published it; NULL is not known, never "none"."""

    symbol = models.CharField(max_length=50, help_text="the symbol need not be listed any longer")
    date = models.DateField()
    lower_band = amount("₹, lowest price at which an order is taken")
    upper_band = amount("₹, highest price at which an order is taken")
    band = models.CharField(max_length=20, null=True, help_text="percent as the exchange publishes it, or No Band")
    surveillance = models.CharField(max_length=100, null=True, help_text="ASM or GSM stage, in the source's words")
    trade_status = models.CharField(max_length=20, null=True, help_text="in the source's words")
    freeze_quantity = models.BigIntegerField(null=True, help_text="shares, from which the exchange refuses an order")
    source = models.CharField(max_length=60)
    run_id = models.CharField(max_length=64, null=True, help_text="run that inserted the row")

    class Meta:
        db_table = "trading_limits"
        verbose_name_plural = "trading limits"
        constraints = (models.UniqueConstraint(fields=("symbol", "date"), name="trading_limits_symbol_date"),)
        indexes = (models.Index(fields=("date", "symbol"), name="idx_limits_date_symbol"),)

    def __str__(self) -> str:
        return f"{self.symbol} {self.date}"


class MarketDay(models.Model):
    """A day the calendar knows, with its kind; alone decides which days are sessions."""

    class Kind(models.TextChoices):
        NORMAL = "normal", "Normal session"
        MUHURAT = "muhurat", "Muhurat session"
        SPECIAL = "special", "Special session"
        DRILL = "drill", "Test session"
        HOLIDAY = "holiday", "Holiday"

    date = models.DateField(primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind)
    is_session = models.BooleanField(help_text="whether it counts as a session")
    open = models.TimeField(null=True, blank=True, help_text="IST")
    close = models.TimeField(null=True, blank=True, help_text="IST")
    source = models.CharField(max_length=60)
    run_id = models.CharField(
        max_length=64, null=True, blank=True, help_text="run that inserted the row; empty: edited or imported by hand"
    )

    class Meta:
        db_table = "market_days"
        ordering = ("-date",)

    def __str__(self) -> str:
        return f"{self.date} {self.kind}"

    def clean(self) -> None:
        """Refuse what an import of market days refuses."""
        if self.kind == self.Kind.HOLIDAY and self.is_session:
            raise ValidationError({"is_session": "A holiday cannot be a session; choose another kind, or untick this."})
        if self.open and self.close and self.close <= self.open:
            raise ValidationError({"close": f"{self.close} is not after the opening at {self.open}."})
        if not self.is_session and SourceFile.objects.filter(session=self.date).exists():
            raise ValidationError({"is_session": f"Bars of {self.date} are stored: it was a session."})


class CalendarYear(models.Model):
    """The part of a year in which every session is a row of `market_days`; outside it no day is guessed."""

    year = models.PositiveSmallIntegerField(primary_key=True)
    first = models.DateField(help_text="first day that is known")
    last = models.DateField(help_text="last day that is known")
    source = models.CharField(max_length=60)
    run_id = models.CharField(max_length=64, null=True, blank=True)

    class Meta:
        db_table = "market_years"
        ordering = ("-year",)

    def __str__(self) -> str:
        return str(self.year)


class TradingPhase(models.Model):
    """A phase of the trading day: from one day on, of some shares; `market_data.trading_phases` has the rules."""

    phase = models.CharField(max_length=20, choices=[(one.value, one.replace("_", " ").capitalize()) for one in Phase])
    shares = models.CharField(
        max_length=12,
        choices=[(one.value, one.capitalize()) for one in Shares],
        help_text="with derivatives, others, all",
    )
    first = models.DateField(help_text="first day")
    last = models.DateField(null=True, blank=True, help_text="last day; empty: until further notice")
    opens = models.TimeField(help_text="IST")
    closes = models.TimeField(help_text="IST; nothing is entered from then on")
    order_types = models.CharField(max_length=40, help_text="what can be entered: market limit sl sl-m")
    source = models.CharField(max_length=60)
    run_id = models.CharField(max_length=64, null=True, blank=True, help_text="run that inserted the row")

    class Meta:
        db_table = "trading_phases"
        ordering = ("phase", "shares", "first")
        constraints = (models.UniqueConstraint(fields=("phase", "shares", "first"), name="trading_phases_once"),)

    def __str__(self) -> str:
        return f"{self.phase} of {self.shares} from {self.first}"


class CorporateAction(models.Model):
    """An event that changes what a share stands for; only those with a factor adjust prices."""

    class Status(models.TextChoices):
        OFFICIAL = "official", "Official"
        INFERRED = "inferred", "Inferred"
        CONFIRMED = "confirmed", "Confirmed"
        REJECTED = "rejected", "Rejected"

    symbol = models.CharField(max_length=50, help_text="the symbol need not be listed any longer")
    ex_date = models.DateField()
    kind = models.CharField(
        max_length=20,
        help_text="split, bonus, consolidation, dividend, rights, demerger, capital_reduction, unread (a split or bonus"
        " whose wording could not be read), other",
    )
    factor = amount(
        "ratio, multiplies prices of earlier sessions; NULL where the event moves no price by a known ratio"
    )
    known_on = models.DateField(help_text="first day on which it may be used")
    status = models.CharField(max_length=10, choices=Status)
    purpose = models.CharField(max_length=300, blank=True, help_text="as published")
    source = models.CharField(max_length=60)
    evidence = models.JSONField(null=True, blank=True)
    run_id = models.CharField(max_length=64, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "corporate_actions"
        ordering = ("-ex_date", "symbol")
        constraints = (
            models.UniqueConstraint(fields=("symbol", "ex_date", "kind", "purpose"), name="corporate_actions_once"),
            models.CheckConstraint(condition=models.Q(factor__gt=0, factor__lt=1000), name="corporate_actions_factor"),
        )

    def __str__(self) -> str:
        return f"{self.symbol} {self.kind} {self.ex_date}"
