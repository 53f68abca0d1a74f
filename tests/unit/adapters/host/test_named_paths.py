from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tonnage.adapters.host.named_paths import look_at

if TYPE_CHECKING:
    from pathlib import Path


def test_a_path_is_of_this_machine_where_its_beginning_is(tmp_path: Path) -> None:
    found = look_at([f"{tmp_path}/gone/x", "/nosuchroot/x", "/home/nosuchuser-q/x"], {})

    assert found.absent == {"/nosuchroot/x", "/home/nosuchuser-q/x"}
    assert [each.roles for each in found.filesystems] == [("named",)]
    assert found.hostname == os.uname().nodename


def test_a_runner_is_told_by_its_environment() -> None:
    assert look_at([], {"GITHUB_ACTIONS": "true"}).runner == "the GitHub runner"
    assert look_at([], {}).runner == ""


def test_only_the_first_twenty_are_looked_at() -> None:
    assert len(look_at([f"/nosuchroot/{number}" for number in range(100)], {}).absent) == 20
