"""Which places a plan is made by: the list that was published for an evening."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from portfolio.models import Strategy
from stocks.models import Publication


class PlansError(ValueError):
    """No plan can be made, approved or carried out; the sentence names the value and what to do."""


class PlacesOfEvening(NamedTuple):
    """Symbol and place of a session's list, best first; `why_none` says why there are none.

    `source` names where they come from: another one withdraws a plan.
    """

    places: Sequence[tuple[str, int]]
    source: str
    why_none: str = ""


def published_places(strategy: Strategy, session: date) -> PlacesOfEvening:
    """The list in force that was published for a session.

    A share that is held was on the lists since its purchase, and a list keeps what it had down to a place far below any
    that an account keeps: one that is not on it has left.

    Raises
    ------
    PlansError
        The strategy chooses otherwise than its published list does.
    """
    for name in ("thresholds", "limit"):
        if name in strategy.parameters:
            raise PlansError(
                f"{strategy.name} has {name} of its own, and what is published is the list {strategy.kind} alone: leave"
                " them out to trade that list."
            )
    publication = Publication.objects.filter(strategy=strategy.kind, date=session, superseded_at=None).first()
    if publication is None:
        return PlacesOfEvening((), "nothing", f"The list {strategy.kind} of {session} is not published.")
    source = f"publication {publication.pk}"
    if not publication.picks:
        return PlacesOfEvening((), source, f"The list {strategy.kind} of {session} is empty.")
    places = sorted((_place(pick), str(pick["symbol"])) for pick in publication.picks)
    return checked([(symbol, place) for place, symbol in places], source, f"the list {strategy.kind} of {session}")


def checked(places: Sequence[tuple[str, int]], source: str, name: str) -> PlacesOfEvening:
    """The places of a list, or none where one of them, or a share, stands there twice: nobody knows which one holds."""
    for what, values in (("place", [place for _, place in places]), ("share", [symbol for symbol, _ in places])):
        doubled = [value for value, times in Counter[Any](values).items() if times > 1]
        if doubled:
            return PlacesOfEvening(
                (), source, f"{name[0].upper()}{name[1:]} has the {what} {doubled[0]} twice: publish it again."
            )
    return PlacesOfEvening(places, source)


def _place(pick: dict[str, Any]) -> int:
    """The place among all that passed; lists from before places were kept have the rank alone."""
    return int(pick["rank"] if pick.get("place") is None else pick["place"])
