"""The symbols of each counted table, which its total has as 0 so far."""

from django.db import migrations

COUNT = """
    UPDATE table_totals SET symbols = (
        WITH RECURSIVE names(symbol) AS (
            (SELECT symbol FROM {table} ORDER BY symbol LIMIT 1)
            UNION ALL
            SELECT (SELECT t.symbol FROM {table} t WHERE t.symbol > n.symbol ORDER BY t.symbol LIMIT 1)
            FROM names n WHERE n.symbol IS NOT NULL
        )
        SELECT count(symbol) FROM names
    ) WHERE table_name = '{table}'
"""


class Migration(migrations.Migration):
    dependencies = [("market_data", "0008_unread_actions_are_a_kind")]
    operations = [
        migrations.RunSQL(COUNT.format(table=table), migrations.RunSQL.noop)
        for table in ("historical_data", "technical_indicators")
    ]
