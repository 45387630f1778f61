"""How figures are written on the pages. A missing value is a dash, never 0."""

from django import template

register = template.Library()
_MISSING = "–"


@register.filter
def rupees(value: float | None) -> str:
    """Return an amount with the Indian grouping of digits: 1234567.5 is ₹12,34,567.50."""
    if value is None:
        return _MISSING
    whole, _, paise = f"{abs(value):.2f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    groups: list[str] = []
    while head:
        head, group = head[:-2], head[-2:]
        groups.insert(0, group)
    sign = "−" if value < 0 else ""
    return f"{sign}₹{','.join([*groups, tail])}.{paise}"


@register.filter
def decimals(value: float | None, places: int = 2) -> str:
    """Return a number with so many decimals."""
    return _MISSING if value is None else f"{value:.{places}f}"


@register.filter
def percent(value: float | None) -> str:
    """Return a share 0-1 as a whole percentage."""
    return _MISSING if value is None else f"{value * 100:.0f} %"


@register.filter
def from_price(level: float | None, price: float | None) -> str:
    """Return how far a level lies from a price, in percent with its sign."""
    if level is None or not price:
        return ""
    change = (level / price - 1) * 100
    return f"{'−' if change < 0 else '+'}{abs(change):.1f} %"


@register.filter
def hundredths(value: float | None) -> int:
    """Return a share 0-1 as a length 0-100 of a drawn bar."""
    return round(min(max(value or 0.0, 0.0), 1.0) * 100)


@register.filter
def wording(value: str | None) -> str:
    """Return a constant such as STRONG_BUY as words."""
    return (value or _MISSING).replace("_", " ").capitalize()
