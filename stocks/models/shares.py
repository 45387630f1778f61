"""The listed universe and its dated facts.

Units are in each field's ``help_text``: ₹ for prices, ₹ crore for market caps and statement lines, percent where the
name or the help text says so. A missing value is NULL, never 0.
"""

from django.db import models
from django.db.models.functions import Now


def amount(help_text: str) -> "models.FloatField[float | None, float | None]":
    """A nullable float column; `help_text` names its unit."""
    return models.FloatField(null=True, blank=True, help_text=help_text)


class Fundamentals(models.Model):
    """The contract's columns of a share, which the latest row and the dated rows have in common."""

    current_price = amount("₹, close of the session")
    market_cap = amount("₹ crore, issued shares × close")
    volume = models.BigIntegerField(null=True, blank=True, help_text="shares traded in the session")
    avg_volume_30d = models.BigIntegerField(
        null=True, blank=True, help_text="shares, mean of the last 30 traded sessions"
    )
    pe_ratio = amount("ratio, price over trailing earnings per share")
    pb_ratio = amount("ratio, price over book value per share")
    roe = amount("percent, net income of four quarters over equity")
    eps = amount("₹ per share, trailing four quarters")
    beta = amount("ratio, against the equal-weighted market of shares")
    debt_to_equity = amount("ratio, debt over equity")
    revenue_growth = amount("percent, trailing four quarters against the four before")
    earnings_growth = amount("percent, trailing four quarters against the four before")
    operating_margin = amount("percent of revenue")
    net_margin = amount("percent, attributable net income over revenue")
    profit_margin = amount("percent, profit of the latest quarter over its revenue")
    book_value = amount("₹ per share")
    peg_ratio = amount("ratio, P/E over earnings growth in percent")
    roa = amount("percent, net income of four quarters over total assets")
    current_ratio = amount("ratio, current assets over current liabilities")
    quick_ratio = amount("ratio, current assets less inventory over current liabilities")
    historical_volatility_1y = amount("percent a year, from the daily log returns of 252 sessions")
    atr_14 = amount("₹, average true range of 14 sessions")
    market_cap_category = models.CharField(
        max_length=20, null=True, blank=True, help_text="large, mid or small by rank of market cap"
    )
    provenance = models.JSONField(
        default=dict, blank=True, help_text="column → source, as-of date, measured / computed / simulated"
    )

    class Meta:
        abstract = True


class Stock(Fundamentals):
    """A listed symbol and its latest figures (the latest row of :class:`StockMetrics`)."""

    class Kind(models.TextChoices):
        SHARE = "share", "Share"
        FUND = "fund", "Fund"
        UNKNOWN = "unknown", "Unknown"

    symbol = models.CharField(max_length=50, unique=True)
    stock_name = models.CharField(max_length=200, null=True, blank=True)
    isin = models.CharField(
        max_length=12, null=True, blank=True, help_text="not an identity: a face-value split issues a new one"
    )
    series = models.CharField(max_length=4, null=True, blank=True, help_text="series of the latest bar")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.UNKNOWN, db_default=Kind.UNKNOWN)
    kind_source = models.CharField(max_length=60, null=True, blank=True, help_text="source of the kind")
    face_value = amount("₹ per share")
    issue_size = models.BigIntegerField(null=True, blank=True, help_text="issued shares")
    listed_on = models.DateField(null=True, blank=True)
    first_seen = models.DateField(null=True, blank=True)
    last_seen = models.DateField(null=True, blank=True)
    sector = models.CharField(max_length=100, null=True, blank=True)
    industry = models.CharField(max_length=100, null=True, blank=True)
    last_updated = models.DateTimeField(null=True, blank=True)
    run_id = models.CharField(max_length=64, null=True, blank=True, help_text="run that inserted the row")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "stocks"
        ordering = ("symbol",)
        indexes = (models.Index(fields=("kind", "last_seen"), name="idx_stocks_kind_last_seen"),)
        constraints = (
            models.CheckConstraint(condition=models.Q(current_price__gt=0), name="stocks_price_positive"),
            models.CheckConstraint(condition=models.Q(market_cap__gt=0), name="stocks_market_cap_positive"),
        )

    def __str__(self) -> str:
        return self.symbol


class SymbolChange(models.Model):
    """A proven rename; the history moved to `to_symbol` in the same transaction."""

    from_symbol = models.CharField(max_length=50)
    to_symbol = models.CharField(max_length=50)
    date = models.DateField(help_text="first session under the new symbol")
    proof = models.CharField(max_length=20, help_text="exchange, isin or prev_close")
    evidence = models.JSONField(default=dict, blank=True)
    run_id = models.CharField(max_length=64, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "symbol_changes"
        ordering = ("-date", "to_symbol")
        constraints = (models.UniqueConstraint(fields=("from_symbol", "date"), name="symbol_changes_once"),)

    def __str__(self) -> str:
        return f"{self.from_symbol} → {self.to_symbol} ({self.date})"


class StockMetrics(Fundamentals):
    """Dated facts of one symbol on one session; `stocks` is the latest row.

    The unique key (symbol, date) serves one share's history; the index (date, symbol) serves cross-sections.
    """

    symbol = models.ForeignKey(
        Stock, models.PROTECT, to_field="symbol", db_column="symbol", db_index=False, related_name="metrics"
    )
    date = models.DateField()
    issue_size = models.BigIntegerField(null=True, blank=True, help_text="issued shares as known on the date")
    turnover_median_20 = amount("₹ lakh, median turnover of the last 20 sessions")
    atr_percentage = amount("percent of the close")
    tradable = models.BooleanField(
        default=False, db_default=False, help_text="share, series EQ, liquid, not quarantined"
    )
    exclusion = models.CharField(max_length=200, null=True, blank=True, help_text="why it is not tradable")
    run_id = models.CharField(max_length=64, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "stock_metrics"
        verbose_name_plural = "stock metrics"
        constraints = (models.UniqueConstraint(fields=("symbol", "date"), name="stock_metrics_symbol_date"),)
        indexes = (models.Index(fields=("date", "symbol"), name="idx_metrics_date_symbol"),)

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.date}"


class FinancialStatement(models.Model):
    """One company's reported figures for one period, usable from `published_on` on."""

    class Kind(models.TextChoices):
        QUARTER = "quarter", "Quarter"
        YEAR = "year", "Year"

    symbol = models.CharField(max_length=50, help_text="need not be listed any more")
    period_end = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind)
    published_on = models.DateField(help_text="first day on which it may be used")
    published_assumed = models.BooleanField(
        default=False, help_text="the source gives no date: 60 days after a quarter, 75 after a year are assumed"
    )
    revenue = amount("₹ crore")
    operating_income = amount("₹ crore")
    net_income = amount("₹ crore")
    eps = amount("₹ per share for the period")
    total_assets = amount("₹ crore")
    equity = amount("₹ crore")
    debt = amount("₹ crore")
    current_assets = amount("₹ crore")
    current_liabilities = amount("₹ crore")
    inventory = amount("₹ crore")
    shares = models.BigIntegerField(null=True, blank=True, help_text="issued shares at period end")
    source = models.CharField(max_length=100)
    run_id = models.CharField(max_length=64, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "financial_statements"
        ordering = ("symbol", "-period_end")
        indexes = (models.Index(fields=("period_end", "symbol"), name="idx_statements_period_symbol"),)
        constraints = (
            models.UniqueConstraint(fields=("symbol", "period_end", "kind"), name="statements_symbol_period_kind"),
            models.CheckConstraint(
                condition=models.Q(published_on__gte=models.F("period_end")), name="statements_published_after_end"
            ),
        )

    def __str__(self) -> str:
        return f"{self.symbol} {self.kind} {self.period_end}"


class FundamentalSnapshot(models.Model):
    """A public screener's figures of one evening, usable from the next session on."""

    symbol = models.CharField(max_length=50)
    snapshot = models.DateField(help_text="evening of the figures; usable from the next session on")
    stock_name = models.CharField(max_length=200, null=True, blank=True)
    sector = models.CharField(max_length=100, null=True, blank=True)
    industry = models.CharField(max_length=100, null=True, blank=True)
    close = amount("₹, close that the screener showed")
    market_cap = amount("₹ crore")
    pe_ratio = amount("ratio")
    peg_ratio = amount("ratio")
    debt_to_equity = amount("ratio")
    roe = amount("percent")
    roce = amount("percent")
    operating_margin = amount("percent, trailing four quarters")
    eps_quarter = amount("₹ per share, latest quarter")
    eps_quarter_last_year = amount("₹ per share, same quarter of the year before")
    eps_last_year = amount("₹ per share, latest financial year")
    net_profit_quarter = amount("₹ crore, latest quarter")
    net_profit_quarter_last_year = amount("₹ crore, same quarter of the year before")
    sales_quarter = amount("₹ crore, latest quarter")
    sales_quarter_last_year = amount("₹ crore, same quarter of the year before")
    circuit_limit = amount("percent, daily price band")
    results_date = models.DateField(null=True, blank=True, help_text="latest results announcement")
    source = models.CharField(max_length=100)
    run_id = models.CharField(max_length=64, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "fundamental_snapshots"
        constraints = (models.UniqueConstraint(fields=("snapshot", "symbol"), name="snapshots_date_symbol"),)
        indexes = (models.Index(fields=("symbol", "-snapshot"), name="idx_snapshots_symbol"),)

    def __str__(self) -> str:
        return f"{self.symbol} {self.snapshot}"


class ExchangeFact(models.Model):
    """Issue size, market cap and official P/E from the exchange's report pack of a session."""

    symbol = models.CharField(max_length=50)
    date = models.DateField()
    issue_size = models.BigIntegerField(null=True, blank=True, help_text="issued shares")
    market_cap = amount("₹ crore")
    pe_ratio = amount("ratio, official; not carried beyond 5 sessions")
    source = models.CharField(max_length=100)
    run_id = models.CharField(max_length=64, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "exchange_facts"
        constraints = (models.UniqueConstraint(fields=("symbol", "date"), name="exchange_facts_symbol_date"),)
        indexes = (models.Index(fields=("date", "symbol"), name="idx_facts_date_symbol"),)

    def __str__(self) -> str:
        return f"{self.symbol} {self.date}"
