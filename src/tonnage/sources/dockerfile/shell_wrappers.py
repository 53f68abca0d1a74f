"""Programs that only start another one: ``env``, ``sudo``, ``exec``, ``sh -c``, ... and what they start."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.shell_script import Word

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_ASSIGNMENT = regex(r"(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL)
# Each wrapper with its options that take a word after them.
_WRAPPERS: dict[str, frozenset[str]] = {
    "env": frozenset({"-u", "--unset", "-C", "--chdir", "-S"}),
    "sudo": frozenset({"-u", "--user", "-g", "--group", "-C", "-D", "-h", "-p"}),
    "exec": frozenset({"-a"}),
    "command": frozenset(),
    "builtin": frozenset(),
    "nohup": frozenset(),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n"}),
    "time": frozenset({"-f", "-o"}),
    "timeout": frozenset({"-s", "--signal", "-k", "--kill-after"}),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "setarch": frozenset(),
    "eatmydata": frozenset(),
    "gosu": frozenset(),
    "su-exec": frozenset(),
    "tini": frozenset(),
}
_SKIPPED = {"timeout": 1, "gosu": 1, "su-exec": 1, "setarch": 1}
_MOST_WRAPPERS = 8


def unwrap(words: Sequence[Word]) -> tuple[tuple[Word, ...], dict[str, str]]:
    """Return the words of what a command really starts, and the variables that the wrappers set for it."""
    environment: dict[str, str] = {}
    left = tuple(words)
    for _ in range(_MOST_WRAPPERS):
        name = program(left)
        if name not in _WRAPPERS:
            break
        rest = _after_options(name, left[1:])
        if rest is None:
            break
        while name in {"env", "sudo"} and rest and (match := _ASSIGNMENT.fullmatch(rest[0].text)):
            environment[match["name"]] = match["value"]
            rest = rest[1:]
        rest = rest[_SKIPPED.get(name, 0) :]
        if not rest:
            break
        left = rest
    return left, environment


def _after_options(name: str, words: tuple[Word, ...]) -> tuple[Word, ...] | None:
    """Return the words after a wrapper's options; None for ``command -v``, which starts nothing."""
    with_word = _WRAPPERS[name]
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        text = words[at].text
        if name == "command" and text in {"-v", "-V"}:
            return None
        at += 1
        if text == "--":
            break
        if text in with_word:
            at += 1
    return words[at:]


def program(words: Sequence[Word]) -> str:
    """Return the program of a command without its directories; empty where it is not known."""
    return words[0].text.rpartition("/")[2] if words and words[0].known else ""


class ShellCall(Struct, frozen=True):
    """A shell that is started.

    Args:
        script: What follows ``-c``; None where it reads a file or its input.
        arguments: ``$0`` and what follows it.
        file: The script file; empty without one.
    """

    script: Word | None
    arguments: tuple[Word, ...] = ()
    file: str = ""
    options: str = ""


def shell_call(words: Sequence[Word]) -> ShellCall | None:
    """Return how a shell is started; None when the command starts no shell."""
    if program(words) in {"su", "runuser"}:
        return _other_user(words)
    if program(words) not in SHELLS:
        return None
    options = ""
    at = 1
    while at < len(words) and words[at].text[:1] in {"-", "+"} and len(words[at].text) > 1:
        text = words[at].text
        at += 1
        if text.startswith("--"):
            continue
        options += text[1:] if text.startswith("-") else ""
        if text.endswith("o"):
            at += 1
    rest = tuple(words[at:])
    if "c" in options:
        return ShellCall(rest[0] if rest else None, rest[1:], options=options)
    return ShellCall(None, rest[1:], rest[0].text if rest else "", options)


def _other_user(words: Sequence[Word]) -> ShellCall | None:
    """Return the script of ``su USER -c SCRIPT``; None for a ``su`` without one."""
    names = ("-c", "--command")
    at = next((at for at, word in enumerate(words) if word.text in names or word.text.startswith("--command=")), None)
    if at is None:
        return None
    if words[at].text not in names:
        return ShellCall(replace(words[at], text=words[at].text.partition("=")[2]))
    return ShellCall(words[at + 1]) if at + 1 < len(words) else None
