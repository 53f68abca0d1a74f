"""A Dockerfile as a row of instructions, each with the line it begins on. Nothing is judged; the builder does that.

Understands comments, blank lines and comments inside an instruction, the ``escape`` directive, and here-documents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#\s*(?P<name>[a-zA-Z]+)\s*=\s*(?P<value>.+?)\s*")
_HEREDOC = re.compile(r"<<(?P<dash>-?)(?P<quote>[\"']?)(?P<word>[A-Za-z_][A-Za-z0-9_]*)(?P=quote)")
_WITH_HEREDOC = frozenset({"RUN", "COPY", "ADD"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction.

    Args:
        keyword: Its first word, in capitals.
        text: The rest, continued lines joined as the builder joins them.
        line: The line it begins on, counted from 1.
    """

    keyword: str
    text: str
    line: int


def instructions(dockerfile: str) -> tuple[Instruction, ...]:
    """Cut a Dockerfile into its instructions.

    Args:
        dockerfile: Its text.

    Returns:
        The instructions in their order.
    """
    lines = dockerfile.lstrip("﻿").splitlines()
    escape = _escape(lines)
    found: list[Instruction] = []
    position = 0
    while position < len(lines):
        first = position
        text, position = _joined(lines, position, escape)
        if not text.strip():
            continue
        keyword, _, rest = text.strip().partition(" ")
        instruction = Instruction(keyword.upper(), rest.strip(), first + 1)
        if instruction.keyword in _WITH_HEREDOC:
            for heredoc in _HEREDOC.finditer(instruction.text):
                position = _after_heredoc(lines, position, heredoc["word"], indented=bool(heredoc["dash"]))
        found.append(instruction)
    return tuple(found)


def line_of(dockerfile: str, step: str) -> int | None:
    """Find the line of a step that a builder names, such as ``[stage-1 3/7] RUN pip install``.

    Args:
        dockerfile: The Dockerfile's text.
        step: The step as the builder writes it; of a ``FROM`` the image alone is compared.

    Returns:
        The first line that reads like the step; None when none does, or when steps of one text could be meant.
    """
    wanted = _comparable(re.sub(r"^\[[^\]]*\]\s*", "", step))
    lines = [each.line for each in instructions(dockerfile) if _comparable(f"{each.keyword} {each.text}") == wanted]
    return lines[0] if len(lines) == 1 or (lines and wanted[0] == "FROM") else None


def _comparable(step: str) -> tuple[str, ...]:
    """Return the words that tell a step from others."""
    words = step.split()
    if words[:1] != ["FROM"]:
        return tuple(words)
    image = next((word for word in words[1:] if not word.startswith("--")), "")
    return ("FROM", image.removesuffix(":latest"))


def _escape(lines: list[str]) -> str:
    """Return the character that continues a line; directives stand before everything else."""
    for line in lines:
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None:
            break
        if directive["name"].lower() == "escape":
            return directive["value"]
    return "\\"


def _joined(lines: list[str], position: int, escape: str) -> tuple[str, int]:
    """Join an instruction's lines; comments and blank lines in it are left out."""
    text = ""
    continued = False
    while position < len(lines):
        line = lines[position]
        position += 1
        if line.lstrip().startswith("#") or (continued and not line.strip()):
            if continued:
                continue
            break
        stripped = line.rstrip()
        if not stripped.endswith(escape):
            text += line
            break
        text += stripped.removesuffix(escape)
        continued = True
    return text, position


def _after_heredoc(lines: list[str], position: int, word: str, *, indented: bool) -> int:
    """Return the position after the line that ends a here-document."""
    while position < len(lines):
        line = lines[position].lstrip("\t") if indented else lines[position]
        position += 1
        if line == word:
            break
    return position
