import pytest

from ml.registry import acceptance


@pytest.mark.parametrize(
    ("mean", "is_calibrated", "reason"),
    [
        (0.001, True, ""),
        (0.0, True, "On 240 sessions it had not seen, its rank correlation was +0.000: not above 0."),
        (-0.02, True, "On 240 sessions it had not seen, its rank correlation was -0.020: not above 0."),
        (None, False, "No session with known outcomes could be predicted before this one."),
        (0.05, False, "Only 240 sessions with known outcomes could be predicted before this one; 40 are needed"),
    ],
)
def test_only_a_calibrated_model_with_a_rank_correlation_above_zero_is_accepted(mean, is_calibrated, reason):
    is_accepted, text = acceptance({"rank_ic": {"mean": mean, "days": 240}}, is_calibrated=is_calibrated)
    assert is_accepted is (reason == "")
    assert text.startswith(reason)
    assert bool(text) is not is_accepted
