"""A Dockerfile as it is written: instructions with their lines, nothing substituted and nothing judged."""

from __future__ import annotations

from msgspec import Struct


class Flag(Struct, frozen=True):
    """One ``--name=value`` of an instruction; the value is empty where none is written."""

    name: str
    value: str = ""


class Heredoc(Struct, frozen=True):
    """One here-document.

    Args:
        name: The word that ends it.
        body: Its lines, each with its line end; leading tabs are gone where ``<<-`` is written.
        expands: Whether variables are put in: the word was not quoted.
        line: The line after the one that names it, counted from 1.
        descriptor: The file descriptor before ``<<``; 0 where none is written.
    """

    name: str
    body: str
    expands: bool
    line: int
    descriptor: int = 0


class Instruction(Struct, frozen=True, kw_only=True):
    """One instruction.

    Args:
        keyword: Its first word, in capitals.
        text: What follows, flags included, continued lines joined as the builder joins them.
        line: The line it begins on, counted from 1.
        end_line: The last line that belongs to it, with the last line of its here-documents.
        body: ``text`` without the flags.
        words: The members of the exec form (a JSON array of strings); None in the shell form.
        trigger: Of ``ONBUILD`` what it keeps for later; else None.
        line_starts: Where in ``body`` each written line begins: offset and line.
    """

    keyword: str
    text: str
    line: int
    end_line: int
    flags: tuple[Flag, ...] = ()
    body: str = ""
    words: tuple[str, ...] | None = None
    heredocs: tuple[Heredoc, ...] = ()
    trigger: Instruction | None = None
    line_starts: tuple[tuple[int, int], ...] = ()

    def flag(self, name: str) -> str | None:
        """Return the value of a flag; None where it is not written. The last one counts."""
        return next((flag.value for flag in reversed(self.flags) if flag.name == name), None)


class Stage(Struct, frozen=True, kw_only=True):
    """What one ``FROM`` begins.

    Args:
        index: Its number, counted from 0.
        name: What follows ``AS``, in small letters; empty without a name.
        base: The image or stage it stands on, as it is written.
        platform: Its ``--platform``, as it is written; empty without one.
        opening: The ``FROM`` itself.
        instructions: What follows, up to the next ``FROM``.
    """

    index: int
    name: str
    base: str
    platform: str
    opening: Instruction
    instructions: tuple[Instruction, ...]


class Dockerfile(Struct, frozen=True, kw_only=True):
    """A Dockerfile.

    Args:
        file: How it is named in messages.
        escape: The character that continues a line.
        syntax: The frontend that the ``syntax`` directive asks for; empty without one.
        globals: The ``ARG`` before the first ``FROM``.
        stages: Its stages in their order; at least one.
    """

    file: str
    escape: str
    syntax: str
    globals: tuple[Instruction, ...]
    stages: tuple[Stage, ...]

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """Every instruction in the order of writing."""
        return (*self.globals, *(each for stage in self.stages for each in (stage.opening, *stage.instructions)))
