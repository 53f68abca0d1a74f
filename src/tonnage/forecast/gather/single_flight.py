"""Questions that several threads ask at the same time, and that are answered once."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Answer = TypeVar("_Answer")
_Question = TypeVar("_Question")


class SingleFlight:
    """Answers each question once, also when several threads ask it at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[object, Future[Any]] = {}

    def ask(self, question: object, answer: Callable[[], _Answer]) -> _Answer:
        """Return the answer to a question, asking when nobody has.

        Args:
            question: What tells questions apart.
            answer: Finds the answer; what it raises is raised for everyone who asks.
        """
        with self._lock:
            future = self._answers.get(question)
            mine = future is None
            if future is None:
                future = self._answers[question] = Future()
        if mine:
            try:
                future.set_result(answer())
            except BaseException as error:  # noqa: BLE001 - it is raised below, for everyone who asked
                future.set_exception(error)
        found: _Answer = future.result()
        return found

    def ask_all(
        self, questions: Sequence[_Question], answer: Callable[[Sequence[_Question]], Sequence[_Answer]]
    ) -> list[_Answer]:
        """Return the answers to several questions, asking those together that nobody has asked.

        Args:
            answer: Finds the answers, in the order of the questions; what it raises is raised for everyone who asks.
        """
        with self._lock:
            mine = [each for each in dict.fromkeys(questions) if each not in self._answers]
            self._answers |= {each: Future() for each in mine}
        if mine:
            try:
                for question, found in zip(mine, answer(mine), strict=True):
                    self._answers[question].set_result(found)
            except BaseException as error:  # noqa: BLE001 - as above
                for question in mine:
                    if not self._answers[question].done():
                        self._answers[question].set_exception(error)
        return [self._answers[each].result() for each in questions]
