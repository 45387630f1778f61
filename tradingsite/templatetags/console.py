"""Template filters of the console: numbers as text, URLs of runs."""

from django import template

from market_data.runs.saga import words_of
from tradingsite.operations.views import run_url

register = template.Library()
register.filter("run_url", run_url)


@register.filter
def plain(value: float | None) -> str:
    """A number for a style or an attribute: with a decimal point in every locale."""
    return f"{value or 0.0:.2f}"


@register.filter
def percent_of(value: float | None) -> str:
    """A share 0-1 as whole percent; a dash when unknown."""
    return "–" if value is None else f"{value:.0%}"


@register.filter
def change(value: float | None) -> str:
    """A change in percent with its sign; a dash when unknown."""
    return "–" if value is None else f"{value:+.1f} %".replace("-", "−")


@register.filter
def words(name: str) -> str:
    """The name of a check, a step or a figure as words."""
    return words_of(name)
