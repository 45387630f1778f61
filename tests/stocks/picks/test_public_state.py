"""What readers are told: every combination of stage, lists and abstention has a state and a whole sentence."""

from datetime import date, datetime
from itertools import product

import pytest

from stocks.picks.public_state import Abstention, Published, Stage, State, list_reason, picks_state

SESSION, BEFORE, AFTER = date(2026, 4, 30), date(2026, 4, 29), date(2026, 5, 4)
AT = datetime(2026, 5, 1, 2, 15)


def published(session: date = SESSION, picks: int = 50, **facts) -> Published:
    return Published(session, AFTER, AT, picks, **facts)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("expected_at", [None, AT])
@pytest.mark.parametrize("newest", [None, published(BEFORE), published(BEFORE, 0, abstention="data")])
def test_until_its_picks_are_published_a_session_is_being_made_or_has_none(stage, expected_at, newest):
    state = picks_state(SESSION, newest, stage, expected_at)
    assert state.state == (State.MAKING if stage in (Stage.RUNNING, Stage.COMING) else State.NONE)
    assert state.session == SESSION
    assert state.sentence.startswith("The picks of Thursday 30 April 2026 ")
    assert ("Until then the latest are those of Wednesday 29 April 2026." in state.sentence) == (newest is not None)
    if state.state is State.MAKING:
        assert ("about 1 May, 02:15 IST" in state.sentence) == (expected_at is not None)
    assert state.sentence.endswith(".")


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("session", [None, SESSION, BEFORE])
def test_published_picks_are_ready_whatever_is_worked_on(stage, session):
    state = picks_state(session, published(), stage)
    wanted = "The picks of Thursday 30 April 2026, for Monday 4 May 2026, were published on 1 May, 02:15 IST."
    assert (state.state, state.sentence) == (State.READY, wanted)
    doubtful = picks_state(session, published(is_doubtful=True), stage)
    assert (doubtful.state, "treat them with caution" in doubtful.sentence) == (State.READY, True)


@pytest.mark.parametrize("abstention", [*Abstention, "", "of a later release"])
def test_an_abstention_says_why(abstention):
    state = picks_state(SESSION, published(picks=0, abstention=abstention), Stage.UNKNOWN)
    assert state.state is State.NONE
    assert state.sentence.startswith("There are no picks of Thursday 30 April 2026: ")
    assert list_reason("growth", 0, abstention)


def test_before_everything_there_are_none():
    assert picks_state(None, None, Stage.UNKNOWN).state is State.NONE


def test_a_short_list_says_that_more_would_fit_and_a_full_one_nothing():
    reasons = [list_reason("growth", count, "") for count in (0, 1, 49, 50)]
    assert reasons == [
        "No share met the conditions of the growth strategy.",
        "1 share met the conditions of the growth strategy; a list holds up to 50.",
        "49 shares met the conditions of the growth strategy; a list holds up to 50.",
        "",
    ]


def test_nothing_is_said_twice():
    whys = {picks_state(SESSION, published(picks=0, abstention=code), Stage.UNKNOWN).sentence for code in Abstention}
    stages = {picks_state(SESSION, None, stage).sentence for stage in Stage}
    assert (len(whys), len(stages)) == (len(Abstention), len(Stage))
    assert not any(one in other for one, other in product(whys, stages))
