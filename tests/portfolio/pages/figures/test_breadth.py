"""Moves and sectors: what is not known counts nowhere."""

import numpy as np
import pandas as pd
import pytest

from portfolio.pages.figures import breadth


def test_moves_leave_out_what_is_not_known():
    found = breadth.moves(pd.Series([1.0, -2.0, 0.0, np.nan, 3.0]))
    assert (found.known, found.advances, found.declines, found.unchanged) == (4, 2, 1, 1)
    assert found.median_pct == pytest.approx(0.5)
    assert found.mean_pct == pytest.approx(0.5)
    assert found.advances_share == 0.5


def test_nothing_known_is_none_and_not_zero():
    found = breadth.moves(pd.Series([np.nan], dtype=float))
    assert found.median_pct is None
    assert found.mean_pct is None
    assert found.advances_share is None


def test_sectors_come_largest_first_and_unknown_ones_by_name():
    frame = pd.DataFrame(
        {
            "sector": ["Banks", None, "Realty", "Banks"],
            "market_cap": [10.0, np.nan, 500.0, np.nan],
            "turnover_lakh": [1.0, 2.0, 3.0, 4.0],
            "day": [1.0, 2.0, -1.0, 3.0],
        }
    )
    found = breadth.sectors(frame, ["day"])
    assert [sector.name for sector in found] == ["Realty", "Banks", breadth.NO_SECTOR]
    assert [sector.market_cap_crores for sector in found] == [500.0, 10.0, None]
    assert found[1].moves[0].median_pct == 2.0
    assert found[1].turnover_lakh == 5.0
