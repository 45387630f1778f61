"""How many examples a property that costs more than most is tried with: a share of the hypothesis profile in use."""

from hypothesis import settings


def examples(share: float) -> settings:
    """Settings with a share of the profile's examples, at least five.

    The profiles are in `conftest.py`; `--hypothesis-profile=long` tries twenty times as many as the default one.
    """
    return settings(max_examples=max(5, int(settings().max_examples * share)))
