"""Whole plans as text. TONNAGE_UPDATE_GOLDENS=1 writes them anew; read the difference before you commit it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.plans.scene import plan_of

from tonnage.views.text.plan import plan_text

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/scene.json"))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_plan_reads_as_it_did(case: Path) -> None:
    text = plan_text(plan_of(case)) + "\n"
    golden = case / "plan.txt"
    if os.environ.get("TONNAGE_UPDATE_GOLDENS"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_plan_made_twice_is_the_same_plan(case: Path) -> None:
    assert plan_of(case) == plan_of(case)
