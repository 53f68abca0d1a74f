"""Dockerfile text to a ``Dockerfile``. What a builder would refuse is refused here, with the line and a way out.

Nothing is substituted; see ``recipe``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.model.forecast.dockerfile import Dockerfile, Instruction, Stage
from tonnage.sources.dockerfile.checks import check, suggestion
from tonnage.sources.dockerfile.lines import LogicalLine, cut, json_words, read_directives, split_flags

if TYPE_CHECKING:
    from tonnage.sources.dockerfile.lines import Directives

_EXEC_FORMS = frozenset({"RUN", "CMD", "ENTRYPOINT", "SHELL", "COPY", "ADD", "VOLUME"})
_NOT_KEPT = frozenset({"ONBUILD", "FROM", "MAINTAINER"})


def read_dockerfile(text: str, file: str = "Dockerfile") -> Dockerfile:
    """Read a Dockerfile.

    Raises:
        UsageError: Something that no builder accepts, with its line and what to write instead.
    """
    directives, instructions = read_instructions(text, file)
    if not instructions:
        raise UsageError(
            "this Dockerfile has no instructions", todo="Begin it with a base image:\n  FROM IMAGE", place=file
        )
    for instruction in instructions:
        check(instruction, file, newer=bool(directives.syntax))
    first = next((at for at, each in enumerate(instructions) if each.keyword == "FROM"), len(instructions))
    early = next((each for each in instructions[:first] if each.keyword != "ARG"), None)
    if early is not None or first == len(instructions):
        wrong = early or instructions[-1]
        raise UsageError(
            f"{wrong.keyword} stands before any FROM" if early else "this Dockerfile has no FROM",
            why="Only ARG may stand before the first FROM.",
            todo="Name the base image before it:\n  FROM IMAGE",
            place=f"{file}:{wrong.line}",
        )
    return Dockerfile(
        file=file,
        escape=directives.escape,
        syntax=directives.syntax,
        globals=instructions[:first],
        stages=_stages(instructions[first:], file),
    )


def read_instructions(text: str, file: str = "Dockerfile") -> tuple[Directives, tuple[Instruction, ...]]:
    """Cut a text into instructions without judging them.

    Raises:
        UsageError: A directive is wrong or a here-document has no end, so that it cannot be cut.
    """
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    directives = read_directives(lines, file)
    return directives, tuple(_instruction(piece) for piece in cut(lines, directives.escape, file))


def _instruction(piece: LogicalLine) -> Instruction:
    """Take one instruction apart."""
    words = piece.text.split(maxsplit=1)
    keyword = words[0].upper()
    rest = words[1] if len(words) > 1 else ""
    flags, body = split_flags(rest)
    begin = len(piece.text) - len(body)
    starts = tuple((max(offset - begin, 0), line) for offset, line in piece.starts)
    current = [index for index, (offset, _) in enumerate(starts) if offset == 0]
    trigger = None
    if keyword == "ONBUILD" and rest:
        trigger = _instruction(
            LogicalLine(text=rest, starts=piece.starts, end_line=piece.end_line, heredocs=piece.heredocs)
        )
    return Instruction(
        keyword=keyword,
        text=rest,
        line=piece.starts[0][1],
        end_line=piece.end_line,
        flags=flags,
        body=body,
        words=json_words(body) if keyword in _EXEC_FORMS else None,
        heredocs=piece.heredocs,
        trigger=trigger,
        line_starts=starts[current[-1] :] if current else starts,
    )


def _stages(instructions: tuple[Instruction, ...], file: str) -> tuple[Stage, ...]:
    """Cut the instructions at each FROM."""
    starts = [index for index, each in enumerate(instructions) if each.keyword == "FROM"]
    ends = [*starts[1:], len(instructions)]
    stages: list[Stage] = []
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        opening = instructions[start]
        words = opening.body.split()
        name = words[2].lower() if len(words) > 1 else ""
        kept = instructions[start + 1 : end]
        for each in kept:
            _check_trigger(each, file)
        stages.append(
            Stage(
                index=index,
                name=name,
                base=words[0],
                platform=opening.flag("platform") or "",
                opening=opening,
                instructions=kept,
            )
        )
    return tuple(stages)


def _check_trigger(instruction: Instruction, file: str) -> None:
    """Refuse what ONBUILD cannot keep."""
    if instruction.keyword != "ONBUILD" or instruction.trigger is None:
        return
    if instruction.trigger.keyword in _NOT_KEPT:
        raise UsageError(
            f"ONBUILD {instruction.trigger.keyword} is not allowed",
            todo=suggestion("Keep another instruction for later, such as:", "ONBUILD RUN COMMAND"),
            place=f"{file}:{instruction.line}",
        )
    check(instruction.trigger, file, newer=True)
