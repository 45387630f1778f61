"""Addresses of the trading API."""

from django.urls import path

from portfolio.api import clearing, trading

urlpatterns = [
    path("api/accounts/", trading.AccountsView.as_view(), name="api-accounts"),
    path("api/accounts/<int:key>/", trading.PortfolioView.as_view(), name="api-portfolio"),
    path("api/accounts/<int:key>/holdings/", trading.HoldingsView.as_view(), name="api-holdings"),
    path("api/accounts/<int:key>/orders/", trading.OrdersView.as_view(), name="api-orders"),
    path("api/accounts/<int:key>/trades/", trading.TradesView.as_view(), name="api-trades"),
    path("api/accounts/<int:key>/ledger/", trading.LedgerView.as_view(), name="api-ledger"),
    path("api/accounts/<int:key>/plans/", trading.PlansView.as_view(), name="api-plans"),
    path("api/accounts/<int:key>/differences/", trading.DifferencesView.as_view(), name="api-differences"),
    path("api/accounts/<int:key>/alarms/", clearing.AlarmsView.as_view(), name="api-alarms"),
    path("api/alarms/<int:key>/close/", clearing.CloseAlarmView.as_view(), name="api-close-alarm"),
    path("api/differences/<int:key>/close/", clearing.CloseDifferenceView.as_view(), name="api-close-difference"),
    path("api/orders/<int:key>/", trading.OrderView.as_view(), name="api-order"),
    path("api/orders/<int:key>/cancel/", trading.CancelView.as_view(), name="api-cancel-order"),
    path("api/orders/<int:key>/modify/", trading.ModifyView.as_view(), name="api-modify-order"),
    path("api/orders/<int:key>/abandon/", clearing.AbandonView.as_view(), name="api-abandon-order"),
    path("api/plans/<int:key>/approve/", trading.ApproveView.as_view(), name="api-approve-plan"),
    path("api/kill-switch/", trading.KillSwitchView.as_view(), name="api-kill-switch"),
]
