"""Every command has a manual page that says what its help says, and that ``man`` shows without a complaint."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import click
import pytest
from tests.docs.cli_reference import verb
from tests.docs.man_pages import SCRIPTS, pages, write

from tonnage.cli.group import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages()


def shown(page: str) -> str:
    """Return a page without what formats it."""
    for written, character in (("\\-", "-"), ("\\(dq", '"'), ("\\(aq", "'"), ("\\(ti", "~"), ("\\&", "")):
        page = page.replace(written, character)
    return re.sub(r"\\f[BIR]", "", page).replace("\\e", "\\")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_every_option_example_and_exit_code(name: str) -> None:
    command, page = verb(name), shown(PAGES[f"tonnage-{name}.1"])
    assert f"tonnage-{name} - {COMMANDS[name]}" in page
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert all(option in page for option in (*parameter.opts, *parameter.secondary_opts))
            assert parameter.help
            assert parameter.help.rstrip(".") in page
    assert all(line in page.splitlines() for line, _ in command.examples)
    assert all(f"{code}\n{title}" in page for code, title in command.exit_codes())
    assert f"tonnage-{name}(1)" in shown(PAGES["tonnage.1"])


def test_man_shows_every_page_without_a_complaint(tmp_path: Path) -> None:
    man = shutil.which("man")
    if man is None or shutil.which("groff") is None:
        pytest.skip("man or groff is not installed")
    write(tmp_path)
    files = sorted((tmp_path / "share" / "man" / "man1").iterdir())
    assert [file.name for file in files] == sorted(PAGES)
    environment = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}

    def run(*words: str | Path) -> str:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=60)
        assert done.stderr == ""
        return re.sub(".\b", "", done.stdout)

    for file in files:
        assert run("groff", "-man", "-ww", "-z", "-Tutf8", file) == ""
    told = run(man, "--warnings", "-l", tmp_path / "share" / "man" / "man1" / "tonnage-deploy.1")
    assert "tonnage deploy web" in told
    assert "--keep-free SIZE" in told
    assert "EXIT STATUS" in told


def test_what_is_written_has_a_script_for_each_shell(tmp_path: Path) -> None:
    write(tmp_path)
    for shell, name in SCRIPTS.items():
        assert f"{shell}_complete" in (tmp_path / name).read_text()
