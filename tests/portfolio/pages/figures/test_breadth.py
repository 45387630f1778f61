"""Moves and sectors: unknown values are not counted."""

import numpy as np
import pandas as pd
import pytest

from portfolio.pages.figures import breadth


def test_moves_ignore_unknown_returns():
    moves = breadth.moves(pd.Series([1.0, -2.0, 0.0, np.nan, 3.0]))
    assert (moves.traded, moves.advances, moves.declines, moves.unchanged) == (4, 2, 1, 1)
    assert moves.median_pct == pytest.approx(0.5)
    assert moves.mean_pct == pytest.approx(0.5)
    assert moves.advances_share == 0.5


def test_moves_of_no_known_returns_are_none_and_not_zero():
    moves = breadth.moves(pd.Series([np.nan], dtype=float))
    assert moves.median_pct is None
    assert moves.mean_pct is None
    assert moves.advances_share is None


def test_sectors_come_largest_first():
    frame = pd.DataFrame(
        {
            "sector": ["Banks", None, "Realty", "Banks"],
            "market_cap": [10.0, np.nan, 500.0, np.nan],
            "turnover_lakh": [1.0, 2.0, 3.0, 4.0],
            "day": [1.0, 2.0, -1.0, 3.0],
        }
    )
    sectors = breadth.sectors(frame, ["day"])
    assert [sector.name for sector in sectors] == ["Realty", "Banks", breadth.NO_SECTOR]
    assert [sector.market_cap_crores for sector in sectors] == [500.0, 10.0, None]
    assert sectors[1].moves[0].median_pct == 2.0
    assert sectors[1].turnover_lakh == 5.0
