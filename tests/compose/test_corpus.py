"""Compose files are read as Compose reads them: held to what was recorded of it, case by case (``cases.py``)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from tests.compose.cases import NEWER, OLDER, cases, differences, recorded
from tests.compose.reading import read

from tonnage.errors import UsageError

if TYPE_CHECKING:
    from tests.compose.cases import Case

CASES = cases()
RECORDED = {kind: recorded(kind) for kind in {case.kind for case in CASES}}
REFUSED = "refused"
_PLACE = re.compile(r"/above/project/.+")


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.kind}/{case.name}") for case in CASES])
def test_a_case_is_read_as_compose_reads_it_or_refused_by_both(case: Case) -> None:
    wrong = fault(case)
    if wrong:
        pytest.fail(wrong, pytrace=False)


def fault(case: Case) -> str:
    """Return what is wrong with how a case is read; empty where nothing is."""
    right = RECORDED[case.kind][case.name][NEWER]
    try:
        own = read(case)
    except UsageError as error:
        if REFUSED not in right and not (case.own and case.own in str(error)):
            return f"Compose takes this: {error}"
        return "" if _is_placed(error) and _is_explained(error) else f"a refusal says too little: {error}"
    if REFUSED in right:
        return f"Compose refuses this: {right[REFUSED]}"
    return "\n".join(differences(own, right)) or ("it is not refused by a rule of its own" if case.own else "")


def _is_placed(error: UsageError) -> bool:
    # What comes from the environment is written in no file.
    return _PLACE.match(error.place) is not None or "COMPOSE_PROJECT_NAME" in error.todo


def _is_explained(error: UsageError) -> bool:
    return bool(error.why or error.todo or error.expected)


def test_where_two_versions_of_compose_differ_a_case_says_why() -> None:
    differing = {case.name for case in CASES if OLDER in RECORDED[case.kind][case.name]}
    assert not [case.name for case in CASES if case.name in differing and not case.note]
    assert {case.note for case in CASES} - {""} == {case.note for case in CASES if case.name in differing}


def test_the_corpus_is_large_and_its_recordings_name_no_machine() -> None:
    assert len(CASES) >= 400
    assert {(kind, name, each["of"]) for kind, names in RECORDED.items() for name, each in names.items()} == {
        (case.kind, case.name, case.digest) for case in CASES
    }
    assert not re.search(r"/tmp|/var/|/root|0x[0-9a-f]{6}", json.dumps(RECORDED))
