from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from tonnage.runtime.journal.writer import Journal
from tonnage.runtime.private_files import make_private_directory, make_private_file

if TYPE_CHECKING:
    from pathlib import Path

USER = 10_007
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which gives files away")


def test_what_is_missing_is_made_for_its_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    make_private_directory(directory)
    make_private_file(directory / "file")

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "file").stat().st_mode) == 0o600
    make_private_directory(directory)


def test_a_link_is_no_file_to_write(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        make_private_file(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


@as_root
def test_the_journal_that_root_begins_below_the_home_of_a_user_is_that_user_s(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, USER, USER)
    state = home / ".local" / "state" / "tonnage"

    with Journal(state / "journal.sqlite"):
        pass

    made = [home / ".local", home / ".local" / "state", state, *state.iterdir()]
    assert len(made) > 4
    assert {each.stat().st_uid for each in made} == {USER}


@as_root
def test_what_was_there_before_keeps_its_owner(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "journal.sqlite").touch()
    os.chown(home, USER, USER)

    make_private_file(home / "journal.sqlite")
    assert (home / "journal.sqlite").stat().st_uid == 0
