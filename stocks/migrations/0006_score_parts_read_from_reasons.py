"""The parts of the scores of picks published so far, which only their reasons state."""

import re

from django.db import migrations

PARTS = {
    "growth": ("prediction", "earnings growth", "revenue growth", "return on equity"),
    "value": ("prediction", "low P/E", "return on equity", "low debt"),
    "balanced": ("prediction", "safety", "confidence", "low volatility"),
    "momentum": ("prediction", "price over SMA 200", "price over SMA 50", "MACD histogram over price"),
}


def stated_parts(reason, strategy):
    """Part → value as the reason states it; None where it states none."""
    parts = {}
    for name in PARTS.get(strategy, ()):
        stated = re.search(rf"(?:score [01]\.\d\d from|,) {re.escape(name)} ([01]\.\d\d)(?=[,.])", reason or "")
        if stated:
            parts[name] = float(stated[1])
    return parts or None


def fill_score_parts(apps, schema_editor):
    picks = apps.get_model("stocks", "SuggestedStock").objects.using(schema_editor.connection.alias)
    for pick in picks.filter(score_parts__isnull=True).only("strategy", "reason").iterator():
        if parts := stated_parts(pick.reason, pick.strategy):
            picks.filter(pk=pick.pk).update(score_parts=parts)
    publications = apps.get_model("stocks", "Publication").objects.using(schema_editor.connection.alias)
    for publication in publications.only("strategy", "picks").iterator(chunk_size=50):
        copies = [
            {"score_parts": stated_parts(copy.get("reason"), publication.strategy), **copy}
            for copy in publication.picks
        ]
        publications.filter(pk=publication.pk).update(picks=copies)


class Migration(migrations.Migration):
    dependencies = [("stocks", "0005_score_parts_of_picks")]
    operations = [migrations.RunPython(fill_score_parts, migrations.RunPython.noop)]
