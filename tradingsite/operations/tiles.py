"""The home page's tiles: how many stocks, bars, indicators, picks and models there are, how complete, how old."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Max, Q
from django.urls import reverse

from market_data.models import SourceFile, TableTotal, TechnicalIndicator
from ml.evening_facts import newest_model
from ml.models import TrainedModel
from stocks.models import Publication, Stock
from stocks.units import count_text

GOOD, WARN, BAD, NONE = "good", "warn", "bad", "none"
_FULL, _THIN = 0.98, 0.90


@dataclass(frozen=True)
class Tile:
    """One tile: its headline figure, details below it, and its state (``none``: nothing there yet).

    `label` is the state as text, so that colour is not the only signal.
    """

    title: str
    figure: str
    lines: tuple[str, ...]
    state: str
    label: str
    url: str


@dataclass(frozen=True)
class Expectation:
    """The session whose data should be loaded, and a function that counts how many sessions a date lies behind it."""

    session: date | None
    sessions_behind: Callable[[date], int | None]


def tiles(expected: Expectation, lists: Sequence[Publication]) -> list[Tile]:
    """The five tiles, each from a few small queries; `lists` are those in force of the newest session."""
    totals = {total.table_name: total for total in TableTotal.objects.all()}
    file = SourceFile.objects.filter(status="final").order_by("-session").first()
    return [
        _stocks(expected),
        _bars(totals.get("historical_data"), file, expected),
        _indicators(totals.get("technical_indicators"), file, expected),
        _picks(expected, lists),
        _model(expected),
    ]


def _stocks(expected: Expectation) -> Tile:
    counts = Stock.objects.aggregate(
        total=Count("pk"),
        shares=Count("pk", filter=Q(kind=Stock.Kind.SHARE)),
        priced=Count("pk", filter=Q(kind=Stock.Kind.SHARE, current_price__isnull=False)),
        capped=Count("pk", filter=Q(kind=Stock.Kind.SHARE, market_cap__isnull=False)),
        latest=Max("last_seen"),
        # An evening may be loaded before it is expected.
        traded=Count("pk", filter=Q(last_seen__gte=expected.session))
        if expected.session
        else Count("pk", filter=Q(pk=0)),
    )
    url = reverse("admin:stocks_stock_changelist")
    if not counts["total"]:
        return Tile("Stocks", "0", ("Loaded by the first run.",), NONE, "Nothing yet", url)
    share = counts["priced"] / counts["shares"] if counts["shares"] else 0.0
    capped = counts["capped"] / counts["shares"] if counts["shares"] else 0.0
    lines = (f"{share:.0%} of {count_text(counts['shares'])} shares with a price", f"{capped:.0%} with a market cap")
    if expected.session is None:
        return Tile("Stocks", count_text(counts["total"]), lines, BAD, "No session is expected", url)
    state, _ = _by_coverage(counts["traded"] / counts["total"], 0.7, 0.3)
    when = "since" if counts["latest"] and counts["latest"] > expected.session else "on"
    label = f"{count_text(counts['traded'])} traded {when} {_day(expected.session)}"
    return Tile("Stocks", count_text(counts["total"]), lines, state, label, url)


def _day(day: date | None) -> str:
    return f"{day.day} {day:%b %Y}" if day else "no day"


def _bars(total: TableTotal | None, file: SourceFile | None, expected: Expectation) -> Tile:
    url = reverse("admin:market_data_dailybar_changelist")
    if total is None or file is None:
        return Tile("Bars", "0", ("Loaded by the pipeline.",), NONE, "Nothing yet", url)
    lines = (
        f"{count_text(file.rows)} on {_day(file.session)}, {count_text(file.rejected)} rejected",
        f"latest {_day(total.latest_date)}",
    )
    state, label = _by_age(file.session, expected)
    return Tile("Bars", count_text(total.rows), lines, state, label, url)


def _indicators(total: TableTotal | None, file: SourceFile | None, expected: Expectation) -> Tile:
    url = reverse("admin:market_data_technicalindicator_changelist")
    if total is None or file is None or total.latest_date is None:
        return Tile("Indicators", "0", ("Computed from the bars.",), NONE, "Nothing yet", url)
    count = TechnicalIndicator.objects.filter(date=file.session).count()
    share = count / file.rows if file.rows else 0.0
    state, label = _by_age(total.latest_date, expected)
    if state == GOOD:
        state, label = _by_coverage(share, _FULL, _THIN)
    lines = (
        f"{count_text(count)} of {count_text(file.rows)} bars of {_day(file.session)}",
        f"latest {_day(total.latest_date)}",
    )
    return Tile("Indicators", count_text(total.rows), lines, state, label, url)


def _picks(expected: Expectation, lists: Sequence[Publication]) -> Tile:
    url = reverse("admin:stocks_suggestedstock_changelist")
    if not lists:
        return Tile("Picks", "0", ("Published by the selection.",), NONE, "Nothing yet", url)
    newest, total = lists[0], sum(publication.count for publication in lists)
    lines = (
        ", ".join(f"{publication.strategy} {publication.count}" for publication in lists),
        f"of {_day(newest.date)}" + (f" for {_day(newest.valid_for)}" if newest.valid_for else ""),
    )
    state, label = _by_age(newest.date, expected)
    if state == GOOD and not total:
        state, label = BAD, "Abstained"
    return Tile("Picks", count_text(total), lines, state, label, url)


def _model(expected: Expectation) -> Tile:
    url = reverse("admin:ml_trainedmodel_changelist")
    facts = TrainedModel.objects.aggregate(
        total=Count("pk"), accepted=Count("pk", filter=Q(status=TrainedModel.Status.ACCEPTED))
    )
    newest = newest_model()
    if newest is None:
        return Tile("Models", "0", ("Trained by the training job.",), NONE, "Nothing yet", url)
    lines = (
        f"{newest.estimator} of {_day(newest.session)}, {count_text(newest.samples)} samples",
        f"{facts['accepted']} of {facts['total']} accepted",
    )
    if newest.status != TrainedModel.Status.ACCEPTED:
        return Tile("Models", f"{facts['total']}", lines, WARN, f"Newest is {newest.status}", url)
    state, label = _by_age(newest.session, expected)
    return Tile("Models", f"{facts['total']}", lines, state, label, url)


def _by_age(day: date, expected: Expectation) -> tuple[str, str]:
    behind = expected.sessions_behind(day)
    if behind is None:
        return WARN, "The calendar does not know what to expect"
    if behind <= 0:
        return GOOD, "Up to date"
    return (WARN if behind == 1 else BAD), f"{behind} session{'' if behind == 1 else 's'} behind"


def _by_coverage(share: float, full: float, thin: float) -> tuple[str, str]:
    if share >= full:
        return GOOD, f"{share:.0%} complete"
    return (WARN if share >= thin else BAD), f"only {share:.0%} complete"
