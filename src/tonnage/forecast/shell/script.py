"""A shell script to the commands that it runs, in their order, with what each is given. Nothing is executed.

Where a condition can be decided from what is known, only what then runs is returned; else every branch is, and its
commands are conditional. A failing command is assumed to end the script: what follows ``&&`` runs.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

from tonnage.forecast.shell.interpreter import Walk
from tonnage.forecast.shell.syntax import Variables
from tonnage.model.forecast.shell_script import Script, ShellCommand, Word
from tonnage.sources.dockerfile.shell_wrappers import SHELLS, program, shell_call, unwrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tree_sitter import Node, Parser

_NONE: dict[str, str] = {}


def read_script(
    text: str | Sequence[str],
    environment: Mapping[str, str],
    *,
    directory: str = "/",
    complete: bool = True,
    unset: Sequence[str] = (),
    answers: Mapping[str, str] = _NONE,
) -> Script:
    """Read a script, or the words of a command that no shell sees: the exec form of ``RUN``."""
    if not isinstance(text, str):
        words, given = unwrap(tuple(Word(word, quoted=True) for word in text))
        call = shell_call(words)
        environment = {**environment, **given}
        if call is None or call.script is None:
            command = ShellCommand(
                words=words, environment=environment, working_directory=directory, text=" ".join(text)
            )
            return Script(commands=(command,))
        text = call.script.text
    variables = Variables(dict(environment), set(environment), complete, frozenset(unset))
    walk = Walk(parse, variables, directory, answers)
    walk.script(text)
    return Script(commands=tuple(walk.commands), broken=tuple(walk.broken), stops_on_error=walk.stops_on_error)


def is_shell(words: Sequence[str]) -> bool:
    """Return whether what ``SHELL`` names is a shell that this reads."""
    return any(program((Word(word),)) in SHELLS for word in words)


def parse(text: str) -> Node:
    """Return the syntax tree of a script."""
    return _parser(threading.get_ident()).parse(text.encode(errors="surrogateescape")).root_node


@cache
def _parser(_thread: int) -> Parser:
    """Return the parser of a thread: two threads cannot share one. It is loaded when the first script is read."""
    import tree_sitter  # noqa: PLC0415 - costs 20 ms, and most commands read no script
    import tree_sitter_bash  # noqa: PLC0415 - as above

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
