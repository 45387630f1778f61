"""The owner's permission to trade one strategy (or by hand) with real money on one account.

It is in force while its time lasts and release, account and strategy are what they were when it was given; else it
ends itself, and the row says why. Nothing here talks to a broker.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from portfolio.identity.proofs import missing_proof
from portfolio.live import installation
from portfolio.live.digests import account_digest, parameters_digest
from portfolio.live.release import release
from portfolio.models import LivePermission, Order, Strategy, TradingAccount, User
from portfolio.orders.projection import SENT

MOST_OF_REASON = 300


class NotGranted(Exception):
    """No permission is given; the sentence says why and what to do."""


@dataclass(frozen=True)
class Confirmation:
    """What the owner typed: the account's name, and the proof: the password again, or a code of the second factor."""

    account_name: str
    proof: str


def grant(
    account: TradingAccount,
    strategy: Strategy | None,
    by: User,
    confirmation: Confirmation,
    until: datetime,
    at: datetime,
) -> LivePermission:
    """Give permission to trade live; one that is in force for the same is replaced.

    Parameters
    ----------
    strategy : None: orders by hand
    until : at most LIVE_PERMISSION_DAYS ahead

    Raises
    ------
    NotGranted
        To anybody but the account's owner, without the typed name and the proof, for a time that is too long, or
        where the installation may not trade live.
    """
    account = TradingAccount.objects.select_related("configuration", "owner").get(pk=account.pk)
    if sentence := _not_granted(account, strategy, by, confirmation, until, at):
        raise NotGranted(sentence)
    with transaction.atomic():
        for row in _open_rows(account).filter(strategy=strategy):
            _end(row, at, f"{by.get_username()} gave a new one")
        return LivePermission.objects.create(
            account=account,
            strategy=strategy,
            given_by=by,
            given_at=at,
            until=until,
            release=release(),
            account_digest=account_digest(account),
            parameters_digest=parameters_digest(account, strategy),
        )


def end(account: TradingAccount, strategy: Strategy | None, by: str, reason: str, at: datetime) -> int:
    """End the permission of an account and strategy (None: by hand) and return how many ended: none or one."""
    rows = _open_rows(account).filter(strategy=strategy)
    return sum(_end(row, at, f"{by}: {reason}" if reason else by) for row in rows)


def end_all(account: TradingAccount, by: str, reason: str, at: datetime) -> int:
    """End every permission of an account and return how many did."""
    return sum(_end(row, at, f"{by}: {reason}" if reason else by) for row in _open_rows(account))


def permission_in_force(account: TradingAccount, strategy: Strategy | None, at: datetime) -> LivePermission | None:
    """Return the permission of an account to trade a strategy (None: by hand) at a moment; None where there is none.

    One that no longer holds is ended with its reason.
    """
    if not account.is_live or installation.refusals():
        return None
    row = _open_rows(account).filter(strategy=strategy).first()
    return row if row is not None and _holds(row, at) else None


def permissions_in_force(account: TradingAccount, at: datetime) -> list[LivePermission]:
    """Return all permissions of an account at a moment, the newest first, as `permission_in_force` does one."""
    if not account.is_live or installation.refusals():
        return []
    return [row for row in _open_rows(account) if _holds(row, at)]


def why_not_live(account: TradingAccount, strategy: Strategy | None, at: datetime) -> str:
    """Why a live account sends no order of a strategy (None: by hand) at a moment; empty where it does."""
    if sentences := installation.refusals():
        return f"live trading is refused here: {' '.join(sentences)}"
    if permission_in_force(account, strategy, at):
        return ""
    what = strategy.name if strategy else "orders by hand"
    last = LivePermission.objects.filter(account=account, strategy=strategy, ended_at__isnull=False).first()
    ended = f", it ended: {last.ended_by}" if last else ""
    return f"live trading is off for {what}{ended}; its owner turns it on"


def why_not_open(account: TradingAccount, at: datetime) -> str:
    """Why the broker of a live account is not even asked at a moment; empty where it is.

    Orders that may still be filled are looked after also when no permission is in force any more.
    """
    if sentences := installation.refusals():
        return f"Live trading is refused here: {' '.join(sentences)}"
    if not account.is_live or account.configuration is None:
        return f"{account.name} is no live account."
    if permissions_in_force(account, at):
        return ""
    if Order.objects.filter(account=account, status__in=SENT).exists():
        return ""
    return f"Live trading is off for {account.name}: its owner turns it on for one strategy, for a time."


def _open_rows(account: TradingAccount) -> "QuerySet[LivePermission]":
    return LivePermission.objects.filter(account=account, ended_at=None).select_related(
        "account__configuration", "strategy", "given_by"
    )


def _holds(row: LivePermission, at: datetime) -> bool:
    if reason := _why_ended(row, at):
        _end(row, at, reason)
        return False
    # A clock that was set back must not bring a permission to life before it was given.
    return row.given_at <= at


def _why_ended(row: LivePermission, at: datetime) -> str:
    if at >= row.until:
        return f"its time was over at {timezone.localtime(row.until):%Y-%m-%d %H:%M}"
    if not row.account.is_live:
        return "the account trades on paper"
    if row.release != release():
        return f"the release changed from {row.release} to {release()}"
    if row.account_digest != account_digest(row.account):
        return "the account changed"
    if row.parameters_digest != parameters_digest(row.account, row.strategy):
        return "the strategy or its terms changed"
    if not row.given_by.is_active or row.given_by_id != row.account.owner_id:
        return f"{row.given_by.get_username()} is no active owner of the account any more"
    return ""


def _end(row: LivePermission, at: datetime, reason: str) -> bool:
    rows = LivePermission.objects.filter(pk=row.pk, ended_at=None)
    return bool(rows.update(ended_at=at, ended_by=reason.replace("\0", "")[:MOST_OF_REASON]))


def _not_granted(
    account: TradingAccount,
    strategy: Strategy | None,
    by: User,
    confirmation: Confirmation,
    until: datetime,
    at: datetime,
) -> str:
    """Why nothing is granted; the proof is looked at last, and by nobody but the owner."""
    return (
        _not_the_owners(account, strategy, by)
        or " ".join(installation.refusals())
        or _not_the_time(until, at)
        or _not_typed(account, confirmation)
        or missing_proof(by, confirmation.proof, at)
    )


def _not_the_owners(account: TradingAccount, strategy: Strategy | None, by: User) -> str:
    if account.owner_id != by.pk or not by.is_active:
        return f"{account.name} is not your account: only its owner turns live trading on."
    if not account.is_live or account.configuration is None:
        return f"{account.name} is a paper account, which never trades live; make a live account for that."
    if not account.is_active or account.configuration.user_id != by.pk:
        return f"{account.name} is switched off, or its access is another person's; have the operator correct it."
    if strategy is not None and (not strategy.is_active or strategy.owner_id not in (None, by.pk)):
        return f"{strategy.name} is switched off, or another person's strategy; choose one of yours."
    return ""


def _not_the_time(until: datetime, at: datetime) -> str:
    latest = at + timedelta(days=settings.LIVE_PERMISSION_DAYS)
    if not at < until <= latest:
        return (
            f"It is given until {until:%Y-%m-%d %H:%M}; choose a time to come, at most {settings.LIVE_PERMISSION_DAYS}"
            f" days ahead ({timezone.localtime(latest):%Y-%m-%d %H:%M})."
        )
    return ""


def _not_typed(account: TradingAccount, confirmation: Confirmation) -> str:
    if confirmation.account_name != account.name:
        return f"The account's name was not typed as it is ({account.name}); type it to confirm."
    return ""
