"""The tiles of the home page: of stocks, bars, indicators, picks and models how many, how complete, how old."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, F, Q
from django.urls import reverse

from market_data.models import SourceFile, TableTotal, TechnicalIndicator
from ml.models import TrainedModel
from stocks.models import Publication, Stock

GOOD, WARN, BAD, NONE = "good", "warn", "bad", "none"
_FULL, _THIN = 0.98, 0.90


@dataclass(frozen=True)
class Tile:
    """One tile.

    Attributes
    ----------
    figure : str
        The large one.
    lines : tuple of str
        Below it.
    state : str
        ``good``, ``warn``, ``bad`` or ``none`` (nothing there yet).
    verdict : str
        The state in words, so that it is not told by colour alone.
    """

    title: str
    figure: str
    lines: tuple[str, ...]
    state: str
    verdict: str
    address: str


@dataclass(frozen=True)
class Expected:
    """What should be there: the session, and how many sessions behind a date is."""

    session: date | None
    behind: Callable[[date], int | None]


def tiles(expected: Expected) -> list[Tile]:
    """Return the five tiles."""
    totals = {total.table_name: total for total in TableTotal.objects.all()}
    file = SourceFile.objects.order_by("-session").first()
    return [
        _stocks(expected),
        _bars(totals.get("historical_data"), file, expected),
        _indicators(totals.get("technical_indicators"), file, expected),
        _picks(expected),
        _model(expected),
    ]


def _stocks(expected: Expected) -> Tile:
    found = Stock.objects.aggregate(
        total=Count("pk"),
        shares=Count("pk", filter=Q(kind=Stock.Kind.SHARE)),
        priced=Count("pk", filter=Q(kind=Stock.Kind.SHARE, current_price__isnull=False)),
        capped=Count("pk", filter=Q(kind=Stock.Kind.SHARE, market_cap__isnull=False)),
        traded=Count("pk", filter=Q(last_seen=expected.session)) if expected.session else Count("pk", filter=Q(pk=0)),
    )
    address = reverse("admin:stocks_stock_changelist")
    if not found["total"]:
        return Tile("Stocks", "0", ("The first run brings them.",), NONE, "Nothing yet", address)
    share = found["priced"] / found["shares"] if found["shares"] else 0.0
    capped = found["capped"] / found["shares"] if found["shares"] else 0.0
    lines = (f"{share:.0%} of {found['shares']:,} shares with a price", f"{capped:.0%} with a market cap")
    state, told = _by_coverage(found["traded"] / found["total"] if expected.session else 0.0, 0.7, 0.3)
    told = f"{found['traded']:,} traded on {expected.session}" if expected.session else "No session is expected"
    return Tile("Stocks", f"{found['total']:,}", lines, state, told, address)


def _bars(total: TableTotal | None, file: SourceFile | None, expected: Expected) -> Tile:
    address = reverse("admin:market_data_dailybar_changelist")
    if total is None or file is None:
        return Tile("Bars", "0", ("The pipeline brings them.",), NONE, "Nothing yet", address)
    lines = (f"{file.rows:,} on {file.session}, {file.rejected:,} kept aside", f"latest {total.latest_date}")
    state, told = _by_age(file.session, expected)
    return Tile("Bars", f"{total.rows:,}", lines, state, told, address)


def _indicators(total: TableTotal | None, file: SourceFile | None, expected: Expected) -> Tile:
    address = reverse("admin:market_data_technicalindicator_changelist")
    if total is None or file is None or total.latest_date is None:
        return Tile("Indicators", "0", ("They follow the bars.",), NONE, "Nothing yet", address)
    count = TechnicalIndicator.objects.filter(date=file.session).count()
    share = count / file.rows if file.rows else 0.0
    state, told = _by_age(total.latest_date, expected)
    if state == GOOD:
        state, told = _by_coverage(share, _FULL, _THIN)
    lines = (f"{count:,} of {file.rows:,} bars of {file.session}", f"latest {total.latest_date}")
    return Tile("Indicators", f"{total.rows:,}", lines, state, told, address)


def _picks(expected: Expected) -> Tile:
    address = reverse("admin:stocks_suggestedstock_changelist")
    newest = Publication.objects.filter(superseded_at=None).order_by("-date").defer("picks").first()
    if newest is None:
        return Tile("Picks", "0", ("The selection publishes them.",), NONE, "Nothing yet", address)
    lists = Publication.objects.filter(superseded_at=None, date=newest.date).values_list("strategy", "count")
    counts = dict(lists.order_by("strategy"))
    total = sum(counts.values())
    lines = (
        ", ".join(f"{name} {count}" for name, count in counts.items()),
        f"of {newest.date}" + (f" for {newest.valid_for}" if newest.valid_for else ""),
    )
    state, told = _by_age(newest.date, expected)
    if state == GOOD and not total:
        state, told = BAD, "Abstained"
    return Tile("Picks", f"{total:,}", lines, state, told, address)


def _model(expected: Expected) -> Tile:
    address = reverse("admin:ml_trainedmodel_changelist")
    facts = TrainedModel.objects.aggregate(
        total=Count("pk"), accepted=Count("pk", filter=Q(status=TrainedModel.Status.ACCEPTED))
    )
    newest = TrainedModel.objects.order_by(F("session").desc(), F("trained_at").desc()).first()
    if newest is None:
        return Tile("Models", "0", ("The training makes one.",), NONE, "Nothing yet", address)
    lines = (
        f"{newest.estimator} of {newest.session}, {newest.samples:,} samples",
        f"{facts['accepted']} of {facts['total']} accepted",
    )
    if newest.status != TrainedModel.Status.ACCEPTED:
        return Tile("Models", f"{facts['total']}", lines, WARN, f"Newest is {newest.status}", address)
    state, told = _by_age(newest.session, expected)
    return Tile("Models", f"{facts['total']}", lines, state, told, address)


def _by_age(day: date, expected: Expected) -> tuple[str, str]:
    behind = expected.behind(day)
    if behind is None:
        return WARN, "The calendar does not tell what is expected"
    if behind <= 0:
        return GOOD, "As expected"
    return (WARN if behind == 1 else BAD), f"{behind} session{'' if behind == 1 else 's'} behind"


def _by_coverage(share: float, full: float, thin: float) -> tuple[str, str]:
    if share >= full:
        return GOOD, f"{share:.0%} complete"
    return (WARN if share >= thin else BAD), f"only {share:.0%} complete"
