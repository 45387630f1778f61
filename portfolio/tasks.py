"""The queue's tasks: backtests, the evenings of accounts that trade, and what falls due in ledgers."""

from django.utils import timezone

from portfolio.backtest import job


def compute_backtest(backtest_id: int) -> None:
    """Compute a backtest if nobody else does, then queue the next one."""
    try:
        job.compute(backtest_id)
    finally:
        job.deliver_next()


def look_after_backtests() -> None:
    """Queue a backtest that waits, or whose worker died."""
    job.deliver_next()


def trade_evenings() -> int:
    """Let paper trade the sessions that have closed, and make the plans of published lists."""
    from portfolio.paper import evening  # slow, and every worker loads this module

    return evening.trade_evenings(timezone.now())


def post_ledgers() -> None:
    """Enter what is due into the ledgers of all accounts: events of the shares held, charges of the day's fills."""
    from portfolio.accounts import daily  # slow, and every worker loads this module

    daily.post_due(timezone.now())
