"""How one command is taken out of a script that is written over several lines: comments between them stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.forecast.finding import Edit

if TYPE_CHECKING:
    from tonnage.lint.reading import ReadCommand, ReadStep

_JOINT_BEHIND = regex(r"\s*(?:&&|;)\s*")


def cut_out(step: ReadStep, command: ReadCommand) -> tuple[Edit, ...]:
    """Return the edit that takes a command and what joins it to its neighbours away; none where it has no place."""
    if command.span is None or step.script is None:
        return ()
    begin, end = command.span
    text = step.script.text
    behind = step.script.behind(end)
    if behind is None:
        return ()
    joined_at = _joined_at(text, begin)
    if joined_at is not None:
        start = step.script.behind(joined_at)
        return () if start is None else (_between(step, start, behind),)
    at = step.script.at(begin)
    if at is None:
        return ()
    line, _ = step.lines.position(at)
    if step.instruction.heredocs and step.lines.line(line).strip() == text[begin:end]:
        return (Edit(*step.lines.whole(line, line)),)
    joint = _JOINT_BEHIND.match(text, end)
    following = None if joint is None else step.script.at(joint.end())
    if following is None or "#" in step.lines.text[behind:following]:
        return ()
    return (Edit(at, following),)


def _joined_at(text: str, begin: int) -> int | None:
    """Return where the command before ends, where one is joined to this one; None where none is, or on another line."""
    before = text[:begin].rstrip()
    joint = next((each for each in ("&&", ";") if before.endswith(each)), "")
    end = len(before.removesuffix(joint).rstrip())
    return end if joint and end and "\n" not in text[end:begin] else None


def _between(step: ReadStep, start: int, end: int) -> Edit:
    """Return the edit that takes away what stands between the command before, and the end of one; comments stay."""
    lines, escape = step.lines, step.stage.read.dockerfile.escape
    first, *others = lines.text[start:end].split("\n")
    comments = [each.rstrip("\r") for each in others[:-1] if each.lstrip().startswith("#")]
    if not comments:
        return Edit(start, end)
    newline = lines.newline
    line, _ = lines.position(end)
    rest = lines.text[end : lines.begin(line + 1)]
    if line >= step.instruction.end_line and not rest.strip():
        # Nothing continues any more: they stand behind the instruction.
        return Edit(start, end, newline + newline.join(comments))
    kept = f"{first.rstrip()}{newline}{newline.join(comments)}{newline}"
    if first.strip().removesuffix(escape).strip():
        # What joined it stands before it: what joins the next one to it goes.
        joint = _JOINT_BEHIND.match(rest)
        rest = rest[joint.end() :] if joint is not None else rest
    if not rest.strip().removesuffix(escape).strip():
        return Edit(start, lines.begin(line + 1), kept)
    return Edit(start, lines.begin(line + 1) - len(rest.lstrip()), f"{kept}{lines.indent(line)}")
