"""`GET /api/suggested-stocks/`, and the error responses of all views under `/api/`."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView, set_rollback

from stocks.api import reading_limit
from stocks.api.answers import ErrorAnswer as ErrorAnswer
from stocks.api.answers import SuggestedStocksAnswer, documented_responses
from stocks.api.examples import PICKS_ANSWER
from stocks.error_responses import error_body
from stocks.picks import queries as pick_queries
from stocks.picks import response_cache, screening
from stocks.picks.queries import Pick, PickList

log = logging.getLogger(__name__)

_MAX_WARNINGS = 10

_TECHNICAL = ("rsi_14", "macd", "sma_50", "sma_200")
_FUNDAMENTAL = (
    *("pe_ratio", "pb_ratio", "roe", "eps", "beta"),
    *("revenue_growth", "earnings_growth", "operating_margin"),
)
_SIGNALS = ("target_price", "stop_loss", "recommendation")
_PLAIN = (
    *("symbol", "stock_name", "rank", "current_price", "market_cap", "sector"),
    *("ml_prediction_score", "ml_price_target", "ml_confidence", "ml_risk_score"),
)
_ADDED = (
    *("ml_probability", "predicted_return", "predicted_drawdown", "selection_score"),
    *("market_cap_category", "reason"),
    *("place", "standing", "listed_since"),
    *("expected_entry", "round_trip_cost_pct", "target_probability", "stop_probability", "reward_to_risk"),
)
_EXCESS = {
    "expected_excess_pct": "predicted_return",
    "excess_low_pct": "excess_low",
    "excess_high_pct": "excess_high",
}
"""Keys that say what the figure is: the contract's `predicted_return` does not."""


# --- errors ---------------------------------------------------------------------------------------------------------
def error_response(error: Exception, context: dict[str, Any]) -> Response:
    """The contract's error response to an exception of a view (`REST_FRAMEWORK["EXCEPTION_HANDLER"]`).

    It has the error's own status; 500 for an unexpected one, whose details go to the log only.
    """
    set_rollback()
    if isinstance(error, Http404):
        return Response(error_body(404, str(error) or "There is nothing at this address."), status=404)
    if isinstance(error, PermissionDenied):
        return Response(error_body(403, str(error) or "You do not have permission to do this."), status=403)
    if isinstance(error, SuspiciousOperation):
        return Response(error_body(400, f"The request is rejected: {error}"), status=400)
    if not isinstance(error, APIException):
        request = context.get("request")
        log.error("request failed", extra={"path": getattr(request, "path", "")}, exc_info=error)
        return Response(error_body(500, "Internal server error; see the server log."), status=500)
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return Response(error_body(error.status_code, _sentence(error.detail)), status=error.status_code, headers=headers)


def _sentence(detail: Any) -> str:
    """The framework's nested error detail as one text that names each parameter."""
    if isinstance(detail, dict):
        return " ".join(
            _sentence(value) if name == "non_field_errors" else f"{name}: {_sentence(value)}"
            for name, value in detail.items()
        )
    if isinstance(detail, list):
        return " ".join(_sentence(value) for value in detail)
    return str(detail)


# --- parameters -----------------------------------------------------------------------------------------------------
class _ChoiceField(serializers.ChoiceField):
    """A choice in any case, whose error names the allowed values."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data.lower() if isinstance(data, str) else data)

    def fail(self, key: str, **details: Any) -> Any:
        allowed = ", ".join(map(str, self.choices))
        raise ValidationError(f"{str(details.get('input', ''))[:50]!r} is not allowed. Allowed: {allowed}.")


class StrategyField(_ChoiceField):
    """The strategies of the registry at the time a serializer is made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[(name, rule.label) for name, rule in screening.STRATEGIES.items()], **options)


@extend_schema_field({"type": "string", "maxLength": 100, "pattern": "^[^\\u0000]*$"})
class _TextField(serializers.CharField):
    """Free text. PostgreSQL has no NUL in texts, so the schema must exclude it too."""


class ListQuery(serializers.Serializer[dict[str, Any]]):
    """Which list, and of which session."""

    strategy = StrategyField(default=screening.DEFAULT_STRATEGY, help_text="Which list.")
    date = serializers.DateField(
        required=False,
        input_formats=["%Y-%m-%d"],
        help_text="Session whose close was used. Without it, the newest publication is returned; see its `date`.",
        error_messages={"invalid": "Allowed: a date such as 2026-04-30."},
    )


class SuggestedStocksQuery(ListQuery):
    limit = serializers.IntegerField(
        min_value=1,
        max_value=100,
        default=screening.MAX_PICKS,
        help_text=f"Maximum number of stocks. A list holds up to {screening.MAX_PICKS}.",
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value", "max_string_length"), "Allowed: a whole number from 1 to 100."
        ),
    )
    sector = _TextField(
        max_length=100,
        default="",
        allow_blank=True,
        help_text="Only this sector, in any case; aliases such as `IT` are accepted.",
    )
    search = _TextField(
        max_length=100, default="", allow_blank=True, help_text="Part of the symbol or the name, in any case."
    )
    sort_by = _ChoiceField(
        choices=list(pick_queries.SORT_FIELDS.items()),
        default="ml_prediction_score",
        help_text="Missing values come last. The list in its published order: `rank` with `order=asc`.",
    )
    order = _ChoiceField(choices=[("asc", "the smallest first"), ("desc", "the largest first")], default="desc")


# --- the response ---------------------------------------------------------------------------------------------------
def pick_json(pick: Pick) -> dict[str, Any]:
    """One pick under the contract's keys, followed by our own."""
    body = {name: pick[name] for name in _PLAIN}
    body["technical_indicators"] = {name: pick[name] for name in _TECHNICAL}
    body["fundamentals"] = {name: pick[name] for name in _FUNDAMENTAL}
    body["trading_signals"] = {name: pick[name] for name in _SIGNALS}
    return body | {name: pick[name] for name in _ADDED} | {key: pick[name] for key, name in _EXCESS.items()}


def response_body(strategy: str, listed: PickList, latest: date | None, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """The whole body: the contract's keys, and how far it can be trusted."""
    publication = listed.publication
    return {
        "success": True,
        "count": len(listed.picks),
        "strategy": strategy,
        "generated_at": _local(publication.published_at) if publication else None,
        "stocks": [pick_json(pick) for pick in listed.picks],
        "date": publication.date if publication else None,
        "valid_for": publication.valid_for if publication else None,
        "total": listed.total,
        "version": publication.version if publication else None,
        "model_id": publication.model_id if publication else None,
        "head_hash": (publication.head_hash or None) if publication else None,
        "previous_hash": (publication.previous_hash or None) if publication else None,
        "simulated": settings.PROVIDER_KIND == "simulated",
        "reason": listed.reason or None,
        "notice": pick_queries.outdated_notice(publication, latest),
        "compared_with": publication.previous.date if publication and publication.previous else None,
        "departures": publication.departures if publication else [],
        "warnings": list(warnings),
    }


def _local(moment: datetime) -> str:
    return timezone.localtime(moment).isoformat()


def _reading_permission() -> BasePermission:
    return IsAuthenticated() if settings.READING_NEEDS_LOGIN else AllowAny()


class MayRead(BasePermission):
    """Open in development; authenticated users only in production."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return _reading_permission().has_permission(request, view)


class PicksView(APIView):
    """A view that whoever may read the picks may read."""

    token_scopes: ClassVar[Mapping[str, str]] = {"GET": "read"}
    throttle_classes = (reading_limit.ReadingThrottle,)

    def get_permissions(self) -> list[BasePermission]:
        # The permission itself, not `MayRead`: the schema derives from it whether a login is needed.
        return [_reading_permission()]


class SuggestedStocksView(PicksView):
    """The day's picks of one strategy, as they were published."""

    cache_version = ""
    """Version of the data behind this response; empty when it must not be cached."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Serve anonymous readers from the response cache, before the framework's own work on a request."""
        is_anonymous = not settings.READING_NEEDS_LOGIN and "HTTP_AUTHORIZATION" not in request.META
        cached = response_cache.cached_response(request) if is_anonymous else None
        # Beyond the limit the framework refuses, in its own form.
        if cached is not None and reading_limit.is_within(reading_limit.address_of(request)):
            return cached
        response = super().dispatch(request, *args, **kwargs)
        if self.cache_version:
            response_cache.store(request, self.cache_version, response)
        return response

    @extend_schema(
        operation_id="suggested_stocks",
        parameters=[SuggestedStocksQuery],
        responses=documented_responses(SuggestedStocksAnswer),
        examples=[
            OpenApiExample("A list of one pick", PICKS_ANSWER, status_codes=["200"]),
            OpenApiExample("Rejected", error_body(400, "limit: Allowed: …"), status_codes=["400"]),
        ],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List a strategy's picks in force; an empty list comes with its reason."""
        if settings.READING_NEEDS_LOGIN and (cached := response_cache.cached_response(request._request)):
            return cached
        parameters = checked_parameters(SuggestedStocksQuery, request)
        listed = pick_queries.pick_list(
            parameters["strategy"],
            session=parameters.get("date"),
            sector=parameters["sector"],
            search=parameters["search"],
            sort_by=parameters["sort_by"],
            descending=parameters["order"] == "desc",
            limit=parameters["limit"],
        )
        latest = pick_queries.latest_listed_session() if "date" not in parameters else None
        # A list superseded while it was read may be short of rows; such a response is not cached.
        if listed.publication and listed.total == listed.publication.count:
            self.cache_version = response_cache.cache_version(listed.publication, latest)
        warnings = ignored_parameters(SuggestedStocksQuery, request)
        return conditional_response(request, response_body(parameters["strategy"], listed, latest, warnings))


def checked_parameters(query_class: type[serializers.Serializer[dict[str, Any]]], request: Request) -> dict[str, Any]:
    """The request's parameters; ValidationError names one that is given twice or not allowed."""
    query = query_class(data=request.query_params)
    for name, _ in query.fields.items():  # the type stub knows the keys only through items()
        if len(request.query_params.getlist(name)) > 1:
            raise ValidationError({name: "It is given more than once; give one value."})
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


def ignored_parameters(query_class: type[serializers.Serializer[dict[str, Any]]], request: Request) -> list[str]:
    """A sentence about each parameter of the request that the view does not know: it may be a misspelt one."""
    known = [name for name, _ in query_class().fields.items()]
    unknown = [name for name in request.query_params if name not in (*known, api_settings.URL_FORMAT_OVERRIDE)]
    offered = f"The parameters are {', '.join(known)}." if known else "There are no parameters here."
    sentences = [f"{name[:50]!r} is no parameter and was ignored. {offered}" for name in unknown[:_MAX_WARNINGS]]
    rest = len(unknown) - len(sentences)
    return [*sentences, f"{rest} more were ignored."] if rest else sentences


def conditional_response(request: Request, body: dict[str, Any]) -> HttpResponseBase:
    """The body, or 304 when the client already has exactly it."""
    accepted = getattr(request, "accepted_renderer", None)
    if accepted is None or accepted.format != "json":
        return Response(body, status=status.HTTP_200_OK)
    content = accepted.render(body, accepted.media_type)
    etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
    response = HttpResponse(content, content_type=accepted.media_type, headers={"ETag": etag})
    # Clients must revalidate each time, so a new publication is visible at once; most responses are then 304.
    # Without the key where anybody may read: Django would write `private=False` literally.
    patch_cache_control(response, no_cache=True, **({"private": True} if settings.READING_NEEDS_LOGIN else {}))
    return get_conditional_response(request._request, etag=etag, response=response) or response
