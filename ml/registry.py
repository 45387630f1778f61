"""Which fitted models may be used for picks; pure."""

from typing import Any

from ml.learning.calibration import FEWEST_SESSIONS


def acceptance(metrics: dict[str, Any], *, is_calibrated: bool) -> tuple[bool, str]:
    """Whether a bundle may be used for picks, by the figures of its walk-forward, and if not the reason.

    Its rank correlation on sessions that it had not seen must be above 0. A stricter limit would depend on the luck of
    one year: the interval over 240 overlapping sessions is about ±0.04.
    """
    ranking = metrics["rank_ic"]
    if ranking["mean"] is None:
        return False, "No session with known outcomes could be predicted before this one."
    if not is_calibrated:
        return False, (
            f"Only {ranking['days']} sessions with known outcomes could be predicted before this one;"
            f" {FEWEST_SESSIONS} are needed to calibrate its figures. Load more history."
        )
    if ranking["mean"] <= 0:
        return False, (
            f"On {ranking['days']} sessions it had not seen, its rank correlation was {ranking['mean']:+.3f}: not"
            " above 0."
        )
    return True, ""
