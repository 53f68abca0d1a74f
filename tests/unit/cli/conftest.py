"""Every document and event that a command prints in these tests is compared with ``docs/schemas``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.docs.valid_forms import complaints

from tonnage.views.json import forms
from tonnage.views.live import lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@pytest.fixture(autouse=True)
def documented_forms(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    wrong: list[str] = []
    write = forms.json_text

    def checked(form: Mapping[str, object]) -> str:
        wrong.extend(complaints(form))
        return write(form)

    monkeypatch.setattr(forms, "json_text", checked)
    monkeypatch.setattr(lines, "json_text", checked)
    yield
    assert wrong == []
