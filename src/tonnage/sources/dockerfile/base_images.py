"""What can be told of a Dockerfile that a builder has not accepted yet: its bases, its images, the line of a step.

Nothing is refused here: what cannot be read is left to the builder, which says so itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.references import tagged
from tonnage.sources.dockerfile.lines import definitions
from tonnage.sources.dockerfile.parser import read_instructions
from tonnage.sources.substitution import Growth, Lexer, SubstitutionError
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.forecast.dockerfile import Instruction

_NAMED_IMAGE = "docker-image://"
# Source: release notes of the frontend: named contexts since 1.4.
_FRONTEND = regex(
    r"(?:docker\.io/)?docker/dockerfile(?::(?:latest|1(?:\.(?P<minor>\d{1,3})(?:\.\d+)?)?(?:-labs)?))?(?:@.+)?"
)
_NAMED_CONTEXTS_SINCE = 4
_FROM = regex(r"(?:^|,)\s*from=(?P<name>[^,]+)")


def instructions(dockerfile: str) -> tuple[Instruction, ...]:
    """Cut a Dockerfile into its instructions; none where it cannot be cut."""
    try:
        return read_instructions(dockerfile)[1]
    except UsageError:
        return ()


def line_of(dockerfile: str, step: str) -> int | None:
    """Find the line of a step that a builder names, such as ``[stage-1 3/7] RUN pip install``.

    None when no line reads like the step, or when steps of one text could be meant.
    """
    wanted = _comparable(re.sub(r"^\[[^\]]*\]\s*", "", step))
    lines = [each.line for each in instructions(dockerfile) if _comparable(f"{each.keyword} {each.text}") == wanted]
    return lines[0] if len(lines) == 1 or (lines and wanted[0] == "FROM") else None


def base_reference(
    dockerfile: str, arguments: Mapping[str, str], target: str = "", contexts: Mapping[str, str] | None = None
) -> str:
    """Find the image that the target (the last stage without one) stands on, through the stages below it.

    Empty for ``scratch`` and where it cannot be told.
    """
    stages = _stages(instructions(dockerfile), arguments)
    chosen = _chosen(stages, target.lower()) if target else len(stages) - 1
    return "" if chosen is None or chosen < 0 else _bottoms(stages, contexts or {})[chosen]


def images_in(dockerfile: str, arguments: Mapping[str, str], contexts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the images from outside that a Dockerfile names, in the order of their first use."""
    read = instructions(dockerfile)
    stages = _stages(read, arguments)
    bottoms = _bottoms(stages, contexts)
    found: dict[str, None] = {}
    names: set[str] = set()
    index = -1
    for instruction in read:
        if instruction.keyword == "FROM":
            index += 1
            found[bottoms[index]] = None
            names.add(stages[index][1])
            continue
        for origin in _copied_from(instruction):
            if not (origin.isdecimal() or origin.lower() in names or origin in contexts or "$" in origin):
                found[origin] = None
    return tuple(reference for reference in found if reference)


def why_base_stays(dockerfile: str, arguments: Mapping[str, str], reference: str, line: int = 0) -> str:
    """Return why an image that a Dockerfile names cannot be put in another one's place; empty where it can.

    It has to be the base of one stage, in a line that holds nothing else, and named nowhere else.

    Args:
        line: Where the stage begins; then others may stand on the same image.
    """
    read = instructions(dockerfile)
    openings = [each for each in _openings(read, arguments, reference) if line in {0, each.line}]
    if frontend := _strange_frontend(dockerfile):
        return f"{frontend} reads it, which may know no other base"
    if len(openings) != 1:
        return f"{len(openings)} stages stand on {reference}" if openings else f"no stage stands on {reference}"
    if any(tagged(origin) == tagged(reference) for each in read for origin in _copied_from(each)):
        return f"files are copied from {reference} besides"
    opening = openings[0]
    words = dockerfile.split("\n")[opening.line - 1].split()
    if opening.line != opening.end_line or words[:1] != ["FROM"] or words[1:] != opening.text.split():
        return "the line of its FROM is not read with certainty"
    return ""


def stages_on(dockerfile: str, arguments: Mapping[str, str], reference: str) -> int:
    """Return how many stages begin on an image from outside."""
    return len(_openings(instructions(dockerfile), arguments, reference))


def _strange_frontend(dockerfile: str) -> str:
    """Return what a Dockerfile asks to be read by, where that is not known to take other images for its bases."""
    try:
        (_, syntax), _ = read_instructions(dockerfile)
    except UsageError:
        return ""
    known = not syntax or _FRONTEND.fullmatch(syntax)
    minor = known["minor"] if isinstance(known, re.Match) else None
    return "" if known and (minor is None or int(minor) >= _NAMED_CONTEXTS_SINCE) else syntax


def with_base(dockerfile: str, arguments: Mapping[str, str], reference: str, other: str, line: int = 0) -> str:
    """Return a Dockerfile whose stage on ``reference`` stands on ``other``, line by line the same.

    Args:
        line: Where the stage begins, of several on that image.
    """
    read = instructions(dockerfile)
    [opening] = [each for each in _openings(read, arguments, reference) if line in {0, each.line}]
    lines = dockerfile.split("\n")
    flags = [word for word in opening.text.split() if word.startswith("--")]
    _, *named = opening.body.split()
    lines[opening.line - 1] = " ".join(("FROM", *flags, other, *named))
    return "\n".join(lines)


def _openings(read: tuple[Instruction, ...], arguments: Mapping[str, str], reference: str) -> list[Instruction]:
    """Return the instructions that open stages on an image from outside."""
    stages = _stages(read, arguments)
    openings = [each for each in read if each.keyword == "FROM"]
    before: set[str] = set()
    found = []
    for opening, (base, name) in zip(openings, stages, strict=True):
        if base.lower() not in before and base and tagged(base) == tagged(reference):
            found.append(opening)
        before.add(name)
    return found


def _copied_from(instruction: Instruction) -> tuple[str, ...]:
    copied = tuple(flag.value for flag in instruction.flags if flag.name == "from" and flag.value)
    mounts = (flag.value for flag in instruction.flags if flag.name == "mount")
    return (*copied, *(match["name"] for mount in mounts for match in _FROM.finditer(mount)))


def _stages(read: tuple[Instruction, ...], arguments: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return what each stage stands on, variables put in, and its name."""
    values: dict[str, str] = {}
    lexer = Lexer(growth=Growth())
    stages: list[tuple[str, str]] = []
    for instruction in read:
        if instruction.keyword == "ARG" and not stages:
            for name, default in definitions(instruction.body, "\\"):
                values[name] = arguments.get(name, _substituted(lexer, default or "", values))
        elif instruction.keyword == "FROM":
            words = instruction.body.split()
            alias = words[2] if len(words) > 2 and words[1].lower() == "as" else ""  # noqa: PLR2004 - FROM x AS y
            stages.append((_substituted(lexer, words[0], values) if words else "", alias.lower()))
    return stages


def _bottoms(stages: list[tuple[str, str]], named: Mapping[str, str]) -> list[str]:
    """Return the image that each stage stands on, through the stages below it; empty where that is none."""
    found: list[str] = []
    by_name: dict[str, str] = {}
    for reference, name in stages:
        if reference in named:
            image = named[reference]
            bottom = image.removeprefix(_NAMED_IMAGE) if image.startswith(_NAMED_IMAGE) else ""
        elif reference.lower() in by_name:
            bottom = by_name[reference.lower()]
        else:
            bottom = "" if reference == "scratch" else reference
        found.append(bottom)
        if name:
            by_name[name] = bottom
    return found


def _chosen(stages: list[tuple[str, str]], target: str) -> int | None:
    for index, (_, alias) in enumerate(stages):
        if alias == target:
            return index
    number = told_count(target)
    return number if number is not None and number < len(stages) else None


def _substituted(lexer: Lexer, text: str, values: Mapping[str, str]) -> str:
    """Put variables into a text; nothing where the builder would refuse it."""
    try:
        return lexer.expand(text, values)
    except SubstitutionError:
        return ""


def _comparable(step: str) -> tuple[str, ...]:
    words = step.split()
    if words[:1] != ["FROM"]:
        return tuple(words)
    image = next((word for word in words[1:] if not word.startswith("--")), "")
    return ("FROM", image.removesuffix(":latest"))
