"""An account as it stands at a session's opening, from its ledger."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from portfolio.accounts.readings import postings_of
from portfolio.ledger.postings import CHARGE, CORRECTION, DP_CHARGE, FILL, Posting
from portfolio.models import TradingAccount
from portfolio.trading.account import Account, Rules

_OF_THE_SESSION: Final = (FILL, CHARGE, DP_CHARGE)


def opening_account(account: TradingAccount, rules: Rules, sessions: Sequence[date], at: int) -> Account:
    """The account before its trades of a session, after that day's splits, bonuses and payments.

    Parameters
    ----------
    sessions, at : the market's sessions, and which of them it is: by them is told what was bought the session before

    Notes
    -----
    However much of the session is done already, it is the same account: a session that was interrupted is carried out
    from its start, and what is done is found done.
    """
    session = sessions[at]
    before = [posting for posting in postings_of(account, session) if not _is_of_trades(posting, session)]
    shares: Counter[str] = Counter()
    for posting in before:
        shares[posting.symbol] += posting.quantity
    bought = {posting.symbol: posting.day for posting in before if posting.kind == FILL and posting.quantity > 0}
    yesterday = sessions[at - 1] if at else None
    held = {symbol: Decimal(quantity) for symbol, quantity in shares.items() if symbol and quantity > 0}
    return Account(
        rules,
        sum((posting.amount for posting in before), Decimal(0)),
        holdings=held,
        bought={symbol: at - 1 if bought.get(symbol) == yesterday else at - 2 for symbol in held},
    )


def _is_of_trades(posting: Posting, session: date) -> bool:
    """Whether it follows from a trade of the session: a fill, a charge, or what sets one right."""
    is_of_them = posting.kind in _OF_THE_SESSION or (posting.kind == CORRECTION and "#" in posting.reference)
    return posting.day == session and is_of_them
