"""Provenance of a simulated market, whose facts were marked as measured or as from the exchange."""

from django.db import migrations

RENAME = """
    UPDATE {table} SET provenance = (
        SELECT jsonb_object_agg(key, value || '{{"source": "simulator"}}' || CASE
            WHEN value->>'how' = 'measured' THEN '{{"how": "simulated"}}'::jsonb ELSE '{{}}'::jsonb END)
        FROM jsonb_each(provenance)
    )
    WHERE provenance <> '{{}}' AND EXISTS (SELECT FROM pipeline_runs WHERE provider_kind = 'simulated')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0009_totals_count_symbols"),
        ("stocks", "0006_score_parts_read_from_reasons"),
    ]
    operations = [
        migrations.RunSQL(RENAME.format(table=table), migrations.RunSQL.noop) for table in ("stocks", "stock_metrics")
    ]
