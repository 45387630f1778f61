"""A clock that stands still until it is set."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 4, 30, 4, 0, tzinfo=UTC)


class Clock:
    """What `timezone.now` answers."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)
