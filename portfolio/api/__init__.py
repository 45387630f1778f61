"""Backtests (one's own, one with its content, the start of a new one) and the tax statement of a ledger."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, cast

from django.conf import settings
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, UserRateThrottle
from rest_framework.views import APIView

from brokers.files.csv_rows import MAX_BYTES, CsvError, content_of
from portfolio.api.choices import BACKTEST_BROKERS, REWEIGH_CHOICES, SETTLEMENT_CHOICES
from portfolio.backtest import job, queries, writer
from portfolio.backtest.parameters import MOST_PLACES, MOST_SESSIONS
from portfolio.ledger.entries import COLUMNS, LedgerError, entries_of
from portfolio.ledger.statement import NOTES, as_object, statement_of
from portfolio.models import Backtest, Scope, User
from portfolio.pages.backtest_form import BacktestForm
from stocks.api import ErrorAnswer, StrategyField
from stocks.error_responses import error_body

ERRORS: Final = {
    401: OpenApiResponse(ErrorAnswer, "Neither a session nor a token was sent."),
    403: OpenApiResponse(ErrorAnswer, "The CSRF token is missing, or the API token lacks the scope."),
    405: OpenApiResponse(ErrorAnswer, "Another method."),
    406: OpenApiResponse(ErrorAnswer, "The `Accept` header names no format that is offered."),
}
_MISSING: Final = {404: OpenApiResponse(ErrorAnswer, "There is no such backtest that you may see.")}
_REFUSED: Final = {
    400: OpenApiResponse(ErrorAnswer, "A parameter is unknown or not allowed; the message names it."),
    415: OpenApiResponse(ErrorAnswer, "The request body is of an unsupported media type."),
    429: OpenApiResponse(ErrorAnswer, "As many of yours wait or run as may, or you start too many an hour."),
}
_BAD_LEDGER: Final = {
    400: OpenApiResponse(ErrorAnswer, "The file is missing, or a line cannot be read; the message names it."),
    415: OpenApiResponse(ErrorAnswer, "The request is no form with a file (multipart/form-data)."),
    429: OpenApiResponse(ErrorAnswer, "Too many statements an hour."),
}
_LISTED: Final = (
    "id",
    "strategy",
    "first",
    "last",
    "status",
    "progress",
    "reason",
    "recipe",
    "data_hash",
    "parameters",
)
_TIMES: Final = ("created_at", "started_at", "finished_at")


class BacktestRequest(serializers.Serializer[Any]):
    """Parameters of a backtest; what is left out has its default."""

    strategy = StrategyField(help_text="Which list.")
    first = serializers.DateField(required=False, help_text="Default: since the list has places.")
    last = serializers.DateField(required=False, help_text="Default: the last session.")
    capital = serializers.DecimalField(
        max_digits=15, decimal_places=2, required=False, help_text=f"₹; default: {queries.DEFAULT_CAPITAL}."
    )
    holdings = serializers.IntegerField(required=False, min_value=1, max_value=MOST_PLACES, help_text="Default: 20.")
    keep = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_PLACES, help_text="At least `holdings`; default: 40."
    )
    every = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_SESSIONS, help_text="Sessions between decisions; default: 10."
    )
    reweigh = serializers.ChoiceField(choices=REWEIGH_CHOICES, required=False, help_text="Default: none.")
    settlement = serializers.ChoiceField(choices=SETTLEMENT_CHOICES, required=False, help_text="Default: real.")
    broker = serializers.ChoiceField(choices=BACKTEST_BROKERS, required=False, help_text="Default: zerodha.")
    charges = serializers.BooleanField(required=False, help_text="Default: true.")
    impact = serializers.BooleanField(required=False, help_text="Default: true.")
    fractional = serializers.BooleanField(required=False, help_text="Only without charges; default: false.")


class BacktestListed(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    strategy = serializers.CharField()
    first = serializers.DateField()
    last = serializers.DateField()
    status = serializers.ChoiceField(choices=Backtest.Status.choices)
    progress = serializers.FloatField(help_text="0-1")
    reason = serializers.CharField(help_text="Why it failed or was cancelled.")
    recipe = serializers.CharField(help_text="Whose predictions the list comes from.")
    data_hash = serializers.CharField(help_text="SHA-256 of what it read; empty until it has completed.")
    parameters = serializers.JSONField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class BacktestDetail(BacktestListed):
    content = serializers.JSONField(
        allow_null=True,
        help_text="Equity, trades, holdings, charges, figures, periods, yardsticks; amounts as texts, quantities as"
        " integers. Null until it has completed.",
    )


class BacktestsAnswer(serializers.Serializer[Any]):
    """One's newest backtests."""

    success = serializers.BooleanField()
    simulated = serializers.BooleanField(help_text="true: the market is simulated")
    backtests = BacktestListed(many=True)


class BacktestStarted(serializers.Serializer[Any]):
    """The backtest that answers the request, new or stored."""

    success = serializers.BooleanField()
    simulated = serializers.BooleanField(help_text="true: the market is simulated")
    backtest = BacktestListed()


class BacktestAnswer(serializers.Serializer[Any]):
    """One backtest."""

    success = serializers.BooleanField()
    simulated = serializers.BooleanField(help_text="true: the market is simulated")
    backtest = BacktestDetail()


class StartThrottle(UserRateThrottle):
    """Starts of one person."""

    scope = "backtests"
    rate = "60/hour"


class PersonView(APIView):
    """For whoever sends a session with its CSRF token, or a token of theirs."""

    token_scopes: ClassVar[Mapping[str, str]] = {"GET": Scope.PORTFOLIO, "POST": Scope.PORTFOLIO}
    permission_classes = (IsAuthenticated,)

    @property
    def person(self) -> User:
        return cast("User", self.request.user)


class BacktestsView(PersonView):
    def get_throttles(self) -> list[BaseThrottle]:
        return [StartThrottle()] if self.request.method == "POST" else []

    @extend_schema(operation_id="backtests", responses={200: BacktestsAnswer, **ERRORS})
    def get(self, request: Request) -> Response:
        """One's newest backtests, without their content."""
        return answer(backtests=[_listed(each) for each in queries.newest(self.person)])

    @extend_schema(
        operation_id="start_backtest", request=BacktestRequest, responses={200: BacktestStarted, **ERRORS, **_REFUSED}
    )
    def post(self, request: Request) -> Response:
        """Start a backtest in the background; the same parameters are answered by the same one."""
        try:
            started = job.start(self.person, _terms(request.data))
        except writer.TooManyWaiting as refusal:
            return Response(error_body(429, str(refusal)), status=429)
        return answer(backtest=_listed(started))


class BacktestView(PersonView):
    @extend_schema(operation_id="backtest", responses={200: BacktestAnswer, **ERRORS, **_MISSING})
    def get(self, request: Request, key: int) -> Response:
        """A backtest with its content."""
        backtest = queries.visible_to(self.person).filter(pk=key).first()
        if backtest is None:
            raise Http404(f"There is no backtest {key} that you may see.")
        return answer(backtest=_listed(backtest) | {"content": backtest.content})


class LedgerFile(serializers.Serializer[Any]):
    """A ledger to compute the tax of; nothing of it is stored."""

    file = serializers.FileField(help_text=f"CSV with {', '.join(COLUMNS)}, at most {MAX_BYTES >> 20} MB.")


class TaxAnswer(serializers.Serializer[Any]):
    """The statement of a ledger: amounts in ₹ as texts, quantities as integers."""

    success = serializers.BooleanField()
    lots = serializers.ListField(child=serializers.DictField())
    disposals = serializers.ListField(child=serializers.DictField())
    years = serializers.DictField(help_text="Financial year → gains by rate, exempt, tax, carried, intraday.")
    notes = serializers.ListField(child=serializers.CharField(), help_text="What is left out.")


class TaxThrottle(UserRateThrottle):
    """Statements of one person: each is computed for the request."""

    scope = "tax"
    rate = "60/hour"


class TaxView(PersonView):
    parser_classes = (MultiPartParser,)
    throttle_classes = (TaxThrottle,)

    @extend_schema(operation_id="tax", request=LedgerFile, responses={200: TaxAnswer, **ERRORS, **_BAD_LEDGER})
    def post(self, request: Request) -> Response:
        """Compute lots, disposals and the capital gains tax of each year from a ledger file."""
        given = LedgerFile(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            statement = statement_of(entries_of(content_of(given.validated_data["file"])))
        except (CsvError, LedgerError) as error:
            raise ValidationError({"file": [str(error)]}) from error
        return Response({"success": True, **as_object(statement), "notes": list(NOTES)})


def _terms(data: Any) -> Any:
    """The parameters of a request's body, checked by the form of the page."""
    if not hasattr(data, "items"):
        raise ValidationError("Send an object with the parameters of the backtest.")
    # As a page's form sends them: texts, apart from what is ticked.
    given = {
        name: value if isinstance(value, bool) else str(value) for name, value in data.items() if value is not None
    }
    if unknown := sorted(set(given) - set(BacktestForm.base_fields)):
        known = ", ".join(BacktestForm.base_fields)
        raise ValidationError({unknown[0][:50]: f"It is no parameter; there are {known}."})
    defaults = {name: field.initial for name, field in BacktestForm.base_fields.items() if field.initial is not None}
    form = BacktestForm(defaults | given)
    if not form.is_valid():
        raise ValidationError({name: list(map(str, sentences)) for name, sentences in form.errors.items()})
    return form.terms


def answer(**body: Any) -> Response:
    """A body that says whether its market is simulated."""
    return Response({"success": True, "simulated": settings.PROVIDER_KIND == "simulated", **body})


def _listed(backtest: Backtest) -> dict[str, Any]:
    times = {name: getattr(backtest, name) for name in _TIMES}
    local = {name: timezone.localtime(at).isoformat() if at else None for name, at in times.items()}
    return {name: getattr(backtest, name) for name in _LISTED} | local
