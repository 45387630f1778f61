"""URLs of the web pages."""

from datetime import date

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, register_converter

from portfolio.pages import backtest_views, tax_page, views
from portfolio.pages.brokers import views as broker_views
from portfolio.pages.identity import views as identity_views
from portfolio.pages.trading import (
    account_views,
    difference_views,
    kill_switch_views,
    live_views,
    order_views,
    plan_views,
    tax_views,
)

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
    path("picks/list.csv", views.picks_file, name="picks-file"),
    path("stocks/", views.stocks, name="stocks"),
    path("stocks/<str:symbol>/", views.stock, name="stock"),
    path("stocks/<str:symbol>/bars.json", views.stock_bars, name="stock-bars"),
    path("sectors/", views.sectors, name="sectors"),
    path("history/", views.history, name="history"),
    path("history/<day:day>/<str:strategy>/", views.past_list, name="past-list"),
    path("scoreboard/", views.scoreboard, name="scoreboard"),
    path("models/", views.models, name="models"),
    path("strategies/", views.strategies, name="strategies"),
    path("backtests/", backtest_views.backtests, name="backtests"),
    path("backtests/compare/", backtest_views.compare_backtests, name="compare-backtests"),
    path("backtests/<int:key>/", backtest_views.backtest, name="backtest"),
    path("backtests/<int:key>/state/", backtest_views.backtest_state, name="backtest-state"),
    path("backtests/<int:key>/trades.csv", backtest_views.backtest_trades, name="backtest-trades"),
    path("backtests/<int:key>/cancel/", backtest_views.cancel_backtest, name="cancel-backtest"),
    path("backtests/<int:key>/again/", backtest_views.repeat_backtest, name="repeat-backtest"),
    path("tax/", tax_page.tax, name="tax"),
    path("accounts/", account_views.accounts, name="accounts"),
    path("accounts/live/", account_views.open_live_account, name="open-live-account"),
    path("accounts/<int:key>/", account_views.account, name="account"),
    path("accounts/<int:key>/orders/", order_views.orders, name="account-orders"),
    path("accounts/<int:key>/orders/new/", order_views.new_order, name="new-order"),
    path("accounts/<int:key>/trades/", account_views.trades, name="account-trades"),
    path("accounts/<int:key>/plans/", plan_views.plans, name="account-plans"),
    path("accounts/<int:key>/plans/stop/", plan_views.stop_strategy, name="stop-strategy"),
    path("accounts/<int:key>/differences/", difference_views.differences, name="account-differences"),
    path("accounts/<int:key>/ledger/", account_views.ledger, name="account-ledger"),
    path("accounts/<int:key>/tax/", tax_views.tax_lots, name="account-tax"),
    path("accounts/<int:key>/live/", live_views.live, name="account-live"),
    path("accounts/<int:key>/live/off/", live_views.end_live, name="end-live"),
    path("differences/<int:key>/close/", difference_views.close_one_difference, name="close-difference"),
    path("alarms/<int:key>/close/", difference_views.close_one_alarm, name="close-alarm"),
    path("orders/<int:key>/", order_views.order, name="order"),
    path("orders/<int:key>/cancel/", order_views.cancel_order, name="cancel-order"),
    path("orders/<int:key>/modify/", order_views.modify_order, name="modify-order"),
    path("orders/<int:key>/abandon/", order_views.abandon_order, name="abandon-order"),
    path("plans/<int:key>/", plan_views.plan, name="plan"),
    path("plans/<int:key>/approve/", plan_views.approve_plan, name="approve-plan"),
    path("kill-switch/", kill_switch_views.kill_switch_page, name="kill-switch"),
    path("brokers/", broker_views.brokers, name="brokers"),
    path("brokers/callback/", broker_views.callback, name="broker-callback"),
    path("brokers/readiness/", broker_views.broker_readiness, name="broker-readiness"),
    path("brokers/<str:broker>/connect/", broker_views.connect, name="broker-connect"),
    path("brokers/<str:broker>/test/", broker_views.run_account_test, name="broker-test"),
    path("status/", views.status, name="status"),
    path("status/kept-out/<day:day>/", views.exclusions, name="exclusions"),
    path("state/", views.picks_state, name="picks-state"),
    path("confirm/", identity_views.confirm_identity, name="confirm-identity"),
    path("second-factor/", identity_views.own_second_factor, name="second-factor"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
