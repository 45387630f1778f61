"""URLs of the whole site."""

from typing import Any

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.authentication import SessionAuthentication

from ml.api import ScoreboardView
from ml.api.models import ModelsView
from portfolio.api import BacktestsView, BacktestView, TaxView
from portfolio.api.urls import urlpatterns as trading_urls
from stocks.api import MayRead, SuggestedStocksView
from stocks.api.changes import ListChangesView
from stocks.api.reading_limit import ReadingThrottle
from tradingsite.monitoring.metrics import metrics
from tradingsite.web import postbacks

handler400 = "tradingsite.web.error_pages.bad_request"
handler403 = "tradingsite.web.error_pages.permission_denied"
handler404 = "tradingsite.web.error_pages.page_not_found"
handler500 = "tradingsite.web.error_pages.server_error"

# Lazy: the icon's address is known only after static files have been collected.
_ICON = lazy(static, str)("portfolio/icon.svg")
_READERS: dict[str, Any] = {
    "permission_classes": [MayRead],
    "authentication_classes": SuggestedStocksView.authentication_classes,
}

urlpatterns = [
    path("admin/", include("tradingsite.operations.urls")),
    path("", include("portfolio.urls")),
    path("favicon.ico", RedirectView.as_view(url=_ICON), name="favicon"),
    path("postbacks/zerodha/", postbacks.zerodha, name="postback-zerodha"),
    path("metrics", metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("api/suggested-stocks/", SuggestedStocksView.as_view(), name="suggested-stocks"),
    path("api/suggested-stocks/changes/", ListChangesView.as_view(), name="suggested-stocks-changes"),
    path("api/scoreboard/", ScoreboardView.as_view(), name="scoreboard"),
    path("api/models/", ModelsView.as_view(), name="models"),
    path("api/tax/", TaxView.as_view(), name="api-tax"),
    path("api/backtests/", BacktestsView.as_view(), name="api-backtests"),
    path("api/backtests/<int:key>/", BacktestView.as_view(), name="api-backtest"),
    *trading_urls,
    path("api/schema/", SpectacularAPIView.as_view(**_READERS, throttle_classes=[ReadingThrottle]), name="api-schema"),
    path(
        "api/docs/",
        # A page for people: a wrong token would be rejected again while the error page is being rendered.
        SpectacularSwaggerView.as_view(
            url_name="api-schema", **_READERS | {"authentication_classes": [SessionAuthentication]}
        ),
        name="api-docs",
    ),
]
