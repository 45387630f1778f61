"""What the admin can hand out as CSV of strategies, orders, trades and positions."""

from portfolio.models import Order, Position, Strategy, Trade
from stocks.storage.resources import SafeResource


class StrategyResource(SafeResource):
    """Strategies."""

    class Meta:
        model = Strategy


class OrderResource(SafeResource):
    """Orders."""

    class Meta:
        model = Order


class TradeResource(SafeResource):
    """Trades."""

    class Meta:
        model = Trade


class PositionResource(SafeResource):
    """Positions."""

    class Meta:
        model = Position
