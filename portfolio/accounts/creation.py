"""Makes trading accounts: on paper for everybody, with real money for the owner of an access to a broker."""

from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from brokers.charges import BROKERS
from brokers.models import BrokerConfiguration
from portfolio.models import TradingAccount, User

SIMULATOR: Final = "simulator"
LIVE_BROKERS: Final = tuple(name for name in BROKERS if name != SIMULATOR)


class NotCreated(ValueError):
    """No account was made; the sentence says why and what to do."""


@dataclass(frozen=True)
class Wanted:
    """An account to be: `broker` of a live one, `charges_of` of one on paper; the other follows."""

    name: str
    kind: str
    broker: str = ""
    charges_of: str = ""
    demat_id: str = ""


def create_account(owner: User, wanted: Wanted) -> TradingAccount:
    """Make an account. A live one is of the owner's own access to the broker, and trades nothing until it is turned on.

    Raises
    ------
    NotCreated
        A name that is taken, a broker that is none, or no access of the owner to it.
    """
    is_live = wanted.kind == TradingAccount.AccountKind.LIVE
    broker = wanted.broker or ("" if is_live else SIMULATOR)
    charges_of = wanted.charges_of or (broker if is_live else "zerodha")
    if sentence := _not_created(is_live, broker, charges_of):
        raise NotCreated(sentence)
    access = BrokerConfiguration.objects.filter(user=owner, broker=broker).first() if is_live else None
    if is_live and access is None:
        raise NotCreated(
            f"{owner} has no access to {broker}: enter it first (Broker configurations, or the page Brokers)."
        )
    account = TradingAccount(
        owner=owner,
        name=wanted.name.strip(),
        kind=wanted.kind,
        broker=broker,
        charges_of=charges_of,
        configuration=access,
        demat_id=wanted.demat_id,
    )
    try:
        account.full_clean(validate_constraints=False)
        with transaction.atomic():
            account.save()
    except ValidationError as error:
        raise NotCreated(" ".join(error.messages)) from None
    except IntegrityError:
        raise NotCreated(f"{owner} has an account {wanted.name!r}: give it another name.") from None
    return account


def _not_created(is_live: bool, broker: str, charges_of: str) -> str:
    if is_live and broker not in LIVE_BROKERS:
        return f"A live account needs a broker, and {broker!r} is none: choose {' or '.join(LIVE_BROKERS)}."
    if not is_live and broker != SIMULATOR:
        return f"A paper account is the simulator's, not {broker}'s: leave the broker out; name whose charges it takes."
    if charges_of not in LIVE_BROKERS:
        return f"{charges_of!r} has no charges of its own: choose {' or '.join(LIVE_BROKERS)}."
    return ""
