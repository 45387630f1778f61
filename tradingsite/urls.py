"""URLs of the whole site."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from ml.api import ScoreboardView
from ml.api.models import ModelsView
from portfolio.api import BacktestsView, BacktestView, TaxView
from portfolio.api.urls import urlpatterns as trading_urls
from stocks.api import SuggestedStocksView
from stocks.api.changes import ListChangesView
from tradingsite.monitoring.metrics import metrics
from tradingsite.web import postbacks
from tradingsite.web.api_pages import DocumentationView, SchemaView

handler400 = "tradingsite.web.error_pages.bad_request"
handler403 = "tradingsite.web.error_pages.permission_denied"
handler404 = "tradingsite.web.error_pages.page_not_found"
handler500 = "tradingsite.web.error_pages.server_error"

# Lazy: the icon's address is known only after static files have been collected.
_ICON = lazy(static, str)("portfolio/icon.svg")

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
    path("api/schema/", SchemaView.as_view(), name="api-schema"),
    path("api/docs/", DocumentationView.as_view(), name="api-docs"),
]
