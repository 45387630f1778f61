"""Whether a challenger is not worse than the champion and the baselines, by what each would have earned; pure.

On the same sessions and shares each ranking buys and sells by the report's rule (`evaluation.tranches`), after charges
and impact. The differences are paired day by day. The challenger has to be level at least with each rival in the mean:
the intervals are too wide for more, and stand beside it. Plain boosted trees are a baseline of the report alone: to fit
them for each judgement would take as long as the night.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ml.evaluation import figures
from ml.evaluation.numbers import interval, number
from ml.evaluation.tranches import Rule

WINDOW_SESSIONS = 250
FEWEST_SESSIONS = 120
# A look every week would promote by luck.
JUDGE_AGAIN_SESSIONS = 60
TRIED_SESSIONS = 250

CHAMPION, CHALLENGER = "champion", "challenger"

Figures = Mapping[str, Any]


def comparison_window(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the latest ``WINDOW_SESSIONS`` on which both recipes ranked a share whose outcome is known."""
    is_known = frame[[CHAMPION, CHALLENGER, "forward_return"]].notna().all(axis=1)
    positions = np.unique(frame.loc[is_known, "position"].to_numpy(dtype=np.int64))[-WINDOW_SESSIONS:]
    return frame[frame["position"].isin(positions)].reset_index(drop=True)


def comparison(frame: pd.DataFrame, baselines: Sequence[str], rule: Rule) -> dict[str, Any]:
    """Compare a challenger with the champion and baselines on a ``comparison_window``.

    Parameters
    ----------
    frame
        Sorted by position and symbol: position, symbol, date, forward_return (NaN where unknown),
        median_turnover_lakh, and a column of scores each for champion, challenger and baselines.

    Returns
    -------
    dict
        Plain JSON: sessions, first, last; net_excess_pct (name → mean and 90 % interval, percent a year over the
        equal-weight universe) and differences_pct (rival → the challenger's less the rival's, paired). A rival that
        could rank fewer than ``FEWEST_SESSIONS`` of them is in neither but in ``left_out``.
    """
    net = {
        name: figures.daily_money(frame.assign(score=frame[name]), rule)["net_excess"]
        for name in (CHALLENGER, CHAMPION, *baselines)
    }
    pairs = {name: (net[CHALLENGER] - net[name]).dropna() for name in (CHAMPION, *baselines)}
    rivals = [name for name, pair in pairs.items() if len(pair) >= FEWEST_SESSIONS]
    return {
        "sessions": int(frame["position"].nunique()),
        "first": frame["date"].min().date().isoformat(),
        "last": frame["date"].max().date().isoformat(),
        "net_excess_pct": {name: figures.yearly_pct(net[name]) for name in (CHALLENGER, *rivals)},
        "differences_pct": {name: figures.yearly_pct(pairs[name]) for name in rivals},
        "left_out": [name for name in pairs if name not in rivals],
    }


def is_compared(content: Figures) -> bool:
    """Whether there were sessions enough to compare with the champion itself."""
    return CHAMPION in content["differences_pct"]


def better_rivals(content: Figures) -> list[str]:
    """Rivals that earned more than the challenger."""
    return [name for name, row in content["differences_pct"].items() if row["mean"] < 0]


def judgement_sentences(content: Figures, champion: str, challenger: str, tried_before: int) -> str:
    """What was decided and why; ``champion`` and ``challenger`` are their names."""
    names = {name: f"the baseline {name.replace('_', ' ')}" for name in content["differences_pct"]} | {
        CHAMPION: champion
    }
    better = [names[name] for name in better_rivals(content)]
    decided = f"{challenger} replaces {champion}: it earned no less than any of its rivals."
    if better:
        decided = f"{champion} stays: {challenger} earned less than {' and '.join(better)}."
    pairs = [f"{_pct(row)} against {names[name]}" for name, row in content["differences_pct"].items()]
    span = f"{content['sessions']} sessions from {content['first']} to {content['last']}"
    sentences = [decided, f"After costs, on {span}: {', '.join(pairs)}."]
    if content["left_out"]:
        sentences.append(f"Too few sessions for the baseline {', '.join(content['left_out']).replace('_', ' ')}.")
    many = {0: "No challenger was", 1: "1 challenger was"}.get(tried_before, f"{tried_before} challengers were")
    return " ".join([*sentences, f"{many} tried in the {TRIED_SESSIONS} sessions before."])


def too_few_sentences(sessions: int, champion: str, challenger: str) -> str:
    """That no comparison was possible."""
    return (
        f"{champion} stays: {challenger} and it both have predictions of {sessions} sessions whose outcome is known;"
        f" a comparison needs {FEWEST_SESSIONS}."
    )


def _pct(row: Figures) -> str:
    return f"{number(row['mean'], 1, signed=True)} % a year {interval(row, signed=True)}"
