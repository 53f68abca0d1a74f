"""Dockerfile text to a ``Dockerfile``. What no builder would accept is refused, with the line and a way out.

Nothing is substituted; see ``recipe``.

Source: ``frontend/dockerfile/parser`` and ``instructions`` of BuildKit, read in version 0.26.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import UsageError
from tonnage.escapes import visible_in_line
from tonnage.model.forecast.dockerfile import Dockerfile, Instruction, Stage
from tonnage.sources.dockerfile.lines import (
    cut,
    definitions,
    json_list,
    json_words,
    quoted_words,
    read_directives,
    split_flags,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.sources.dockerfile.lines import LogicalLine

FLAGS: dict[str, frozenset[str]] = {
    "FROM": frozenset({"platform"}),
    "RUN": frozenset({"mount", "network", "security", "device"}),
    "COPY": frozenset({"from", "chown", "chmod", "link", "parents", "exclude"}),
    "ADD": frozenset({"chown", "chmod", "link", "keep-git-dir", "checksum", "exclude", "unpack"}),
    "HEALTHCHECK": frozenset({"interval", "timeout", "start-period", "start-interval", "retries"}),
}
_REPEATED = frozenset({"mount", "exclude", "device"})
_FORMS = {
    "ADD": "ADD SOURCE DESTINATION",
    "ARG": "ARG NAME=VALUE",
    "CMD": 'CMD ["PROGRAM", "ARGUMENT"]',
    "COPY": "COPY SOURCE DESTINATION",
    "ENTRYPOINT": 'ENTRYPOINT ["PROGRAM", "ARGUMENT"]',
    "ENV": "ENV NAME=VALUE",
    "EXPOSE": "EXPOSE PORT",
    "FROM": "FROM IMAGE AS NAME",
    "HEALTHCHECK": "HEALTHCHECK CMD COMMAND",
    "LABEL": "LABEL NAME=VALUE",
    "MAINTAINER": "MAINTAINER NAME",
    "ONBUILD": "ONBUILD INSTRUCTION",
    "RUN": "RUN COMMAND",
    "SHELL": 'SHELL ["PROGRAM", "ARGUMENT"]',
    "STOPSIGNAL": "STOPSIGNAL SIGNAL",
    "USER": "USER NAME",
    "VOLUME": "VOLUME PATH",
    "WORKDIR": "WORKDIR PATH",
}
_NOTHING_ALLOWED = frozenset({"CMD", "ENTRYPOINT", "RUN"})
_PAIRS = frozenset({"ENV", "LABEL"})
_LISTS = frozenset({"RUN", "SHELL", "COPY", "ADD", "CMD", "ENTRYPOINT", "VOLUME"})
_FROM_WITH_NAME = 3
_MOST_INSTRUCTIONS, _MOST_STAGES = 12_000, 100
_EXEC_FORMS = frozenset({"RUN", "CMD", "ENTRYPOINT", "SHELL", "COPY", "ADD", "VOLUME"})
_NOT_KEPT = frozenset({"ONBUILD", "FROM", "MAINTAINER"})


def check(instruction: Instruction, file: str, *, newer: bool) -> None:
    """Refuse what no builder accepts.

    Raises:
        UsageError: With the line and what to write instead.
    """
    problem = _unknown(instruction) or (not newer and _flags(instruction)) or _words(instruction)
    if problem:
        what, todo = problem
        expected = "a line of a Dockerfile has to be an instruction in its form"
        raise UsageError(what, todo=todo, place=f"{file}:{instruction.line}", expected=expected)


def _unknown(instruction: Instruction) -> tuple[str, str] | None:
    if instruction.keyword in _FORMS:
        return None
    close = difflib.get_close_matches(instruction.keyword, _FORMS, 1)
    todo = f"Perhaps this is meant:\n  {close[0]} {visible_in_line(instruction.text[:60])}".rstrip() if close else ""
    return f"there is no instruction {instruction.keyword}", todo or (
        "End the line before it with \\ when it belongs to that one, or write an instruction such as RUN before it."
    )


def _flags(instruction: Instruction) -> tuple[str, str] | None:
    known = FLAGS.get(instruction.keyword, frozenset())
    seen: set[str] = set()
    for flag in instruction.flags:
        if flag.name not in known:
            close = difflib.get_close_matches(flag.name, known, 1)
            names = ", ".join(f"--{name}" for name in sorted(known))
            hint = f"Perhaps --{close[0]} is meant." if close else f"It has {names}." if names else "It has no flags."
            return f"{instruction.keyword} has no flag --{flag.name}", hint
        if flag.name in seen and flag.name not in _REPEATED:
            return f"--{flag.name} stands twice", "Take one of the two away."
        seen.add(flag.name)
    return None


def _words(instruction: Instruction) -> tuple[str, str] | None:
    keyword, body = instruction.keyword, instruction.body
    form = f"Write it like this:\n  {_FORMS[keyword]}"
    if not body and keyword not in _NOTHING_ALLOWED:
        return f"{keyword} says nothing more", form
    if keyword in _LISTS and _mixed(body):
        return f"the list of {keyword} has members that are not text", "Put each member in double quotes."
    if keyword == "FROM":
        return _from(body, form)
    if keyword in {"COPY", "ADD"}:
        members = instruction.words if instruction.words is not None else tuple(body.split())
        return None if len(members) > 1 else (f"{keyword} needs a source and a destination", form)
    if keyword == "SHELL" and not instruction.words:
        return "SHELL takes a list in square brackets", form
    if keyword == "ARG" and not all(name for name, _ in definitions(body, "\\")):
        return "ARG has a value without a name", form
    return _pairs(keyword, body) if keyword in _PAIRS else None


def _from(body: str, form: str) -> tuple[str, str] | None:
    words = body.split()
    if len(words) == 1:
        return None
    if len(words) != _FROM_WITH_NAME or words[1].lower() != "as":
        return "FROM takes an image, and AS with a name after it", form
    if not re.fullmatch(r"[a-z][a-z0-9_.-]*", words[2].lower()):
        return f"{words[2]} is not a valid stage name", "A name begins with a letter; then come letters, digits, _ - ."
    return None


def _pairs(keyword: str, body: str) -> tuple[str, str] | None:
    words = quoted_words(body, "\\")
    if words and "=" not in words[0]:
        if len(words) > 1:
            return None
        return f"{keyword} {words[0]} has no value", f"Give it one:\n  {keyword} {words[0]}=VALUE"
    odd = next((word for word in words if "=" not in word), None)
    if odd is not None:
        return f"{odd} in {keyword} has no =", "Put values with blanks into double quotes, or write NAME=VALUE."
    if any(word.startswith("=") for word in words):
        return f"{keyword} has a value without a name", f"Write it like this:\n  {_FORMS[keyword]}"
    return None


def _mixed(body: str) -> bool:
    """Return whether a text is a JSON array with members that are no text."""
    members = json_list(body)
    return members is not None and not all(isinstance(each, str) for each in members)


def read_dockerfile(text: str, file: str = "Dockerfile") -> Dockerfile:
    """Read a Dockerfile.

    Raises:
        UsageError: Something that no builder accepts, with its line and what to write instead.
    """
    (escape, syntax), instructions = read_instructions(text, file)
    if not instructions:
        raise UsageError(
            "this Dockerfile has no instructions", todo="Begin it with a base image:\n  FROM IMAGE", place=file
        )
    _refuse_too_many_stages(instructions, file)
    for instruction in instructions:
        check(instruction, file, newer=bool(syntax))
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
        escape=escape,
        syntax=syntax,
        globals=instructions[:first],
        stages=_stages(instructions[first:], file),
    )


def _refuse_too_many_stages(instructions: Sequence[Instruction], file: str) -> None:
    """Refuse what would take longer to follow than anybody waits: stages take files from each other."""
    stages = [each for each in instructions if each.keyword == "FROM"]
    if len(stages) > _MOST_STAGES:
        raise UsageError(
            f"this Dockerfile has more than {_MOST_STAGES:,} stages",
            todo="Cut it into several, each with an image of its own.",
            place=f"{file}:{stages[_MOST_STAGES].line}",
        )


def read_instructions(text: str, file: str = "Dockerfile") -> tuple[tuple[str, str], tuple[Instruction, ...]]:
    """Cut a text into instructions without judging them; before them stand its escape character and frontend.

    Raises:
        UsageError: A directive is wrong or a here-document has no end, so that it cannot be cut; or it is too long.
    """
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    directives = read_directives(lines, file)
    pieces = cut(lines, directives[0], file)
    if len(pieces) > _MOST_INSTRUCTIONS:
        raise UsageError(
            f"this Dockerfile has {len(pieces):,} instructions",
            why=f"One with more than {_MOST_INSTRUCTIONS:,} is not read: an image has 127 layers at most.",
            todo="Write what belongs together into one RUN, or cut it into several, each with an image of its own.",
            place=f"{file}:{pieces[_MOST_INSTRUCTIONS].starts[0][1]}",
        )
    return directives, tuple(_instruction(piece) for piece in pieces)


def _instruction(piece: LogicalLine, *, kept: bool = False) -> Instruction:
    keyword, rest = [*piece.text.split(maxsplit=1), ""][:2]
    keyword = keyword.upper()
    flags, body = split_flags(rest)
    begin = len(piece.text) - len(body)
    starts = tuple((max(offset - begin, 0), line) for offset, line in piece.starts)
    current = [index for index, (offset, _) in enumerate(starts) if offset == 0]
    # ONBUILD cannot keep another ONBUILD: that is refused by whoever checks it.
    keeps = keyword == "ONBUILD" and bool(rest) and not kept
    return Instruction(
        keyword=keyword,
        text=rest,
        line=piece.starts[0][1],
        end_line=piece.end_line,
        flags=flags,
        body=body,
        words=json_words(body) if keyword in _EXEC_FORMS else None,
        heredocs=piece.heredocs,
        trigger=_instruction(replace(piece, text=rest), kept=True) if keeps else None,
        line_starts=starts[current[-1] :] if current else starts,
    )


def _stages(instructions: tuple[Instruction, ...], file: str) -> tuple[Stage, ...]:
    starts = [index for index, each in enumerate(instructions) if each.keyword == "FROM"]
    ends = [*starts[1:], len(instructions)]
    stages: list[Stage] = []
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        opening, kept = instructions[start], instructions[start + 1 : end]
        base, *rest = opening.body.split()
        name, platform = rest[1].lower() if rest else "", opening.flag("platform") or ""
        for each in kept:
            _check_trigger(each, file)
        stages.append(Stage(index=index, name=name, base=base, platform=platform, opening=opening, instructions=kept))
    return tuple(stages)


def _check_trigger(instruction: Instruction, file: str) -> None:
    """Refuse what ONBUILD cannot keep."""
    if instruction.keyword != "ONBUILD" or instruction.trigger is None:
        return
    if instruction.trigger.keyword in _NOT_KEPT:
        raise UsageError(
            f"ONBUILD {instruction.trigger.keyword} is not allowed",
            todo="Keep another instruction for later, such as:\n  ONBUILD RUN COMMAND",
            place=f"{file}:{instruction.line}",
        )
    check(instruction.trigger, file, newer=True)
