from django.db import migrations

_NUMBER = """
WITH moments AS (
    SELECT r.id, r.sequence, min(coalesce(s.ended_at, r.started_at, r.created_at)) AS first_at,
        max(coalesce(s.ended_at, r.ended_at, r.created_at)) AS last_at
    FROM pipeline_runs r
    JOIN pipeline_execution_tracking s ON s.run_id = r.id AND (s.status = 'completed' OR s.watermark <> '')
    GROUP BY r.id, r.sequence
), numbered AS (
    SELECT m.id, row_number() OVER (ORDER BY m.last_at, m.sequence) AS last_commit,
        (SELECT count(*) FROM moments earlier WHERE earlier.last_at < m.first_at) AS first_commit
    FROM moments m
)
UPDATE pipeline_runs r SET last_commit = n.last_commit, first_commit = n.first_commit
FROM numbered n WHERE n.id = r.id
"""


class Migration(migrations.Migration):
    """Earlier runs are ordered by when their last committed step ended."""

    dependencies = [
        ("market_data", "0012_runs_number_their_commits"),
    ]

    operations = [migrations.RunSQL(_NUMBER, migrations.RunSQL.noop)]
