"""What the header of every page shows of trading, and the words of orders."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import template
from django.http import HttpRequest

from portfolio.models import TradingAccount
from portfolio.orders.kill_switch import MOST_OF_REASON, kill_switch
from portfolio.pages.trading.forms import ClosingForm, ReasonForm
from portfolio.pages.trading.kill_switch_views import may_switch
from portfolio.pages.trading.own import orders_of_unknown_fate
from portfolio.pages.trading.page import person_of

register = template.Library()


@register.inclusion_tag("portfolio/trading/switch.html", takes_context=True)
def kill_switch_in_header(context: dict[str, Any]) -> dict[str, Any]:
    """The kill switch as it is, with its form for whoever may change it; nothing for visitors."""
    request = _request_of_a_person(context)
    if request is None:
        return {}
    return {
        "state": kill_switch(),
        "may_switch": may_switch(request),
        "most": MOST_OF_REASON,
        "here": request.path,
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("portfolio/trading/switch_link.html", takes_context=True)
def kill_switch_in_admin(context: dict[str, Any]) -> dict[str, Any]:
    """The kill switch as it is, with the way to its page, for the admin; nothing for visitors."""
    request = _request_of_a_person(context)
    if request is None:
        return {}
    return {"state": kill_switch()}


@register.inclusion_tag("portfolio/trading/unknown_orders.html", takes_context=True)
def unknown_orders(context: dict[str, Any], style: str = "") -> dict[str, Any]:
    """One's own orders of unknown fate: they stand first on every page until they are clear.

    `style` serves pages without our stylesheet.
    """
    request = _request_of_a_person(context)
    if request is None:
        return {}
    return {"orders": list(orders_of_unknown_fate(person_of(request))), "style": style}


def _request_of_a_person(context: dict[str, Any]) -> HttpRequest | None:
    """The request, of somebody who is logged in; visitors are shown nothing of trading."""
    request: HttpRequest | None = context.get("request")
    return request if request is not None and request.user.is_authenticated else None


@register.filter
def money_of(account: TradingAccount) -> str:
    """Whose money an account trades with, in words."""
    return f"real money at {account.get_broker_display()}" if account.is_live else "no real money: a simulated broker"


@register.filter
def named_values(side: Any) -> list[tuple[str, Any]]:
    """One side of a difference as names and values, in words."""
    if isinstance(side, dict):
        return [(name.replace("_", " "), value) for name, value in side.items() if value is not None]
    values = side if isinstance(side, list) else [] if side is None else [side]
    return [("", value) for value in values]


@register.filter
def part(shares: Mapping[str, float], symbol: str) -> float | None:
    """A share's part of the account's value, 0-1."""
    return shares.get(symbol)


@register.filter
def less(value: Decimal, other: Decimal) -> Decimal:
    """The first less the second, exactly."""
    return value - other


@register.simple_tag
def closing_form(sent: Mapping[tuple[str, int], Any], what: str, key: int) -> Any:
    """The form that closes a difference or an alarm: as it was sent, or empty."""
    form = ClosingForm if what == "difference" else ReasonForm
    return sent.get((what, key)) or form(auto_id=f"{what}-{key}-%s")
