"""The text of an alert: plain lines, grouped into one message, bounded in length, without secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from brokers.redaction import without_secrets

_IST = ZoneInfo("Asia/Kolkata")
_LONGEST_LINE = 600
_LONGEST_TEXT = 3500  # Telegram takes 4096 characters, Slack more


@dataclass(frozen=True)
class Message:
    """A subject and a plain text, which every channel can carry."""

    subject: str
    text: str


@dataclass(frozen=True)
class Notice:
    """One trouble to report; `over_at` is None while it lasts."""

    title: str
    remedy: str
    since: datetime
    over_at: datetime | None


def alert_message(notices: Sequence[Notice], system: str) -> Message:
    """Group one or more notices of an installation into one message, the open troubles first.

    Its text has at most 3,500 characters; what does not fit is counted.
    """
    by_age = sorted(notices, key=lambda notice: notice.since)
    lasting = [notice for notice in by_age if notice.over_at is None]
    over = [notice for notice in by_age if notice.over_at is not None]
    counts = [f"{len(lasting)} open"] if lasting else []
    counts += [f"{len(over)} resolved"] if over else []
    subject = f"{system}: {', '.join(counts)}"
    lines, length = [subject], len(subject)
    for number, notice in enumerate([*lasting, *over]):
        line = _line(notice)
        if length + len(line) > _LONGEST_TEXT:
            lines.append(f"… and {len(notices) - number} more; `./run.sh manage alerts` lists them.")
            break
        lines.append(line)
        length += len(line) + 1
    return Message(subject, "\n".join(lines))


def _line(notice: Notice) -> str:
    if notice.over_at is None:
        text = f"PROBLEM since {_ist(notice.since)}: {notice.title}"
        text += f" What to do: {notice.remedy}" if notice.remedy else ""
    else:
        text = f"RESOLVED at {_ist(notice.over_at)} (since {_ist(notice.since)}): {notice.title}"
    text = " ".join(without_secrets(text).split())
    return text if len(text) <= _LONGEST_LINE else text[: _LONGEST_LINE - 1] + "…"


def _ist(at: datetime) -> str:
    return f"{at.astimezone(_IST):%d %b %H:%M}"
