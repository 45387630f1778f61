"""The phases as they were known when the table was made; an import changes them."""

from django.db import migrations

_ROWS = """
INSERT INTO trading_phases (phase, shares, first, last, opens, closes, order_types, source) VALUES
    ('pre_open', 'all', '2016-01-01', NULL, '09:00', '09:08', 'market limit sl sl-m', 'built in'),
    ('continuous', 'all', '2016-01-01', '2026-08-02', '09:15', '15:30', 'market limit sl sl-m', 'built in'),
    ('continuous', 'others', '2026-08-03', NULL, '09:15', '15:30', 'market limit sl sl-m', 'built in'),
    ('continuous', 'derivatives', '2026-08-03', NULL, '09:15', '15:15', 'market limit sl sl-m', 'built in'),
    ('closing_auction', 'derivatives', '2026-08-03', NULL, '15:15', '15:35', 'market limit', 'built in'),
    ('post_close', 'all', '2016-01-01', '2026-08-02', '15:40', '16:00', 'market limit sl sl-m', 'built in'),
    ('post_close', 'all', '2026-08-03', NULL, '15:50', '16:00', 'market limit sl sl-m', 'built in')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0020_trading_phases"),
    ]

    operations = [migrations.RunSQL(_ROWS, "DELETE FROM trading_phases")]
