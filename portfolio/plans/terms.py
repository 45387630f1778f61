"""On which terms an account trades its strategy."""

from portfolio.models import TradedStrategy
from portfolio.plans.estimate import Terms
from portfolio.strategy_parameters import DEFAULTS
from portfolio.trading.account import Rules
from portfolio.trading.sizing import Sizing


def terms_of(traded: TradedStrategy) -> Terms:
    """The terms of a traded strategy; what it leaves out has its default.

    A replay may also leave charges or impact out, and let proceeds be usable at once.
    """
    given = {**DEFAULTS, "charges": True, "impact": True, "settlement": "real", **traded.terms}
    broker = traded.account.charges_of if given["charges"] else None
    sizing = Sizing(whole=True, reserve=given["charges"])
    rules = Rules(sizing, broker, given["impact"], given["settlement"] == "real")
    return Terms(given["holdings"], given["keep"], given["every"], given["reweigh"], rules)
