"""`GET /api/suggested-stocks/changes/`: what changed in a strategy's list against the one before."""

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from stocks.api import ListQuery, PicksView, checked_parameters, conditional_response, ignored_parameters
from stocks.api.answers import WARNINGS, DepartureAnswer, documented_responses
from stocks.api.rounding import rounded_answer
from stocks.models import Publication
from stocks.picks.change_queries import changes_of
from stocks.picks.changes import ScoreChange
from stocks.picks.queries import publication_in_force

_ENTRY = ("symbol", "stock_name", "rank", "place", "selection_score")


class EntryAnswer(serializers.Serializer[Any]):
    """A pick that was not on the list before."""

    symbol = serializers.CharField()
    stock_name = serializers.CharField(allow_null=True)
    rank = serializers.IntegerField(allow_null=True)
    place = serializers.IntegerField(allow_null=True, help_text="among all shares that passed")
    selection_score = serializers.FloatField(allow_null=True, help_text="0-1")


class PartMoveAnswer(serializers.Serializer[Any]):
    """How one part of a score moved."""

    part = serializers.CharField()
    before = serializers.FloatField(allow_null=True, help_text="0-1; null: its input was missing")
    after = serializers.FloatField(allow_null=True, help_text="0-1; null: its input is missing")
    points = serializers.FloatField(help_text="0-1, what it moved the score by")


class ScoreChangeAnswer(serializers.Serializer[Any]):
    """How the score of a share that stayed moved; the points of its parts add up to `change`, but for rounding."""

    symbol = serializers.CharField()
    stock_name = serializers.CharField(allow_null=True)
    last_rank = serializers.IntegerField(allow_null=True)
    rank = serializers.IntegerField(allow_null=True)
    last_score = serializers.FloatField(help_text="0-1")
    score = serializers.FloatField(help_text="0-1")
    change = serializers.FloatField(help_text="0-1, of the score")
    words = serializers.CharField(help_text="the change and what moved it, as a sentence")
    moves = PartMoveAnswer(many=True)


class ListChangesAnswer(serializers.Serializer[Any]):
    """What changed in a strategy's list; empty lists where there was none to compare with (`compared_with` null)."""

    success = serializers.BooleanField()
    strategy = serializers.CharField()
    date = serializers.DateField(allow_null=True, help_text="session of the list; null: none was published")
    compared_with = serializers.DateField(allow_null=True, help_text="session of the list before")
    entries = EntryAnswer(many=True)
    departures = DepartureAnswer(many=True)
    score_changes = ScoreChangeAnswer(many=True)
    warnings = serializers.ListField(child=serializers.CharField(), help_text=WARNINGS)


class ListChangesView(PicksView):
    """What changed in a strategy's list in force against the one before."""

    @extend_schema(
        operation_id="suggested_stocks_changes",
        parameters=[ListQuery],
        responses=documented_responses(ListChangesAnswer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Entries, departures, and the score changes of the shares that stayed, the largest first."""
        parameters = checked_parameters(ListQuery, request)
        publication = publication_in_force(parameters["strategy"], parameters.get("date"))
        body = _body(parameters["strategy"], publication) | {"warnings": ignored_parameters(ListQuery, request)}
        return conditional_response(request, rounded_answer(ListChangesAnswer(), body))


def _body(strategy: str, publication: Publication | None) -> dict[str, Any]:
    body: dict[str, Any] = {"success": True, "strategy": strategy, "date": None, "compared_with": None}
    if publication is None:
        return body | {"entries": [], "departures": [], "score_changes": []}
    changes = changes_of(publication)
    return body | {
        "date": publication.date,
        "compared_with": changes.previous_session,
        "entries": [{name: pick[name] for name in _ENTRY} for pick in changes.entries],
        "departures": changes.departures,
        "score_changes": [_score_change(change) for change in changes.score_changes],
    }


def _score_change(change: ScoreChange) -> dict[str, Any]:
    return {
        "symbol": change.symbol,
        "stock_name": change.stock_name,
        "last_rank": change.rank_before,
        "rank": change.rank,
        "last_score": change.score_before,
        "score": change.score,
        "change": change.change,
        "words": change.words,
        "moves": [move._asdict() for move in change.moves],
    }
