"""What may be asked: every pair of state and question, and what an order's events make askable."""

from itertools import product

import pytest

from portfolio.orders.asking import ASKABLE, Question, refusal
from portfolio.orders.projection import Pending, State
from tests.portfolio.orders.histories import Line, book, create, line, projected, sent

ALLOWED = {
    (State.CREATED, Question.QUEUE),
    (State.CREATED, Question.ABANDON),
    (State.QUEUED, Question.SEND),
    (State.QUEUED, Question.ABANDON),
    (State.UNKNOWN, Question.ABANDON),
    (State.OPEN, Question.CANCEL),
    (State.OPEN, Question.MODIFY),
    (State.OPEN, Question.ABANDON),
    (State.PARTLY_FILLED, Question.CANCEL),
    (State.PARTLY_FILLED, Question.MODIFY),
    (State.PARTLY_FILLED, Question.ABANDON),
}


@pytest.mark.parametrize(("state", "question"), list(product(State, Question)))
def test_each_question_is_asked_in_exactly_the_states_in_which_it_may(state: State, question: Question):
    sentence = refusal(question, state)
    if (state, question) in ALLOWED:
        assert sentence is None
    else:
        assert sentence
        assert sentence.startswith(f"An order that is {state} cannot be asked to {question}: ")
        assert sentence.endswith(".")


def test_each_question_has_a_rule_and_some_state():
    assert ASKABLE.keys() == set(Question)
    assert {question for _, question in ALLOWED} == set(Question)


@pytest.mark.parametrize(("state", "pending", "question"), list(product(State, Pending, Question)))
def test_only_a_modification_waits_for_what_is_pending(state: State, pending: Pending, question: Question):
    sentence = refusal(question, state, pending)
    if question == Question.MODIFY and state in (State.OPEN, State.PARTLY_FILLED):
        assert sentence == (
            f"An order whose {pending} is pending cannot be asked to modify: wait for its answer, or cancel it."
        )
    else:
        assert sentence == refusal(question, state)


@pytest.mark.parametrize(
    "lines",
    [
        [create(), line("queue"), line("send")],
        [create(), line("queue"), line("send"), line("no_answer")],
        [create(), line("queue"), line("send"), line("no_answer"), line("missing")],
        [create(), line("queue"), line("send"), line("reject", reason="RMS")],
        [*sent(), book("open")],
        [*sent(), book("cancelled")],
        [create(), line("queue"), line("refuse", checks=["kill_switch"])],
    ],
)
def test_what_was_sent_or_refused_is_never_sent_again(lines: list[Line]):
    order = projected(*lines)
    assert refusal(Question.SEND, order.state, order.pending)
    assert refusal(Question.QUEUE, order.state, order.pending)
