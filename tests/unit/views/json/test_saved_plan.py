from __future__ import annotations

import json

import pytest
from tests.unit.views.samples import PLAN

from tonnage.errors import UsageError
from tonnage.views.json.forms import document, plan_form
from tonnage.views.json.saved_plan import read_plan, save_plan


def test_a_plan_is_read_back_as_it_was_saved() -> None:
    assert read_plan(save_plan(PLAN)) == PLAN


def test_the_same_plan_is_always_the_same_text() -> None:
    assert save_plan(PLAN) == save_plan(read_plan(save_plan(PLAN)))


@pytest.mark.parametrize("text", ["", "services:\n  web: {}\n", "[]", "7", "null", "{}", '{"document": "something"}'])
def test_what_is_no_plan_file_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(UsageError, match="not a plan file") as caught:
        read_plan(text, place="other.json")

    assert caught.value.place == "other.json"
    assert "\n  tonnage plan --out plan.json" in caught.value.todo


def test_a_plan_as_it_is_shown_is_told_from_a_plan_file() -> None:
    with pytest.raises(UsageError, match="as it is shown"):
        read_plan(json.dumps(document("plan", plan_form(PLAN))))


def test_a_plan_file_of_another_format_is_refused() -> None:
    saved = json.loads(save_plan(PLAN))
    saved["format"] = 1

    with pytest.raises(UsageError, match="has format 1, and this version of Tonnage reads format 2"):
        read_plan(json.dumps(saved))


def test_a_damaged_plan_file_is_refused_with_the_damaged_part() -> None:
    saved = json.loads(save_plan(PLAN))
    saved["plan"]["steps"][1]["action"]["type"] = "explode"

    with pytest.raises(UsageError, match="damaged") as caught:
        read_plan(json.dumps(saved))

    assert "steps" in caught.value.why
