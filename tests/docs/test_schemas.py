"""The schemas are those of the types, and forms are as they say. What commands print is compared in their own tests."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from tests.docs.schemas import DIRECTORY, texts
from tests.docs.test_json_forms import documented_forms
from tests.docs.valid_forms import complaints
from tests.unit.views.samples import EVENTS, PLAN, RUN

from tonnage.errors import UsageError
from tonnage.views.json.forms import EVENT_NAMES, FORMAT, document, event_form, plan_form, run_form
from tonnage.views.json.schemas import DOCUMENTS
from tonnage.views.json.schemas import EVENTS as DOCUMENTED_EVENTS
from tonnage.views.text.error import failure_form

TEXTS = texts()
PAGE = (DIRECTORY.parent / "json.md").read_text()


def test_the_files_are_those_of_the_types() -> None:
    assert {file.name for file in DIRECTORY.iterdir()} == set(TEXTS)
    for name, text in TEXTS.items():
        assert (DIRECTORY / name).read_text() == text, "python -m tests.docs.schemas"


@pytest.mark.parametrize("name", TEXTS)
def test_a_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(TEXTS[name]))


def test_every_document_and_event_of_the_page_has_a_schema() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| ", PAGE.split("## Parts")[0], re.MULTILINE)
    assert sorted([*rows, "run"]) == sorted([*DOCUMENTS, *DOCUMENTED_EVENTS])
    assert set(DOCUMENTED_EVENTS) == {*EVENT_NAMES.values(), "error"}


def test_samples_of_documents_are_valid() -> None:
    for name, form in documented_forms().items():
        assert complaints(document(name, form)) == []
    assert complaints(document("run", run_form(RUN))) == []


def test_events_are_valid() -> None:
    for each in EVENTS:
        assert complaints({**event_form(each), "at_s": 0.5}) == []
    assert complaints({"format": FORMAT, "event": "error", **failure_form(UsageError("it is wrong"))}) == []


def test_what_is_not_documented_is_found() -> None:
    form: Any = document("plan", plan_form(PLAN))
    assert complaints(form) == []
    assert complaints({**form, "more": 1})
    assert complaints({**form, "available_bytes": "9 GB"})
    del form["steps"]
    assert complaints(form)
