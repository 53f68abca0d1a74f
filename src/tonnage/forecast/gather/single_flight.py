"""Questions that several threads ask at the same time, and that are answered once."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Answer = TypeVar("_Answer")


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
