import numpy as np
import pandas as pd

from ml.features.contract import CONTRACT_FEATURES, CONTRACT_INDICATORS, contract_features
from tests.ml.markets import market


def test_the_contracts_features_are_all_there():
    bars = market(shares=2, days=3)
    indicators = bars[["symbol", "date"]].assign(**dict.fromkeys(CONTRACT_INDICATORS, 2.0))
    indicators["sma_200"] = [0.0, 4.0, np.nan, 4.0, 4.0, 4.0]
    facts = pd.DataFrame({"symbol": ["S001"], "date": [bars["date"].iloc[1]], "roe": [17.0], "market_cap": [950.0]})
    rows = contract_features(bars, indicators, facts)
    assert list(rows.columns) == ["symbol", "date", *CONTRACT_FEATURES]
    assert len(CONTRACT_FEATURES) == 28
    assert rows["roe"].tolist()[4] == 17.0
    assert rows["roe"].notna().sum() == 1  # a dated fact belongs to its date only
    assert rows["market_cap"].notna().sum() == 1
    assert rows["pe_ratio"].isna().all()
    assert rows["sma_ratio"].isna().tolist() == [True, False, True, False, False, False]
    assert rows["ema_diff"].eq(0).all()
    np.testing.assert_allclose(rows["price_vs_sma50"], bars["close"] / 2)


def test_levels_are_in_rupees_of_their_day():
    """A split that is still to come changes the factor of every bar before it, and nothing else."""
    bars = market(shares=2, days=30)
    indicators = bars[["symbol", "date"]].assign(**dict.fromkeys(CONTRACT_INDICATORS, 1.0))
    known = bars[["symbol", "date"]]
    before, after = (contract_features(bars.assign(factor=factor), indicators, known) for factor in (1.0, 0.1))
    pd.testing.assert_frame_equal(before, after, check_exact=True)
