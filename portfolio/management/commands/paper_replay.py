"""`manage.py paper_replay`: a list's past places, played on paper."""

from portfolio.management.commands import backtest
from portfolio.paper.replay import paper_replay


class Command(backtest.Command):
    help = (
        "Play a list's past places through plan, checks, sender, simulated broker and ledger, on a paper account of its"
        " own, and print what it came to: what `backtest` prints."
    )
    content = staticmethod(paper_replay)
