"""Manual pages, and scripts that complete commands in shells, written from the commands themselves.

``python -m tests.docs.man_pages DIR`` writes them below a directory as they are installed below ``/usr``: a release
does so before it builds the wheel, which installs them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import ShellComplete, get_completion_class
from tests.docs.cli_reference import all_exit_codes, verb

from tonnage import __version__
from tonnage.cli.app import cli
from tonnage.cli.group import COMMANDS, COMPLETING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCRIPTS = {
    "bash": "share/bash-completion/completions/tonnage",
    "zsh": "share/zsh/site-functions/_tonnage",
    "fish": "share/fish/vendor_completions.d/tonnage.fish",
}
_FILES = (
    ("~/.local/state/tonnage/journal.sqlite", "What runs did and measured. TONNAGE_STATE_DIR names another directory."),
    ("~/.cache/tonnage", "What forecasts looked up. TONNAGE_CACHE_DIR names another directory."),
)
_WIDTH = 100


def pages() -> dict[str, str]:
    """Return each page by the name of its file."""
    return {"tonnage.1": _first_page()} | {f"tonnage-{name}.1": _page(name) for name in COMMANDS}


def write(directory: Path) -> None:
    """Write pages and scripts below a directory."""
    made: Mapping[str, str] = {f"share/man/man1/{name}": text for name, text in pages().items()}
    for name, text in {**made, **{SCRIPTS[shell]: script(shell) for shell in SCRIPTS}}.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def script(shell: str) -> str:
    """Return the script that completes commands in a shell."""
    found = get_completion_class(shell)
    assert found is not None
    return ShellComplete.source(found(cli, {}, "tonnage", COMPLETING))


def _first_page() -> str:
    about = cli.help or ""
    return _roff(
        _head("tonnage", about),
        _section("SYNOPSIS", ["\\fBtonnage\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]..."]),
        _section("DESCRIPTION", _paragraphs(about)),
        _section("COMMANDS", _list((f"tonnage-{name}(1)", text) for name, text in COMMANDS.items())),
        _section("OPTIONS", _list(_options(cli, "tonnage"))),
        _section("FILES", _list(_FILES)),
        _section("EXIT STATUS", _list((str(code), title) for code, title in all_exit_codes().items())),
    )


def _page(name: str) -> str:
    command = verb(name)
    context = _context(command, name)
    summary, *about = (command.help or "").split("\n\n")
    usage = " ".join(_escaped(word) for word in command.collect_usage_pieces(context))
    examples = [line for text, meaning in command.examples for line in (".PP", _text(f"{meaning}:"), *_shown(text))]
    return _roff(
        _head(f"tonnage-{name}", summary),
        _section("SYNOPSIS", [f"\\fBtonnage {_escaped(name)}\\fR {usage}"]),
        _section("DESCRIPTION", _paragraphs("\n\n".join((summary, *about)))),
        _section("OPTIONS", _list(_options(command, name))),
        _section("EXAMPLES", examples),
        _section("EXIT STATUS", _list((str(code), title) for code, title in command.exit_codes())),
        _section("SEE ALSO", [_text("tonnage(1)")]),
    )


def _context(command: click.Command, name: str) -> click.Context:
    names = ["-h", "--help"]
    return click.Context(
        command, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH, help_option_names=names
    )


def _options(command: click.Command, name: str) -> list[tuple[str, str]]:
    context = _context(command, name)
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    return [found for each in options if (found := each.get_help_record(context)) is not None]


def _head(name: str, summary: str) -> list[str]:
    return [
        f'.TH "{_escaped(name.upper())}" 1 "" "tonnage {__version__}" "Tonnage"',
        *_section("NAME", [f"{_escaped(name)} \\- {_escaped(summary)}"]),
    ]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f".SH {title}", *lines]


def _paragraphs(text: str) -> list[str]:
    return [line for part in text.split("\n\n") for line in (".PP", _text(" ".join(part.split())))]


def _list(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [line for name, about in rows for line in (".TP", f"\\fB{_escaped(name)}\\fR", _text(about))]


def _shown(line: str) -> list[str]:
    return [".RS 4", ".nf", _text(line), ".fi", ".RE"]


def _text(text: str) -> str:
    """Return a line of text, which is no request to what formats it."""
    escaped = _escaped(text)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _escaped(text: str) -> str:
    return (
        text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq").replace("~", "\\(ti")
    )


def _roff(*parts: Sequence[str]) -> str:
    head = '.\\" Written from the commands themselves; see tests/docs/man_pages.py.'
    return "\n".join((head, *(line for part in parts for line in part), ""))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
