from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.unit.cli.simulated_ports import EmptyMachine

from tonnage.flows.guard.left_frozen import thaw_what_was_left
from tonnage.runtime.guard.frozen_note import FrozenNote, left_frozen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

_LEAVES = """
import os, sys, time
from pathlib import Path
from tonnage.runtime.guard.frozen_note import FrozenNote
note = FrozenNote(Path(sys.argv[1]))
assert note.open() and note.write(["/sys/fs/cgroup/" + "x" * 500], time.monotonic() + 600)
assert note.write(["/sys/fs/cgroup/one", "/sys/fs/cgroup/two"], time.monotonic() + 600)
os._exit(9)
"""


class Thawing(EmptyMachine):
    def __init__(self, *, works: bool = True) -> None:
        self.works = works
        self.asked: list[str] = []

    def thaw(self, groups: Sequence[str]) -> bool:
        self.asked += groups
        return self.works


def leave(directory: Path) -> None:
    assert subprocess.run([sys.executable, "-c", _LEAVES, str(directory)], check=False).returncode == 9


def test_the_next_command_thaws_what_a_killed_run_left_and_forgets_it(tmp_path: Path) -> None:
    leave(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    machine = Thawing()
    assert thaw_what_was_left(machine, tmp_path) == 2
    assert machine.asked == ["/sys/fs/cgroup/one", "/sys/fs/cgroup/two"]
    assert not list(tmp_path.iterdir())


def test_what_could_not_be_thawed_is_tried_again(tmp_path: Path) -> None:
    leave(tmp_path)
    assert thaw_what_was_left(Thawing(works=False), tmp_path) == 2
    assert thaw_what_was_left(Thawing(), tmp_path) == 2


def test_a_run_that_goes_on_is_left_alone_until_its_time_is_over(tmp_path: Path) -> None:
    note = FrozenNote(tmp_path)
    assert note.open()
    assert note.write(["/sys/fs/cgroup/one"], time.monotonic() + 60)
    assert not left_frozen(tmp_path)
    assert note.write(["/sys/fs/cgroup/one"], time.monotonic() - 1)
    (left,) = left_frozen(tmp_path)
    left.forget()
    assert left_frozen(tmp_path)
    note.close()
    assert not list(tmp_path.iterdir())


def test_a_note_that_others_may_have_written_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(tmp_path)
    (note,) = tmp_path.iterdir()
    note.chmod(0o666)
    assert not left_frozen(tmp_path)
    note.chmod(0o600)
    os.link(note, tmp_path / "another")
    assert not left_frozen(tmp_path)
    (tmp_path / "another").unlink()
    note.rename(tmp_path / "elsewhere")
    note.symlink_to(tmp_path / "elsewhere")
    assert not left_frozen(tmp_path)
    note.unlink()
    (tmp_path / "elsewhere").rename(note)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert not left_frozen(tmp_path)


def test_nonsense_in_a_note_is_passed_over(tmp_path: Path) -> None:
    for number, text in enumerate(["", "{", "[]", json.dumps({"pid": "x"}), "\x00" * 100]):
        path = tmp_path / f"tonnage-frozen-{number}.json"
        path.write_text(text)
        path.chmod(0o600)
    os.mkfifo(tmp_path / "tonnage-frozen-9.json", 0o600)
    assert not left_frozen(tmp_path)


def test_without_a_place_for_it_nothing_is_frozen(tmp_path: Path) -> None:
    note = FrozenNote(tmp_path / "gone")
    assert not note.open()
    assert not note.write(["/sys/fs/cgroup/one"], time.monotonic() + 60)
    note.close()
