"""`GET /api/models/`: which recipe picks, how it came to, and its stored figures."""

from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from ml.model_card import queries, reading
from ml.model_card.figure import UNITS, Estimate
from ml.models import ChampionChange, TrainedModel
from stocks.api import PicksView, conditional_response, ignored_parameters
from stocks.api.answers import WARNINGS, documented_responses
from stocks.picks.screening import STRATEGIES
from stocks.units import rounded, unit_of


class EstimateAnswer(serializers.Serializer[Any]):
    value = serializers.FloatField(allow_null=True, help_text="counted in `unit`; null: not known")
    low = serializers.FloatField(allow_null=True, help_text="lower end of the interval; null: none is stored")
    high = serializers.FloatField(allow_null=True, help_text="upper end")
    interval_pct = serializers.IntegerField(help_text="percent of cases that the interval covers: 90 or 95")
    unit = serializers.CharField()


class HeadlineAnswer(EstimateAnswer):
    key = serializers.CharField()
    name = serializers.CharField()
    meaning = serializers.CharField()


class ListFiguresAnswer(serializers.Serializer[Any]):
    strategy = serializers.CharField()
    net_excess_pct = EstimateAnswer(help_text="over the average share, after costs")
    against_model_pct = EstimateAnswer(help_text="less the list `model`, day by day: what thresholds and weights gain")
    bought = EstimateAnswer(help_text="share of the places bought when the list is formed again")
    cost_pct = EstimateAnswer()
    first = serializers.DateField()
    last = serializers.DateField()


class ModelReportAnswer(serializers.Serializer[Any]):
    first_test = serializers.DateField()
    last_test = serializers.DateField()
    as_of = serializers.DateField(help_text="last session of the data")
    figures = HeadlineAnswer(many=True)
    lists = ListFiguresAnswer(many=True)


class ChampionAnswer(serializers.Serializer[Any]):
    recipe = serializers.CharField(help_text="hash of the estimator's members and settings")
    estimator = serializers.CharField()
    since = serializers.DateField(help_text="session of the decision that made it champion")
    reason = serializers.CharField()


class FittedModelAnswer(serializers.Serializer[Any]):
    model_id = serializers.CharField()
    status = serializers.ChoiceField(choices=TrainedModel.Status.choices)
    session = serializers.DateField(help_text="last session whose facts were used")
    train_from = serializers.DateField()
    train_until = serializers.DateField(help_text="last session with a label")
    samples = serializers.IntegerField()
    features = serializers.IntegerField(help_text="how many")
    data_hash = serializers.CharField()
    software = serializers.DictField(child=serializers.CharField(), help_text="part → version")


class ChallengerAnswer(serializers.Serializer[Any]):
    recipe = serializers.CharField()
    estimator = serializers.CharField()
    standing = serializers.CharField(help_text="how it stands, in sentences")


class DecisionAnswer(serializers.Serializer[Any]):
    session = serializers.DateField()
    kind = serializers.ChoiceField(choices=ChampionChange.Kind.choices)
    champion_recipe = serializers.CharField(help_text="champion from this decision on")
    challenger_recipe = serializers.CharField(allow_null=True)
    reason = serializers.CharField()


class ModelsAnswer(serializers.Serializer[Any]):
    """Which recipe picks, and its stored figures."""

    success = serializers.BooleanField()
    simulated = serializers.BooleanField(help_text="true: the market is simulated")
    champion = ChampionAnswer(allow_null=True, help_text="null: no training has been accepted yet")
    model = FittedModelAnswer(allow_null=True, help_text="its newest fit")
    challenger = ChallengerAnswer(allow_null=True)
    report = ModelReportAnswer(allow_null=True, help_text="null: no report about the champion is stored yet")
    decisions = DecisionAnswer(many=True, help_text=f"the newest first, at most {queries.DECISIONS_SHOWN}")
    warnings = serializers.ListField(child=serializers.CharField(), help_text=WARNINGS)


class ModelsView(PicksView):
    """Which recipe picks, and its stored figures."""

    @extend_schema(operation_id="models", responses=documented_responses(ModelsAnswer))
    def get(self, request: Request) -> HttpResponseBase:
        """The champion, its newest fit, its challenger, headline figures with intervals, and the latest decisions."""
        card = queries.model_card()
        body = {
            "success": True,
            "simulated": settings.PROVIDER_KIND == "simulated",
            "champion": _champion_body(card.champion),
            "model": _model_body(card.model),
            "challenger": card.challenger and card.challenger.as_json(),
            "report": _report_body(card),
            "decisions": [_decision_body(decision) for decision in card.decisions],
            "warnings": ignored_parameters(serializers.Serializer, request),
        }
        return conditional_response(request, body)


def _champion_body(champion: ChampionChange | None) -> dict[str, Any] | None:
    if champion is None:
        return None
    facts = {name: getattr(champion, name) for name in ("recipe", "estimator", "reason")}
    return facts | {"since": champion.session}


def _model_body(model: TrainedModel | None) -> dict[str, Any] | None:
    if model is None:
        return None
    names = ("status", "session", "train_from", "train_until", "samples", "data_hash", "software")
    return {name: getattr(model, name) for name in names} | {"model_id": model.pk, "features": len(model.features)}


def _decision_body(decision: ChampionChange) -> dict[str, Any]:
    return {
        "session": decision.session,
        "kind": decision.kind,
        "champion_recipe": decision.recipe,
        "challenger_recipe": decision.challenger_recipe or None,
        "reason": decision.reason,
    }


def _report_body(card: queries.Card) -> dict[str, Any] | None:
    if card.report is None:
        return None
    content = card.report.content
    return {
        "first_test": content.text("first_test"),
        "last_test": content.text("last_test"),
        "as_of": card.report.as_of,
        "figures": [
            {"key": headline.key, "name": headline.name, "meaning": headline.sentence} | _estimate(headline.figure)
            for headline in card.headlines
        ],
        "lists": [_list_body(row) for row in reading.lists(content.at("lists"), list(STRATEGIES))],
    }


def _list_body(row: reading.ListFigures) -> dict[str, Any]:
    return {
        "strategy": row.name,
        "net_excess_pct": _estimate(row.net),
        "against_model_pct": _estimate(row.against_model),
        "bought": _estimate(row.bought),
        "cost_pct": _estimate(row.cost),
        "first": row.first,
        "last": row.last,
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    words = UNITS[estimate.mean.style]
    unit = unit_of("value", words)
    stored = {"value": estimate.mean.value, "low": estimate.low.value, "high": estimate.high.value}
    figures = {name: rounded(value, unit) if value and unit else value for name, value in stored.items()}
    return figures | {"interval_pct": estimate.level, "unit": words}
