"""The tables of people: accounts, tokens, strategies, orders, ledger, plans, backtests. Money owed is ``numeric``."""

from portfolio.models.backtests import Backtest as Backtest
from portfolio.models.identity import RecoveryCode as RecoveryCode
from portfolio.models.identity import SecondFactor as SecondFactor
from portfolio.models.kill_switch import KillSwitch as KillSwitch
from portfolio.models.ledger import Difference as Difference
from portfolio.models.ledger import LedgerEntry as LedgerEntry
from portfolio.models.orders import Order as Order
from portfolio.models.orders import OrderAlarm as OrderAlarm
from portfolio.models.orders import OrderEvent as OrderEvent
from portfolio.models.orders import OrderIntent as OrderIntent
from portfolio.models.orders import Position as Position
from portfolio.models.orders import Trade as Trade
from portfolio.models.orders import TradingAccount as TradingAccount
from portfolio.models.people import Strategy as Strategy
from portfolio.models.people import User as User
from portfolio.models.people import strategy_kinds as strategy_kinds
from portfolio.models.tokens import ApiToken as ApiToken
from portfolio.models.tokens import Scope as Scope
from portfolio.models.trading import AccountLimits as AccountLimits
from portfolio.models.trading import LivePermission as LivePermission
from portfolio.models.trading import PaperVenue as PaperVenue
from portfolio.models.trading import Plan as Plan
from portfolio.models.trading import TradedStrategy as TradedStrategy
