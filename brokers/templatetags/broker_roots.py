"""A banner for every page while calls to a broker do not go to its vendor."""

from typing import Any

from django import template

from brokers.connections import foreign_roots

register = template.Library()


@register.inclusion_tag("brokers/foreign_roots.html")
def foreign_roots_banner(style: str = "") -> dict[str, Any]:
    """The banner; nothing where all addresses are the vendors'. `style` serves pages without our stylesheet."""
    return {"roots": foreign_roots(), "style": style}
