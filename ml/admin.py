"""Models, champions, evaluations and outcomes of picks in the admin, read-only: runs write them.

An earlier champion can be put back.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path

from ml.champions import writer
from ml.champions.judgement import CHALLENGER, CHAMPION, JUDGE_AGAIN_SESSIONS
from ml.models import (
    ChampionChange,
    Evaluation,
    PickHistoryDay,
    PickOutcome,
    PickPlace,
    Prediction,
    TrainedModel,
)
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


_KIND_COLOURS = {"first": "info", "promoted": "success", "kept": "warning", "reverted": "danger"}


@admin.register(ChampionChange)
class ChampionChangeAdmin(ReadOnlyAdmin):
    """Each decision about the champion; who may change it puts the earlier one back."""

    change_list_template = "ml/champions.html"
    list_display = (
        *("session", "decision", "estimator", "recipe", "challenger_recipe", "compared_sessions", "net", "difference"),
        *("operator", "decided_at"),
    )
    list_filter = ("kind", "estimator")
    search_fields = ("recipe", "challenger_recipe", "reason")
    date_hierarchy = "session"

    @coloured("kind", _KIND_COLOURS)
    def decision(self, change: ChampionChange) -> tuple[str, str]:
        return change.kind, change.get_kind_display()

    @admin.display(description="challenger's net, % a year")
    def net(self, change: ChampionChange) -> str:
        return _interval(change.figures.get("net_excess_pct", {}).get(CHALLENGER))

    @admin.display(description="less the champion's")
    def difference(self, change: ChampionChange) -> str:
        return _interval(change.figures.get("differences_pct", {}).get(CHAMPION))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.put_back)
        return [path("put-back/", view, name="ml_championchange_put_back"), *super().get_urls()]

    def has_put_back_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ml.change_championchange")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        more = {"may_put_back": self.has_put_back_permission(request), **(extra_context or {})}
        return super().changelist_view(request, more)

    def put_back(self, request: HttpRequest) -> HttpResponse:
        """Show what putting the earlier champion back means; a POST does it."""
        if not self.has_put_back_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            self._put_back(request, request.POST.get("recipe", ""), request.POST.get("reason", "").strip()[:300])
            return redirect("admin:ml_championchange_changelist")
        context = self.admin_site.each_context(request) | {"title": "Put the earlier champion back?"}
        context |= {"wait": JUDGE_AGAIN_SESSIONS}
        try:
            context |= {"plan": writer.put_back_plan()}
        except writer.NotPutBack as refusal:
            context |= {"refusal": str(refusal)}
        return render(request, "ml/put_back.html", context)

    def _put_back(self, request: HttpRequest, recipe: str, reason: str) -> None:
        if not recipe:
            messages.error(request, "The form names no recipe; open the page again.")
            return
        try:
            change = writer.put_back(recipe, request.user.get_username(), reason)
        except writer.NotPutBack as refusal:
            messages.error(request, str(refusal))
        else:
            self.log_addition(request, change, change.reason)
            messages.success(request, change.reason)


def _interval(row: Mapping[str, float | None] | None) -> str:
    if not row or row["mean"] is None:
        return "–"
    low, high = ("–" if row[name] is None else f"{row[name]:+.1f}" for name in ("low_90", "high_90"))
    return f"{row['mean']:+.1f} [{low}, {high}]"


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
    list_display = ("estimator", "kind", "recipe", "as_of", "first_test", "last_test", "seconds", "created_at")
    list_filter = ("kind", "estimator")


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


@admin.register(PickPlace)
class PickPlaceAdmin(ReadOnlyAdmin):
    ordering = ("-session", "strategy", "source", "place")
    list_display = ("session", "strategy", "place", "symbol", "selection_score", "source", "recipe")
    list_display_links = ("symbol",)
    list_filter = ("strategy", "source")
    search_fields = ("symbol", "recipe")
    date_hierarchy = "session"


@admin.register(PickHistoryDay)
class PickHistoryDayAdmin(ReadOnlyAdmin):
    ordering = ("-session", "strategy")
    list_display = ("session", "strategy", "considered", "passed", "reason", "recipe", "rules")
    list_filter = ("strategy",)
    search_fields = ("recipe",)
    date_hierarchy = "session"
