"""A shell script as the commands that it gives, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


def has_pattern(text: str) -> bool:
    """Return whether a text has a sign of a pattern of file names."""
    return any(sign in text for sign in "*?[")


class Word(Struct, frozen=True):
    """One word of a command.

    Args:
        text: Its text, quotes gone, variables put in; what is not known stands as it is written, such as ``$(date)``.
        known: Whether all of it is known.
        quoted: Whether any of it was quoted, so that ``*`` in it may be no pattern.
        literal: Whether ``*``, ``?`` or ``[`` was, so that it names one file that is called so.
    """

    text: str
    known: bool = True
    quoted: bool = False
    literal: bool = False

    def __str__(self) -> str:
        """Return the text."""
        return self.text


class Redirection(Struct, frozen=True, kw_only=True):
    """Where output goes or input comes from.

    Args:
        operator: ``>``, ``>>``, ``<``, ``<<``, ``<<<``, ``>&``, ...
        path: The file, absolute where the directory is known; of ``<<`` and ``<<<`` empty.
        text: Of ``<<`` and ``<<<`` what is given; None where it is not known.
        descriptor: The descriptor; None for the operator's usual one.
    """

    operator: str
    path: str = ""
    text: str | None = None
    descriptor: int | None = None


class ShellCommand(Struct, frozen=True, kw_only=True):
    """One simple command.

    Args:
        words: Its words; the first is the program. Empty for a redirection alone.
        environment: The variables that it is given, with those written before it.
        working_directory: Where it runs; empty where that is not known.
        conditional: It may not run, or not exactly once.
        forgiven: Something else is run where it fails.
        repeated: It runs in a loop of which nobody can tell how often it turns.
        redirections: Its redirections, those of the group around it included.
        pipe_from: The command before it in a pipeline, by its number among the script's commands; None for the first.
        pipe_to: The command after it in a pipeline.
        offset: Where in the script it begins, in characters; that of the outer command inside ``sh -c "..."``.
        text: As it is written.
    """

    words: tuple[Word, ...]
    environment: Mapping[str, str]
    working_directory: str
    conditional: bool = False
    repeated: bool = False
    forgiven: bool = False
    redirections: tuple[Redirection, ...] = ()
    pipe_from: int | None = None
    pipe_to: int | None = None
    offset: int = 0
    text: str = ""

    @property
    def program(self) -> str:
        """The program without its directories; empty where there is none or it is not known."""
        return self.words[0].text.rpartition("/")[2] if self.words and self.words[0].known else ""

    @property
    def known(self) -> bool:
        """Whether every word is known."""
        return all(word.known for word in self.words)


class Script(Struct, frozen=True, kw_only=True):
    """The commands of a script.

    Args:
        commands: In the order in which they run.
        broken: What could not be read as a shell script, as it is written; its commands may be missing.
        stops_on_error: ``set -e`` is in force.
    """

    commands: tuple[ShellCommand, ...]
    broken: tuple[str, ...] = ()
    stops_on_error: bool = False
