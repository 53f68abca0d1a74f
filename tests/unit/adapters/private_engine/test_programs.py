from __future__ import annotations

import os

import pytest

from tonnage.adapters.private_engine import programs
from tonnage.errors import EngineLacksError


def test_all_that_is_missing_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "search_path", lambda _: "/nowhere")
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    with pytest.raises(EngineLacksError) as caught:
        programs.check_machine("/nowhere")
    assert caught.value.exit_code == 7
    assert "root (this is user 1234)" in caught.value.why
    assert all(f"the program {program}" in caught.value.why for program in programs.PROGRAMS)
    assert caught.value.todo.splitlines()[-1].startswith("  apt-get install ")


def test_directories_of_administration_are_searched_although_the_path_lacks_them() -> None:
    assert programs.search_path("/usr/bin").split(":") == ["/usr/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]
    assert "/usr/bin" in programs.search_path("").split(":")
