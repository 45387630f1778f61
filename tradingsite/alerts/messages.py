"""What an alert says: plain lines, grouped into one message, bounded in length, without secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tradingsite.logs import without_secrets

_IST = ZoneInfo("Asia/Kolkata")
_LONGEST_LINE = 600
_LONGEST_TEXT = 3500  # Telegram takes 4096 characters, Slack more


@dataclass(frozen=True)
class Message:
    """A subject and a text, as every channel can carry them."""

    subject: str
    text: str


@dataclass(frozen=True)
class News:
    """What is to be said of one trouble; `over_at` is None while it lasts."""

    title: str
    remedy: str
    since: datetime
    over_at: datetime | None


def message_of(news: Sequence[News], system: str) -> Message:
    """Group news into one message, the open troubles first.

    Parameters
    ----------
    news : sequence of News
        At least one.
    system : str
        Which installation speaks.

    Returns
    -------
    Message
        At most 3,500 characters of text; what does not fit is counted.
    """
    open_ones = sorted((one for one in news if one.over_at is None), key=lambda one: one.since)
    over = sorted((one for one in news if one.over_at is not None), key=lambda one: one.since)
    counts = [f"{len(open_ones)} in trouble"] if open_ones else []
    counts += [f"{len(over)} over"] if over else []
    subject = f"{system}: {', '.join(counts)}"
    lines, length = [subject], len(subject)
    items = [*open_ones, *over]
    for number, one in enumerate(items):
        line = _line(one)
        if length + len(line) > _LONGEST_TEXT:
            lines.append(f"… and {len(items) - number} more; `./run.sh manage alerts` lists them.")
            break
        lines.append(line)
        length += len(line) + 1
    return Message(subject, "\n".join(lines))


def _line(one: News) -> str:
    if one.over_at is None:
        text = f"TROUBLE since {_moment(one.since)}: {one.title}" + (f" To do: {one.remedy}" if one.remedy else "")
    else:
        text = f"OVER at {_moment(one.over_at)} (since {_moment(one.since)}): {one.title}"
    text = " ".join(without_secrets(text).split())
    return text if len(text) <= _LONGEST_LINE else text[: _LONGEST_LINE - 1] + "…"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(_IST):%d %b %H:%M}"
