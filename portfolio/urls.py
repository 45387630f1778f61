"""URLs of the web pages."""

from datetime import date

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, register_converter

from portfolio.pages import views

app_name = "portfolio"


class DayConverter:
    """A date in a URL, such as 2026-04-30."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        """Parse the date; a ValueError (2026-02-30) means that the URL does not match."""
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        return value.isoformat()


register_converter(DayConverter, "day")

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("picks/", views.picks, name="picks"),
    path("stocks/", views.stocks, name="stocks"),
    path("stocks/<str:symbol>/", views.stock, name="stock"),
    path("stocks/<str:symbol>/bars.json", views.stock_bars, name="stock-bars"),
    path("sectors/", views.sectors, name="sectors"),
    path("history/", views.history, name="history"),
    path("history/<day:day>/<str:strategy>/", views.past_list, name="past-list"),
    path("scoreboard/", views.scoreboard, name="scoreboard"),
    path("models/", views.models, name="models"),
    path("strategies/", views.strategies, name="strategies"),
    path("status/", views.status, name="status"),
    path("status/kept-out/<day:day>/", views.exclusions, name="exclusions"),
    path("state/", views.picks_state, name="picks-state"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
