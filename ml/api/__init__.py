"""`GET /api/scoreboard/`: what came of the published picks."""

from typing import Any, Final

from django.conf import settings
from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from ml.scoreboard import queries
from ml.scoreboard.figures import INTERVAL_NEEDS_SESSIONS, Figures
from ml.scoreboard.queries import ListScore
from stocks.api import PicksView, StrategyField, checked_parameters, conditional_response, ignored_parameters
from stocks.api.answers import WARNINGS, documented_responses
from stocks.api.rounding import rounded_answer

_SHARES: Final = ("target_first_share", "stop_first_share")


class FiguresAnswer(serializers.Serializer[Any]):
    outcomes = serializers.IntegerField(help_text="picks whose outcome is known")
    sold = serializers.IntegerField(help_text="at the open of the eleventh session, or the next trade")
    not_bought = serializers.IntegerField(help_text="no trade at the entry")
    unsold = serializers.IntegerField(help_text="no trade for forty sessions after the exit; in no mean")
    unmeasured = serializers.IntegerField(help_text="a demerger or the like lies between; in no mean")
    late = serializers.IntegerField(help_text="published when the entry's session had opened")
    with_levels = serializers.IntegerField(help_text="picks of which it is known which level came first")
    target_first = serializers.IntegerField()
    stop_first = serializers.IntegerField(help_text="both levels in one session count as the stop")
    mean_return_pct = serializers.FloatField(allow_null=True, help_text="percent, absolute, before charges")
    mean_excess_pct = serializers.FloatField(allow_null=True, help_text="percent, less the universe's mean")
    mean_net_excess_pct = serializers.FloatField(allow_null=True, help_text="percent, excess less charges")
    low_95 = serializers.FloatField(
        allow_null=True,
        help_text=f"percent, lower end of the 95 % interval of mean_net_excess_pct (Newey-West);"
        f" null below {INTERVAL_NEEDS_SESSIONS} sessions",
    )
    high_95 = serializers.FloatField(allow_null=True, help_text="percent, upper end")
    days = serializers.IntegerField(help_text="sessions in these means")
    target_first_share = serializers.FloatField(allow_null=True, help_text="0-1, of with_levels")
    stop_first_share = serializers.FloatField(allow_null=True, help_text="0-1, of with_levels")


class ModelScoreAnswer(serializers.Serializer[Any]):
    model_id = serializers.CharField(allow_null=True)
    first = serializers.DateField(help_text="its first judged list")
    last = serializers.DateField()
    figures = FiguresAnswer()


class PointAnswer(serializers.Serializer[Any]):
    date = serializers.DateField()
    net_excess_pct = serializers.FloatField(help_text="percent, mean of the session's picks")
    cumulative_pct = serializers.FloatField(help_text="percent, with a tenth of the money in each session's list")


class ListScoreAnswer(serializers.Serializer[Any]):
    strategy = serializers.CharField()
    waiting = serializers.IntegerField(help_text="published picks that are not judged yet")
    figures = FiguresAnswer()
    models = ModelScoreAnswer(many=True, help_text=f"the newest first, at most {queries.MODELS_SHOWN}")
    curve = PointAnswer(many=True)


class ScoreboardAnswer(serializers.Serializer[Any]):
    """What came of the published picks, by list."""

    success = serializers.BooleanField()
    simulated = serializers.BooleanField(help_text="true: the market is simulated")
    lists = ListScoreAnswer(many=True)
    warnings = serializers.ListField(child=serializers.CharField(), help_text=WARNINGS)


class ScoreboardQuery(serializers.Serializer[dict[str, Any]]):
    strategy = StrategyField(required=False, help_text="Only this list.")


class ScoreboardView(PicksView):
    """What came of the published picks."""

    @extend_schema(
        operation_id="scoreboard",
        parameters=[ScoreboardQuery],
        responses=documented_responses(ScoreboardAnswer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Count, share and mean of what was judged, by list and model, with the curve of the net excess."""
        wanted = checked_parameters(ScoreboardQuery, request).get("strategy")
        waiting = queries.waiting()
        lists = [
            _list_body(score, waiting[name])
            for name, score in queries.scoreboard().items()
            if wanted is None or name == wanted
        ]
        body = {"success": True, "simulated": settings.PROVIDER_KIND == "simulated", "lists": lists}
        body["warnings"] = ignored_parameters(ScoreboardQuery, request)
        return conditional_response(request, rounded_answer(ScoreboardAnswer(), body))


def _list_body(score: ListScore, waiting: int) -> dict[str, Any]:
    return {
        "strategy": score.strategy,
        "waiting": waiting,
        "figures": _figures_body(score.figures),
        "models": [vars(model) | {"figures": _figures_body(model.figures)} for model in score.models],
        "curve": [point._asdict() for point in score.curve],
    }


def _figures_body(figures: Figures) -> dict[str, Any]:
    return vars(figures) | {name: getattr(figures, name) for name in _SHARES}
