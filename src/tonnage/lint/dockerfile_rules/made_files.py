"""What instructions make that later ones take away, and how a file is lent to one instruction instead of copied."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.forecast.effects import Download, GitClone, Remove
from tonnage.model.forecast.finding import Edit
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import ReadCommand, ReadStage, ReadStep

_PATTERN = frozenset("*?[")


class MadeFiles(Struct, frozen=True, kw_only=True, eq=False):
    """A file or directory that one instruction makes.

    Args:
        path: Absolute, without a slash at its end.
        command: The command that makes it; None for a ``COPY`` or ``ADD``.
    """

    path: str
    step: ReadStep
    command: ReadCommand | None = None


def made_by(step: ReadStep) -> Iterator[MadeFiles]:
    """Return what an instruction makes under a path that is known."""
    copy = step.copy
    if copy is not None and len(copy.sources) == 1 and not copy.inline and not copy.parents:
        source = copy.sources[0]
        name = posixpath.basename(source.rstrip("/"))
        into = copy.destination.endswith("/") and "." in name.strip(".") and not _PATTERN & set(name)
        path = posixpath.join(copy.destination, name) if into else copy.destination
        yield MadeFiles(path=path.rstrip("/") or "/", step=step)
    for command, effect in step.found:
        if isinstance(effect, Download) and effect.path and step.copy is None:
            yield MadeFiles(path=effect.path.rstrip("/"), step=step, command=command)
        elif isinstance(effect, GitClone) and effect.directory and step.copy is None:
            yield MadeFiles(path=effect.directory.rstrip("/"), step=step, command=command)


def mentions(step: ReadStep, path: str) -> bool:
    """Return whether an instruction may read or change what lies at a path, by the names that it has."""
    name = posixpath.basename(path)
    copy = step.copy
    if copy is not None:
        inside = f"{copy.destination.rstrip('/')}/"
        return inside.startswith(f"{path}/") or path.startswith(inside)
    text = step.instruction.text
    bodies = "".join(each.body for each in step.instruction.heredocs)
    return name in text or name in bodies or _stands_in(step, path)


def _stands_in(step: ReadStep, path: str) -> bool:
    """Return whether a command runs in the directory, or in one below it."""
    directories = {step.step.surroundings.working_directory}
    directories |= {each.command.working_directory for each in step.commands if each.command is not None}
    return any(each == path or each.startswith(f"{path}/") for each in directories)


def removing(stage: ReadStage, made: MadeFiles) -> tuple[ReadStep, ReadCommand] | None:
    """Return the first later instruction that removes just this path, and the command that does."""
    for step in stage.runs:
        if step.number <= made.step.number:
            continue
        for command, effect in step.found:
            plain = isinstance(effect, Remove) and not effect.found and not effect.conditional
            if plain and isinstance(effect, Remove) and _names(effect.paths, made.path):
                return step, command
    return None


def _names(paths: tuple[str, ...], path: str) -> bool:
    return any(each.rstrip("/") == path or each == f"{path}/*" for each in paths)


def mount_of(made: MadeFiles, *, writable: bool) -> str | None:
    """Return the mount that lends what a ``COPY`` brings; None where none can.

    Only what is copied as it is can be lent: one path, without another owner or mode.
    """
    copy = made.step.copy
    if copy is None or copy.owner or copy.mode or copy.excludes or copy.adds or made.path == "/":
        return None
    source = copy.sources[0]
    if _PATTERN & set(source) or " " in source or "," in source or '"' in source:
        return None
    written = made.step.instruction.flag("from")
    if copy.origin.kind in {FileSourceKind.STAGE, FileSourceKind.IMAGE, FileSourceKind.NAMED} and written:
        if "$" in written:
            return None
        source = f"/{source.strip('/')}"
        start = f"from={written},source={source}"
    elif copy.origin.kind is FileSourceKind.CONTEXT:
        source = source.strip("/").removeprefix("./") or "."
        start = f"type=bind,source={source}"
    else:
        return None
    return f"--mount={start},target={made.path}{',rw' if writable else ''}"


def lent(made: MadeFiles, user: ReadStep, mount: str) -> tuple[Edit, ...]:
    """Return the edits that put a mount in place of a copy."""
    at = user.behind_keyword
    return (made.step.removed(), Edit(at, at, f" {mount}"))
