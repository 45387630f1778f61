"""Models, their evaluations and the outcomes of picks in the admin, read-only: runs write them."""

from django.contrib import admin

from ml.models import Evaluation, PickOutcome, Prediction, TrainedModel
from stocks.admin import DatedAdmin, ReadOnlyAdmin, coloured


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "estimator",
        "recipe",
        "session",
        "state",
        "samples",
        "train_from",
        "train_until",
        "trained_at",
        "reason",
    )
    list_filter = ("estimator", "status")
    search_fields = ("id",)
    date_hierarchy = "session"

    @coloured("status", {"accepted": "success", "rejected": "danger"})
    def state(self, model: TrainedModel) -> tuple[str, str]:
        return model.status, model.get_status_display()


@admin.register(Prediction)
class PredictionAdmin(DatedAdmin):
    ordering = ("-date", "symbol", "recipe")
    symbol_column = "symbol"
    list_display = (
        *(
            "ticker",
            "date",
            "recipe",
            "score",
            "rank_score",
            "confidence",
            "expected_excess",
            "excess_low",
            "excess_high",
        ),
        *("probability", "predicted_drawdown", "risk_score"),
    )


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    list_display = ("estimator", "as_of", "first_test", "last_test", "seconds", "created_at")
    list_filter = ("estimator",)


@admin.register(PickOutcome)
class PickOutcomeAdmin(ReadOnlyAdmin):
    list_display = (
        *("date", "strategy", "rank", "symbol", "result", "entry_price", "exit_price", "first_touched"),
        *("return_pct", "excess_pct", "net_excess_pct", "model_id", "version"),
    )
    list_display_links = ("symbol",)
    list_filter = ("strategy", "result", "first_touched", "is_late")
    search_fields = ("symbol", "model_id")
    date_hierarchy = "date"
