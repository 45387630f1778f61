"""The phases of a trading day by date: when which orders can be entered; pure.

A phase holds from its opening up to, not including, its end. Between two phases nothing can be entered. The rules are
rows of `trading_phases`, which an operator imports; the built-in ones are here. A session that is none of the normal
ones (Muhurat, special, test) trades continuously during its own hours, those of `market_days`. All times are IST.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

IST: Final = ZoneInfo("Asia/Kolkata")
AUCTION_SINCE: Final = date(2026, 8, 3)
"""Since then shares with derivatives close by an auction."""

_RULES_SINCE: Final = date(2016, 1, 1)
"""The seeded calendar begins here; the first hours below are older."""

_ONE_DAY: Final = timedelta(days=1)
NORMAL: Final = "normal"
ORDER_TYPES: Final = ("market", "limit", "sl", "sl-m")


class PhaseError(ValueError):
    """Rows contradict each other or leave something out, or no row speaks of a day; the sentence says what to do."""


class Phase(StrEnum):
    """A part of the trading day in which orders can be entered."""

    PRE_OPEN = "pre_open"
    CONTINUOUS = "continuous"
    CLOSING_AUCTION = "closing_auction"
    POST_CLOSE = "post_close"


class Shares(StrEnum):
    """The shares that a rule is about: all, those with derivatives, or the others."""

    ALL = "all"
    DERIVATIVES = "derivatives"
    OTHERS = "others"


@dataclass(frozen=True)
class PhaseRule:
    """A phase of some shares from one day to another (None: until further notice), and what can be entered in it."""

    phase: Phase
    shares: Shares
    first: date
    last: date | None
    opens: time
    closes: time
    order_types: tuple[str, ...] = ORDER_TYPES
    source: str = "built in"

    @property
    def hours(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"

    @property
    def words(self) -> str:
        return self.phase.replace("_", " ")

    def is_in_force(self, day: date) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)

    def is_about(self, shares: Shares) -> bool:
        return self.shares in (Shares.ALL, shares)


@dataclass(frozen=True)
class SessionDay:
    """A day of the calendar: its kind, whether it is a session, and its hours where they are known."""

    day: date
    kind: str
    is_session: bool
    opens: time | None = None
    closes: time | None = None


def _built_in() -> tuple[PhaseRule, ...]:
    before = AUCTION_SINCE - _ONE_DAY
    return (
        PhaseRule(Phase.PRE_OPEN, Shares.ALL, _RULES_SINCE, None, time(9), time(9, 8)),
        PhaseRule(Phase.CONTINUOUS, Shares.ALL, _RULES_SINCE, before, time(9, 15), time(15, 30)),
        PhaseRule(Phase.CONTINUOUS, Shares.OTHERS, AUCTION_SINCE, None, time(9, 15), time(15, 30)),
        PhaseRule(Phase.CONTINUOUS, Shares.DERIVATIVES, AUCTION_SINCE, None, time(9, 15), time(15, 15)),
        PhaseRule(
            Phase.CLOSING_AUCTION,
            Shares.DERIVATIVES,
            AUCTION_SINCE,
            None,
            time(15, 15),
            time(15, 35),
            ("market", "limit"),
        ),
        PhaseRule(Phase.POST_CLOSE, Shares.ALL, _RULES_SINCE, before, time(15, 40), time(16)),
        PhaseRule(Phase.POST_CLOSE, Shares.ALL, AUCTION_SINCE, None, time(15, 50), time(16)),
    )


BUILT_IN: Final = _built_in()


def phase_at(
    moment: datetime, *, has_derivatives: bool, day: SessionDay, rules: Sequence[PhaseRule] = BUILT_IN
) -> PhaseRule | None:
    """Return the phase of a moment (with a time zone) on a day of the calendar; None where nothing can be entered.

    Raises
    ------
    PhaseError
        When no row speaks of the day, or the hours of a session that is no normal one are not known.
    """
    local = moment.astimezone(IST)
    if not day.is_session or local.date() != day.day:
        return None
    shares = Shares.DERIVATIVES if has_derivatives else Shares.OTHERS
    clock = local.time()
    return next((rule for rule in day_phases(day, shares, rules) if rule.opens <= clock < rule.closes), None)


def day_phases(day: SessionDay, shares: Shares, rules: Sequence[PhaseRule] = BUILT_IN) -> list[PhaseRule]:
    """Return the phases of a session for shares with derivatives or the others, in their order; see `phase_at`."""
    if not day.is_session:
        return []
    if day.kind != NORMAL:
        if day.opens is None or day.closes is None:
            raise PhaseError(
                f"The hours of the {day.kind} session of {day.day} are not known: enter them in market_days."
            )
        return [PhaseRule(Phase.CONTINUOUS, shares, day.day, day.day, day.opens, day.closes, source="market_days")]
    in_force = [rule for rule in rules if rule.is_in_force(day.day) and rule.is_about(shares)]
    if not in_force:
        raise PhaseError(f"No row of trading_phases speaks of {day.day}; import one that does.")
    return sorted(in_force, key=lambda rule: rule.opens)


def faults_of(rules: Iterable[PhaseRule]) -> list[tuple[PhaseRule, str]]:
    """Return the rows that cannot stand beside the others, each with what is wrong; empty where the table is whole.

    Of shares with derivatives and of the others, no two rows of a phase share a day or leave days between them out, no
    two phases of a day share a minute, and continuous trading has no end.
    """
    rows = list(rules)
    faults = [(rule, reason) for rule in rows if (reason := _fault_of_one(rule))]
    if faults:
        return faults
    for shares in (Shares.DERIVATIVES, Shares.OTHERS):
        about = [rule for rule in rows if rule.is_about(shares)]
        for phase in Phase:
            faults += _faults_in_days([rule for rule in about if rule.phase is phase], shares)
        faults += _faults_in_hours(about)
        faults += _endless(about, shares)
    # A row about all shares would be named twice.
    return list(dict.fromkeys(faults))


def _fault_of_one(rule: PhaseRule) -> str:
    if rule.last is not None and rule.last < rule.first:
        return f"its last day {rule.last} lies before its first, {rule.first}"
    if rule.closes <= rule.opens:
        return f"it closes at {rule.closes:%H:%M} and opens at {rule.opens:%H:%M}"
    unknown = [name for name in rule.order_types if name not in ORDER_TYPES]
    if unknown or not rule.order_types:
        return f"its order types {' '.join(rule.order_types)!r} are not among {', '.join(ORDER_TYPES)}"
    return ""


def _faults_in_days(rows: list[PhaseRule], shares: Shares) -> list[tuple[PhaseRule, str]]:
    faults = []
    for earlier, later in pairwise(sorted(rows, key=lambda rule: rule.first)):
        if earlier.last is None or earlier.last >= later.first:
            until = f"until {earlier.last}" if earlier.last else "without an end"
            faults.append(
                (
                    later,
                    f"overlaps the {earlier.words} row of {earlier.shares} from {earlier.first}, which holds {until}",
                )
            )
        elif later.first - earlier.last > _ONE_DAY:
            gap = f"{earlier.last + _ONE_DAY} to {later.first - _ONE_DAY}"
            faults.append((later, f"leaves a gap: no {later.words} row of {shares} speaks of {gap}"))
    return faults


def _faults_in_hours(rows: list[PhaseRule]) -> list[tuple[PhaseRule, str]]:
    faults = []
    # What is in force changes on first days alone.
    for day in sorted({rule.first for rule in rows}):
        in_force = sorted((rule for rule in rows if rule.is_in_force(day)), key=lambda rule: (rule.opens, rule.phase))
        for earlier, later in pairwise(in_force):
            if later.opens < earlier.closes and later.phase is not earlier.phase:
                newer, other = (later, earlier) if later.first >= earlier.first else (earlier, later)
                faults.append((newer, f"its hours {newer.hours} overlap {other.words} {other.hours} on {day}"))
    return faults


def _endless(rows: list[PhaseRule], shares: Shares) -> list[tuple[PhaseRule, str]]:
    trading = [rule for rule in rows if rule.phase is Phase.CONTINUOUS]
    if not trading or any(rule.last is None for rule in trading):
        return []
    newest = max(trading, key=lambda rule: rule.first)
    return [(newest, f"leaves a gap: no continuous row of {shares} speaks of the days after {newest.last}")]
