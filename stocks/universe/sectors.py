"""Sector names: sources spell a sector in several ways, and people type the short one."""

from typing import Final

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "Information Technology": ("it", "technology", "software", "infotech"),
    "Fast Moving Consumer Goods": ("fmcg",),
    "Automobile and Auto Components": ("automobiles", "automobile", "auto", "autos"),
    "Financial Services": ("financials", "finance", "financial"),
    "Banks": ("bank", "banking"),
    "Healthcare": ("health care", "pharma", "pharmaceuticals"),
    "Telecommunication": ("telecom", "telecommunications"),
    "Oil Gas & Consumable Fuels": ("oil and gas", "oil"),
    "Metals & Mining": ("metals", "metal", "mining"),
    "Realty": ("real estate",),
    "Media Entertainment & Publication": ("media", "entertainment"),
    "Construction Materials": ("cement",),
    "Consumer Durables": ("durables",),
    "Aerospace & Defense": ("aerospace and defence", "defence", "defense"),
}
"""The exchange's spelling of a sector → its other names."""


def _words(text: str) -> str:
    return " ".join(text.casefold().replace("&", " and ").replace(",", " ").split())


_SPELLINGS: Final = {_words(name): spelling for spelling, names in _NAMES.items() for name in (spelling, *names)}


def exchange_spelling(text: str) -> str:
    """The exchange's spelling of a sector; an unknown name is returned unchanged."""
    return _SPELLINGS.get(_words(text), text)


def same_sector(first: str, second: str) -> bool:
    """Whether two names mean one sector, so that `IT` finds `Information Technology`."""
    return _words(exchange_spelling(first)) == _words(exchange_spelling(second))
