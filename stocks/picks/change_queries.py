"""What changed in a published list, from the two publications as they were compared."""

from stocks.models import Publication
from stocks.picks.changes import ListChanges, list_changes
from stocks.picks.queries import published_picks
from stocks.universe.symbols import successors


def changes_of(publication: Publication) -> ListChanges:
    """Compare a publication with the one that it was compared with when it was published."""
    previous = publication.previous
    renamed = successors(publication.date) if previous else {}
    before = [
        pick | {"symbol": renamed.get(pick["symbol"], pick["symbol"])}
        for pick in (published_picks(previous) if previous else ())
    ]
    return list_changes(
        publication.strategy,
        published_picks(publication),
        before,
        publication.departures,
        previous.date if previous else None,
    )
