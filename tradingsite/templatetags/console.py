"""Numbers and addresses as the console writes them."""

from django import template

from tradingsite.operations.views import address_of

register = template.Library()
register.filter("run_address", address_of)


@register.filter
def plain(value: float | None) -> str:
    """Return a number for a style or an attribute: a decimal point whatever the language."""
    return f"{value or 0.0:.2f}"


@register.filter
def percent_of(value: float) -> str:
    """Return a share 0-1 as whole percent."""
    return f"{value:.0%}"


@register.filter
def change(value: float | None) -> str:
    """Return a change in percent with its sign; unknown is a dash."""
    return "–" if value is None else f"{value:+.1f} %".replace("-", "−")
