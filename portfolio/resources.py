"""CSV exports of strategies, orders, trades and positions from the admin."""

from portfolio.models import Order, Position, Strategy, Trade
from stocks.storage.resources import SafeResource


class StrategyResource(SafeResource):
    class Meta:
        model = Strategy


class OrderResource(SafeResource):
    class Meta:
        model = Order


class TradeResource(SafeResource):
    class Meta:
        model = Trade


class PositionResource(SafeResource):
    class Meta:
        model = Position
