"""Models and their evaluations in the admin, read-only: training and evaluation write them."""

from django.contrib import admin

from ml.models import Evaluation, TrainedModel
from stocks.admin import ReadOnlyAdmin, coloured


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "estimator",
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


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    list_display = ("estimator", "as_of", "first_test", "last_test", "seconds", "created_at")
    list_filter = ("estimator",)
