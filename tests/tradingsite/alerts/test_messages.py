"""What a message says: grouped, bounded, Indian time, no secrets."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tradingsite.alerts.messages import Notice, alert_message

BEGAN = datetime(2026, 4, 30, 16, 5, tzinfo=UTC)


def news(title: str, over: bool = False, remedy: str = "") -> Notice:
    return Notice(title, remedy, BEGAN, BEGAN + timedelta(minutes=40) if over else None)


def test_troubles_come_first_and_times_are_indian():
    message = alert_message([news("Disk full.", over=True), news("Job late.", remedy="Start it.")], "Site")
    assert message.subject == "Site: 1 open, 1 resolved"
    assert message.text.splitlines() == [
        "Site: 1 open, 1 resolved",
        "PROBLEM since 30 Apr 21:35: Job late. What to do: Start it.",
        "RESOLVED at 30 Apr 22:15 (since 30 Apr 21:35): Disk full.",
    ]


def test_secrets_in_a_reason_are_redacted():
    text = alert_message([news("failed: postgresql://trader:s3cret@db/x and password='hidden!!'")], "Site").text
    assert "s3cret" not in text
    assert "hidden" not in text


@settings(max_examples=20)
@given(st.lists(st.tuples(st.text(max_size=800), st.booleans()), min_size=1, max_size=60))
def test_a_storm_is_one_message_of_bounded_length(items: list[tuple[str, bool]]):
    message = alert_message([news(title, over) for title, over in items], "Site")
    assert len(message.text) < 3700
    lines = message.text.splitlines()
    reported = [line for line in lines if line.startswith(("PROBLEM", "RESOLVED"))]
    omitted = int(lines[-1].split()[2]) if lines[-1].startswith("… and") else 0
    assert len(reported) + omitted == len(items)
    assert "\n" not in message.subject
