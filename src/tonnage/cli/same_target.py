"""Commands that an error proposes are about the stack and the engine that were typed: they get the same options."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

_COMMAND = regex(r"  tonnage (?P<verb>[a-z]+)(?P<rest>(?: .*)?)")
_NAMES = {
    "-f": "-f", "--file": "-f", "-p": "-p", "--project-name": "-p", "-H": "-H", "--host": "-H", "--to": "--to",
    "--project-directory": "--project-directory", "--profile": "--profile", "--env-file": "--env-file",
}  # fmt: skip
_ENGINES = frozenset({"-H", "--to"})


def for_same_target(
    text: str, typed: Sequence[str], options_of: Callable[[str], Collection[str]], *, sends: bool = False
) -> str:
    """Return a text whose commands name what was typed of the stack and of the engine.

    Args:
        text: With each command alone on its line, behind two blanks.
        typed: What was typed behind the name of the program.
        options_of: The options of a command by its name; none where there is no such command.
        sends: The command sends images to what --to names, and does nothing else there.
    """
    said = tuple(_targets(typed))
    if not said or "  tonnage " not in text:
        return text
    return "\n".join(_with(line, said, options_of, sends=sends) for line in text.split("\n"))


def _targets(typed: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each option that names a stack or an engine, with its value."""
    waiting = ""
    for word in typed:
        if waiting:
            yield from _target(waiting, word)
            waiting = ""
        elif word == "--":
            return
        elif word in _NAMES:
            waiting = _NAMES[word]
        else:
            name, has_value, value = word.partition("=")
            if has_value and name in _NAMES and name.startswith("--"):
                yield from _target(_NAMES[name], value)
            elif word[:2] in {"-f", "-p", "-H"}:
                yield from _target(word[:2], word[2:])


def _target(option: str, value: str) -> Iterator[tuple[str, str]]:
    # --to of a rollback may name a version.
    if option != "--to" or "://" in value:
        yield option, value


def _with(
    line: str, said: Sequence[tuple[str, str]], options_of: Callable[[str], Collection[str]], *, sends: bool
) -> str:
    found = _COMMAND.fullmatch(line)
    if found is None:
        return line
    known = options_of(found["verb"])
    written = {_NAMES.get(word) for word in found["rest"].split()}
    added = []
    for option, value in said:
        # Where images are sent to is not where anything else is done.
        if option == "--to" and sends and found["verb"] != "ship":
            continue
        # Not every command that looks at another engine sends files to it.
        name = option if option in known else "-H" if option == "--to" and "-H" in known else ""
        taken = written & _ENGINES if name in _ENGINES else written & {name}
        if name and not taken:
            # A directory on that machine is only for --to.
            meant = "/".join(value.split("/")[:3]) if option != name else value
            added.append(f" {name} {shlex.quote(meant)}")
    return f"  tonnage {found['verb']}{''.join(added)}{found['rest']}"
