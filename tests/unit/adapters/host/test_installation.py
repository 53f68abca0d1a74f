"""Where this program came from becomes the command that installs it elsewhere."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.host.installation import command_from

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("https://example.org/o/tonnage.git", f"pipx install git+https://example.org/o/tonnage.git@{COMMIT}"),
        ("https://me:secret@example.org/o/t", f"pipx install git+https://example.org/o/t@{COMMIT}"),
        ("ssh://git@example.org/o/t.git", f"pipx install git+https://example.org/o/t.git@{COMMIT}"),
        ("ssh://git@example.org:2222/o/t.git", f"pipx install git+https://example.org/o/t.git@{COMMIT}"),
        ("git@example.org:o/t.git", f"pipx install git+https://example.org/o/t.git@{COMMIT}"),
        ("https://example.org/o/a b", f"pipx install 'git+https://example.org/o/a b@{COMMIT}'"),
        ("file:///srv/t", ""),
        ("/srv/t", ""),
        ("../t", ""),
    ],
)
def test_a_repository_is_installed_from_by_its_commit(url: str, command: str) -> None:
    text = f'{{"url": "{url}", "vcs_info": {{"vcs": "git", "commit_id": "{COMMIT}"}}}}'

    assert command_from(text, "1.2.3", {}) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (None, "pipx install tonnage==1.2.3"),
        ('{"url": "https://example.org/tonnage.tar.gz", "archive_info": {}}', ""),
        ('{"url": "https://example.org/t", "vcs_info": {"vcs": "hg", "commit_id": "1"}}', ""),
        ('{"url": "file:///nowhere/at/all", "dir_info": {"editable": true}}', ""),
        ("no JSON", ""),
        ("{}", ""),
    ],
)
def test_what_no_other_machine_has_has_no_command(text: str | None, command: str) -> None:
    assert command_from(text, "1.2.3", {"PATH": os.environ["PATH"]}) == command


def test_a_directory_is_installed_from_where_it_was_cloned(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "Begin")
    text = f'{{"url": "{tmp_path.as_uri()}", "dir_info": {{}}}}'
    environment = {"PATH": os.environ["PATH"]}
    assert command_from(text, "1.2.3", environment) == ""

    git("remote", "add", "origin", "git@example.org:o/tonnage.git")
    expected = f"pipx install git+https://example.org/o/tonnage.git@{git('rev-parse', 'HEAD')}"
    assert command_from(text, "1.2.3", environment) == expected
