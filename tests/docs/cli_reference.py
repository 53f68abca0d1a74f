"""The reference of the command line, written from the commands themselves.

``python -m tests.docs.cli_reference > docs/cli.md`` renews the page; a test compares the two.
"""

from __future__ import annotations

import click

from tonnage import errors
from tonnage.cli.app import cli
from tonnage.cli.group import COMMANDS, Verb
from tonnage.errors import TonnageError

WIDTH = 100
_INTRODUCTION = """\
# The command line

This page is written from the commands themselves: `python -m tests.docs.cli_reference > docs/cli.md` renews it.

Answers go to standard output; progress, notes and errors go to standard error. With `--json` the answer is a documented
form of [json.md](json.md). With `--quiet` only answers, warnings and errors are written; with `--verbose` also the
commands that are run and what is asked. On a terminal a run is shown live; elsewhere as one plain line for each event.
`NO_COLOR` is respected.

Flags override the environment (`TONNAGE_*`), which overrides `x-tonnage` in the compose file; all of them stand in
[settings.md](settings.md), and `tonnage doctor --settings` shows each value with its origin.

The first Ctrl-C (or SIGTERM, SIGHUP) ends the running step and undoes it; a second one ends the program at once.
"""


def reference() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION, _exit_codes(), _block("tonnage --help", _help(("tonnage",)))]
    parts += [
        f"## tonnage {name}\n\n" + _block(f"tonnage {name} --help", _help(("tonnage", name))) for name in COMMANDS
    ]
    return "\n".join(parts)


def verb(name: str) -> Verb:
    """Return a command."""
    found = cli.get_command(click.Context(cli), name)
    assert isinstance(found, Verb)
    return found


def all_exit_codes() -> dict[int, str]:
    """Return every exit code of the table of failures, signals left out."""
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, TonnageError)]
    found = {each.exit_code: each.title for each in classes if "exit_code" in vars(each)}
    return {0: "done", **dict(sorted(found.items()))}


def _exit_codes() -> str:
    rows = [f"| {code} | {title} |" for code, title in all_exit_codes().items()]
    rows.append("| 128+N | ended by signal N (130 for Ctrl-C) |")
    return "\n".join(("## Exit codes", "", "| code | meaning |", "|---|---|", *rows, ""))


def _help(path: tuple[str, ...]) -> str:
    context: click.Context | None = None
    command: click.Command = cli
    for name in path:
        if context is not None:
            command = verb(name)
        context = click.Context(
            command,
            info_name=name,
            parent=context,
            terminal_width=WIDTH,
            max_content_width=WIDTH,
            help_option_names=["-h", "--help"],
        )
    assert context is not None
    return command.get_help(context)


def _block(title: str, text: str) -> str:
    return f"```console\n$ {title}\n{text}\n```\n"


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - this is what it is called for
