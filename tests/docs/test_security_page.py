from __future__ import annotations

import re
from pathlib import Path

from tonnage.cli.group import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_the_page_says_of_every_command_what_it_contacts_writes_and_runs() -> None:
    rows = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `tonnage ")]
    assert [row[0].strip(" `").removeprefix("tonnage ") for row in rows] == list(COMMANDS)
    assert {len(row) for row in rows} == {4}
    assert all(cell.strip() for row in rows for cell in row)


def test_what_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:tests|script|requirements)/[\w./-]+)", PAGE)
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_page_is_found() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        assert "(SECURITY.md)" in (ROOT / name).read_text(encoding="utf-8")
