"""What one command prints and another reads, as a file that lies nowhere: ``<(...)``, ``$(...)`` and pipelines.

What is written to such a file is no byte of the image; what it holds is followed like every other text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.text_programs import FOLLOWED
from tonnage.forecast.shell.script import read_script
from tonnage.lazily import regex
from tonnage.model.forecast.effects import Source, WriteFile
from tonnage.model.forecast.shell_script import Redirection, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Script, ShellCommand

BELOW = "/proc/self/fd/"
_LONGEST_PIPELINE = 32
_INSTALLER = regex(r"pip[\d.]*|python[\d.]*|uv|poetry|pdm|pipenv|pip-compile|pip-sync|xargs|tee")
_EXPORTING = frozenset({"uv", "poetry", "pdm", "pipenv", "pip-compile", "hatch"})
_APT = frozenset({"apt", "apt-get", "aptitude"})
# Commands whose words are packages: of a file of words, each is one.
_NAMING = regex(r"(?:\S*/)?pip[\d.]*|(?:\S*/)?python[\d.]*|uv")
# Parentheses stand in quoted patterns alone.
_ANSWERED = regex(
    r"\$\((?P<script>(?:cat|[ef]?grep|sed|head|tail|sort|cut|<)\s(?:[^()`']|'[^'`]*')*)\)"
    r"|`(?P<quoted>(?:cat|[ef]?grep|sed|head|tail|sort|cut)\s[^()`]*)`"
)


def is_pipe(path: str) -> bool:
    """Whether a path is of a file that lies nowhere."""
    return path.startswith(BELOW)


def in_lines(path: str, text: str) -> str:
    """Return what a file holds, each word in a line of its own where the words are given to a command: ``$(...)``."""
    if not (is_pipe(path) and "/$(" in path):
        return text
    return "".join(
        line if "#" in line or ";" in line else "\n".join([*line.split(), ""])
        for line in text.splitlines(keepends=True)
    )


def shown_pipe(path: str) -> str:
    """Return a path as people know it: of a pipe what it reads."""
    return path.removeprefix(BELOW).partition("/")[2] if is_pipe(path) else path


def pipe_of(script: Script, index: int | None) -> str:
    """Return the file that stands for what a command pipes to the next one; empty where that is not followed."""
    if index is None or script.commands[index].pipe_to is None:
        return ""
    last = before = index
    for _ in range(_LONGEST_PIPELINE):
        following = script.commands[last].pipe_to
        if following is None:
            break
        last = following
    if not _reads(script.commands[last]):
        return ""
    for _ in range(_LONGEST_PIPELINE):
        command = script.commands[before]
        if not command.known or command.program not in FOLLOWED | _EXPORTING:
            return ""
        if command.pipe_from is None:
            break
        before = command.pipe_from
    return f"{BELOW}{script.commands[index].offset}-{index}/standard input"


def _reads(command: ShellCommand) -> bool:
    """Whether it matters what a command at the end of a pipeline is fed."""
    writes = any(each.operator in {">", ">>", ">|", "&>"} for each in command.redirections)
    return writes or _INSTALLER.fullmatch(command.program) is not None


def with_substitutions(script: Script, index: int) -> tuple[list[Script], Script]:
    """Return what ``<(...)`` among a command's words runs, and the script in which files stand in for it.

    Of a command that is given names of packages also what ``$(...)`` prints.
    """
    command = script.commands[index]
    inner: list[Script] = []
    words: list[Word] = []
    for at, word in enumerate(command.words):
        taken = _substituted(command, word)
        read = None if taken is None else _read(command, taken)
        if read is None:
            words.append(word)
            continue
        first = read.commands[0].program or "..."
        path = f"{BELOW}{command.offset}-{at}/{'<' if word.text.startswith('<(') else '$'}({first} ...)"
        written = Redirection(operator=">", path=path)
        commands = list(read.commands)
        commands[-1] = replace(commands[-1], redirections=(*commands[-1].redirections, written))
        inner.append(replace(read, commands=tuple(commands)))
        if not word.text.startswith("<(") and command.program not in _APT:
            words.append(Word("-r"))
        words.append(replace(word, text=path, known=True))
    if not inner:
        return [], script
    commands = list(script.commands)
    commands[index] = replace(command, words=tuple(words))
    return inner, replace(script, commands=tuple(commands))


def _substituted(command: ShellCommand, word: Word) -> str | None:
    """Return the script that a word is put in for; None where it is none that is followed."""
    if word.known or (word.quoted and command.program in _APT):
        return None
    if word.text.startswith("<(") and word.text.endswith(")"):
        return None if word.quoted else word.text[2:-1]
    # Of what is quoted pip takes one line, or fails.
    names = command.program in _APT or _NAMING.fullmatch(command.program) is not None
    match = _ANSWERED.fullmatch(word.text) if names and {"install"} & {w.text for w in command.words} else None
    if match is None:
        return None
    told = (match["script"] or match["quoted"]).strip()
    return f"cat {told[1:]}" if told.startswith("<") else told


def _read(command: ShellCommand, text: str) -> Script | None:
    read = read_script(text, command.environment, directory=command.working_directory or "/", complete=False)
    commands = [replace(each, offset=command.offset, conditional=command.conditional) for each in read.commands]
    return replace(read, commands=tuple(commands)) if commands and not read.broken else None


def naming(command: ShellCommand) -> ShellCommand:
    """Return a command whose last word is a file of names: pip is told so, apt knows them by their place."""
    *words, last = command.words
    return command if command.program in _APT else replace(command, words=(*words, Word("-r"), last))


def without_bytes(found: Sequence[AnyEffect]) -> tuple[AnyEffect, ...]:
    """Return effects in which what ``<(...)`` prints is no file of the image."""
    return tuple(
        replace(each, source=Source()) if isinstance(each, WriteFile) and is_pipe(each.path) else each for each in found
    )
