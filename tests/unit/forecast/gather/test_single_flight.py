from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.forecast.gather.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_of_several_questions_only_those_are_asked_that_nobody_has_asked() -> None:
    once = SingleFlight()
    asked: list[Sequence[str]] = []

    def answer(questions: Sequence[str]) -> list[int]:
        asked.append(questions)
        return [len(each) for each in questions]

    assert once.ask_all(["a", "bcd", "a"], answer) == [1, 3, 1]
    assert once.ask_all(["bcd", "ef"], answer) == [3, 2]
    assert once.ask("ef", lambda: 7) == 2
    assert once.ask_all(["a", "ef"], answer) == [1, 2]
    assert asked == [["a", "bcd"], ["ef"]]


def test_what_fails_for_several_fails_for_everyone_who_asks() -> None:
    once = SingleFlight()

    def answer(questions: Sequence[str]) -> list[int]:
        raise OSError(", ".join(questions))

    with pytest.raises(OSError, match="a, b"):
        once.ask_all(["a", "b"], answer)
    with pytest.raises(OSError, match="a, b"):
        once.ask_all(["b"], lambda questions: [1 for _ in questions])
