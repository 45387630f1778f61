"""Whether an account's shares can be sold without its owner, as the broker says."""

from brokers.models import BrokerConfiguration
from brokers.protocol import SellAuthorisation
from portfolio.models import TradingAccount


def record_right_to_sell(access: BrokerConfiguration, answer: SellAuthorisation | None) -> None:
    """Keep what a broker answered of an access with its accounts; where it does not say, what was known stays."""
    if answer in (SellAuthorisation.STANDING, SellAuthorisation.PER_DAY):
        TradingAccount.objects.filter(configuration=access).update(sell_authorisation=answer.value)
