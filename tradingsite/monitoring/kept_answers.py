"""Answers that are kept for a second, because strangers may ask for them as often as they like."""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, ParamSpec, TypeVar

KEPT_SECONDS: Final = 1.0

Question = ParamSpec("Question")
Answer = TypeVar("Answer")


class Kept(Generic[Question, Answer]):
    """A function whose answer to a question is reused for a second; of many threads that ask at once, one computes."""

    def __init__(self, answer: Callable[Question, Answer]) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self._answers: dict[object, tuple[float, Answer]] = {}

    def __call__(self, *question: Question.args, **more: Question.kwargs) -> Answer:
        key = (question, tuple(sorted(more.items())))
        with self._lock:
            kept = self._answers.get(key)
            if kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS:
                return kept[1]
            answer = self._answer(*question, **more)
            self._answers[key] = time.monotonic(), answer
            return answer

    def forget(self) -> None:
        """Compute the next answer anew."""
        self._answers.clear()
