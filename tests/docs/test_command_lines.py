"""Every command line that a page shows is understood by the command as it is now."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from tests.docs.cli_reference import verb

from tonnage.cli.app import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
FENCE = re.compile(r"^```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^\s*(?:[$#] +)?(?:[A-Z_]+=\S+ +)*(tonnage (?!: ).*)$")


def command_lines(text: str) -> list[str]:
    """Return what a reader of a page would type, comments and pipes left out."""
    lines = [line for block in FENCE.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    found = (TYPED.match(line) for line in lines)
    return [re.split(r"\s+(?:#|\||>|2>|&&|;)", match[1])[0].strip() for match in found if match]


def understood(line: str) -> None:
    """Let click parse a command line without carrying it out; raises what click raises."""
    _, *arguments = shlex.split(line)
    if arguments and not arguments[0].startswith("-"):
        parent = cli.make_context("tonnage", [arguments[0]], obj=_Session())
        verb(arguments[0])
        if not {"-h", "--help"} & set(arguments):
            verb(arguments[0]).make_context(arguments[0], arguments[1:], parent=parent).close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_only_command_lines_that_are_understood(page: Path) -> None:
    for line in command_lines(page.read_text()):
        understood(line)


def test_command_lines_are_found_in_fenced_blocks_only() -> None:
    page = "tonnage nonsense\n```console\n$ tonnage plan web | less\nplan hello\nCI=1 tonnage deploy  # now\n```\n"

    assert command_lines(page) == ["tonnage plan web", "tonnage deploy"]


class _Session:
    json = False

    def choose_detail(self, **_: bool) -> None:
        """Take ``--quiet`` and ``--verbose``."""
