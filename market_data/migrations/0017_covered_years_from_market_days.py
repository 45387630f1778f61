"""Years whose sessions the stored market days know: those of a complete calendar, and imported lists of holidays.

Until now the last row of any kind was the end of the calendar, so an imported list of holidays closed its whole year.
The same rules as those of an import; a day that no list names becomes a session.
"""

from django.db import migrations

_COMPLETE = """
INSERT INTO market_years (year, first, last, source)
SELECT y, CASE WHEN y = min(y) OVER () THEN first ELSE make_date(y, 1, 1) END,
          CASE WHEN y = max(y) OVER () THEN last ELSE make_date(y, 12, 31) END, source
FROM (SELECT extract(year FROM date)::int AS y, min(date) AS first, max(date) AS last, min(source) AS source
      FROM market_days WHERE is_session AND source NOT LIKE 'import%' AND source NOT LIKE 'nse_archive%'
      GROUP BY 1) years
"""
_LISTED = """
INSERT INTO market_years (year, first, last, source)
SELECT extract(year FROM date)::int AS y, make_date(extract(year FROM date)::int, 1, 1),
       make_date(extract(year FROM date)::int, 12, 31), min(source)
FROM market_days WHERE NOT is_session AND kind = 'holiday' AND extract(isodow FROM date) < 6
AND source LIKE 'import%'
GROUP BY 1, 2, 3 HAVING count(*) >= 5 AND max(date) - min(date) >= 180
ON CONFLICT (year) DO NOTHING
"""
_WEEKDAYS = """
INSERT INTO market_days (date, kind, is_session, open, close, source)
SELECT day::date, 'normal', true, '09:15', '15:30', 'weekday of a year whose holidays are listed'
FROM market_years, generate_series(first, last, interval '1 day') day
WHERE source LIKE 'import%' AND extract(isodow FROM day) < 6
ON CONFLICT (date) DO NOTHING
"""


def record_covered_years(apps, schema_editor):
    for statement in (_COMPLETE, _LISTED, _WEEKDAYS):
        schema_editor.execute(statement, None)


def forget_weekdays(apps, schema_editor):
    days = apps.get_model("market_data", "MarketDay").objects.using(schema_editor.connection.alias)
    days.filter(source="weekday of a year whose holidays are listed").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("market_data", "0016_calendar_years"),
    ]

    operations = [migrations.RunPython(record_covered_years, forget_weekdays)]
