"""What an evening left behind, on one screen."""

from datetime import date

from django.conf import settings

from ml.models import TrainedModel
from stocks.models import Publication


def report(session: date) -> str:
    """Return the model in force, each strategy's picks and the export folder, for a session."""
    lines = []
    model = TrainedModel.objects.filter(session__lte=session).first()
    if model:
        figures = ", ".join(
            f"{name} {value}" for name, value in model.metrics.items() if isinstance(value, int | float | str)
        )
        lines.append(f"model {model.id}: {model.status}, {model.samples:,} samples; {figures}")
    for publication in Publication.objects.filter(date=session, superseded_at=None).order_by("strategy"):
        first = ", ".join(pick["symbol"] for pick in publication.picks[:5])
        why = f"  ({publication.reason})" if publication.reason else ""
        lines.append(f"{publication.strategy:<10} {publication.count:>3} picks  {first}{why}")
    lines.append(f"exports in {settings.EXPORT_DIR}")
    return "\n".join(lines)
