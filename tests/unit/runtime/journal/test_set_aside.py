from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from tonnage.errors import DamagedJournalError, UsageError
from tonnage.runtime.journal.set_aside import set_aside
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from pathlib import Path


def test_what_sqlite_keeps_beside_a_damaged_file_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a database, surely" * 997)
    with pytest.raises(DamagedJournalError):
        Journal(path)
    (tmp_path / "journal.sqlite-journal").write_bytes(b"pages of the damaged file")

    assert "is journal.sqlite.damaged now" in set_aside(path)

    assert (tmp_path / "journal.sqlite.damaged-journal").read_bytes() == b"pages of the damaged file"
    assert sorted(found.name for found in tmp_path.iterdir()) == [
        "journal.sqlite.damaged",
        "journal.sqlite.damaged-journal",
    ]
    with Journal(path) as journal:
        assert journal.runs(1) == ()


def test_a_journal_of_another_program_is_never_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()

    with pytest.raises(Exception, match="is not a journal of Tonnage") as caught:
        Journal(path)

    assert not isinstance(caught.value, DamagedJournalError)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"of somebody else")
    path = tmp_path / "journal.sqlite"
    path.symlink_to(elsewhere)

    with pytest.raises(UsageError, match="cannot be set aside"):
        set_aside(path)

    assert path.is_symlink()
