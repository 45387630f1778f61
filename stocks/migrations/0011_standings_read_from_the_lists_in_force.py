"""New or kept, since when, and what left: of the lists in force, from the list before each; places from the reasons.

Why a share left was not kept: those reasons stay empty. A share renamed in between counts as another one. The copies
kept with the publications stay as they were published.
"""

import re

from django.db import migrations


def stated_place(reason):
    """Place among all that passed as the reason states it; None where it states none."""
    stated = re.search(r": place (\d+) of \d+ that passed", reason or "")
    return int(stated[1]) if stated else None


def departures(rows, before, since):
    """What a list lacks of the one before, in the order of the ranks there."""
    listed = {row.symbol for row in rows}
    return [
        {
            "symbol": row.symbol,
            "stock_name": row.stock_name,
            "last_rank": row.rank,
            "last_place": row.place,
            "listed_since": since[row.symbol].isoformat(),
            "place": None,
            "reason": "",
        }
        for row in before
        if row.symbol not in listed
    ]


def fill_standings(apps, schema_editor):
    alias = schema_editor.connection.alias
    publications = apps.get_model("stocks", "Publication").objects.using(alias)
    picks = apps.get_model("stocks", "SuggestedStock").objects.using(alias)
    in_force = publications.filter(superseded_at=None, abstention="")
    for strategy in in_force.order_by("strategy").values_list("strategy", flat=True).distinct():
        previous, before, since = None, [], {}
        for publication in in_force.filter(strategy=strategy).defer("picks").order_by("date"):
            rows = list(picks.filter(publication_id=publication.pk).order_by("rank", "symbol"))
            for row in rows:
                row.place = stated_place(row.reason)
                row.standing = "kept" if row.symbol in since else "new"
                row.listed_since = since.get(row.symbol, publication.date)
            picks.bulk_update(rows, ["place", "standing", "listed_since"])
            left = departures(rows, before, since)
            publications.filter(pk=publication.pk).update(previous_id=previous, departures=left)
            previous, before, since = publication.pk, rows, {row.symbol: row.listed_since for row in rows}


class Migration(migrations.Migration):
    dependencies = [("stocks", "0010_lists_know_what_they_were_compared_with")]
    operations = [migrations.RunPython(fill_standings, migrations.RunPython.noop)]
