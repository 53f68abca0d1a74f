"""A shell script to the commands that it runs, in their order, with what each is given. Nothing is executed.

Where a condition can be decided from what is known, only what then runs is returned; else every branch is, and its
commands are conditional. A failing command is assumed to end the script: what follows ``&&`` runs.
"""

from __future__ import annotations

import shlex
import threading
import time
from functools import cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.shell.interpreter import Walk
from tonnage.forecast.shell.script_files import ScriptFiles
from tonnage.forecast.shell.state import ShellState, TooMuchError
from tonnage.forecast.shell.syntax import Variables
from tonnage.model.forecast.shell_script import Script, ShellCommand, Word, has_pattern
from tonnage.sources.dockerfile.shell_wrappers import SHELLS, program, shell_call, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tree_sitter import Node, Parser

_NONE: dict[str, str] = {}
_SHORT_BYTES, _PIECE_BYTES = 2000, 65_536
_SHOWN = 200
_STOPPED: list[int] = []
_WRITES_ON = {">": ">>", ">|": ">>", "&>": "&>>"}
_MOST_STOPPED = 5
"""Each time that the parser is stopped it loses 25 MB; after so many times, long scripts are not read any more."""
_MOST_PIPES = 2000
"""Where one has nothing behind it, the parser needs memory by their square, and does not let itself be stopped."""
_MOST_PARSER_S = 0.5
"""A hundred kilobytes of a script take a tenth of it; the parser takes minutes for some that no shell reads."""


def read_script(
    text: str | Sequence[str],
    environment: Mapping[str, str],
    *,
    directory: str = "/",
    complete: bool = True,
    unset: Sequence[str] = (),
    answers: Mapping[str, str] = _NONE,
    files: Callable[[str], str | None] | None = None,
    shell: str = "sh",
    of_sh: bool | None = False,
) -> Script:
    """Read a script, or the words of a command that no shell sees: the exec form of ``RUN``.

    Args:
        complete: A variable that is not in the environment is empty.
        answers: What commands print, by their words.
        shell: The shell that reads it.
        of_sh: Whether braces mean several words to what is called ``sh``; None where that is not known.
        files: Returns what a script file holds by its path; None where that is not known.

    Returns:
        Its commands, those of script files that are known in place of the command that runs each.
    """
    scripts = ScriptFiles(files or (lambda _: None))
    if not isinstance(text, str):
        words, given = unwrap(tuple(Word(word, quoted=True, literal=has_pattern(word)) for word in text))
        call = shell_call(words)
        environment = {**environment, **given}
        file = scripts.find(words, call, ShellState(Variables({}, set()), directory), ())
        if file is not None:
            text = " ".join(shlex.quote(word.text) for word in words)
        elif call is None or call.script is None:
            command = ShellCommand(
                words=words, environment=environment, working_directory=directory, text=" ".join(text)
            )
            return Script(commands=(command,))
        else:
            text, shell = call.script.text, program(words)
    variables = Variables(dict(environment), set(environment), complete, frozenset(unset), of_sh=of_sh)
    variables.read_by(shell)
    walk = Walk(parse, ShellState(variables, directory), answers, ScriptFiles(files or (lambda _: None)))
    try:
        walk.script(text)
        walk.finish()
    except (TooMuchError, RecursionError):
        # What it does is as unknown as that of no script at all.
        return Script(commands=_one_after_the_other(walk.commands), broken=(*walk.broken, text[:_SHOWN]))
    commands = _one_after_the_other(walk.commands)
    return Script(commands=commands, broken=tuple(walk.broken), stops_on_error=walk.stops_on_error)


def _one_after_the_other(commands: Sequence[ShellCommand]) -> tuple[ShellCommand, ...]:
    """Return the commands, those of a group whose output goes to one file writing on where the one before ended."""
    opened: set[int] = set()
    found = []
    for command in commands:
        shared = [_WRITES_ON.get(each.operator) if id(each) in opened else None for each in command.redirections]
        opened |= {id(each) for each in command.redirections}
        if any(shared):
            outputs = zip(command.redirections, shared, strict=True)
            on = tuple(replace(each, operator=other) if other else each for each, other in outputs)
            command = replace(command, redirections=on)  # noqa: PLW2901 - the same command
        found.append(command)
    return tuple(found)


def is_shell(words: Sequence[str]) -> bool:
    """Return whether what ``SHELL`` names is a shell that this reads."""
    return any(program((Word(word),)) in SHELLS for word in words)


def parse(text: str) -> Node:
    """Return the syntax tree of a script.

    Raises:
        TooMuchError: The parser takes too long for it.
    """
    if text.replace("||", "").count("|") > _MOST_PIPES:
        raise TooMuchError
    source = text.encode(errors="surrogateescape")
    parser = _parser(threading.get_ident())
    if len(source) > _SHORT_BYTES:
        # A parser that is stopped keeps the memory that it took.
        _refuse_what_takes_long(type(parser)(parser.language), source)
    return parser.parse(source).root_node


def _refuse_what_takes_long(parser: Parser, source: bytes) -> None:
    """Parse once for the time that it takes: a tree that can be stopped knows no text.

    The time is that of this thread's own work, so that it is the same on a busy machine.
    """
    if len(_STOPPED) >= _MOST_STOPPED:
        raise TooMuchError
    begin_s = time.thread_time()
    try:
        parser.parse(
            lambda at, _: source[at : at + _PIECE_BYTES],
            progress_callback=lambda _at, _wrong: time.thread_time() - begin_s > _MOST_PARSER_S,
        )
    except ValueError:
        _STOPPED.append(len(source))
        raise TooMuchError from None


@cache
def _parser(_thread: int) -> Parser:
    """Return the parser of a thread: two threads cannot share one. It is loaded when the first script is read."""
    import tree_sitter  # noqa: PLC0415 - costs 20 ms, and most commands read no script
    import tree_sitter_bash  # noqa: PLC0415 - as above

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
