"""Text files that the build itself writes, changes and removes: followed where what they hold is known.

What is not known is never taken for missing: a program that nobody can read may have written any file.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tonnage.forecast.commands.pipes import in_lines
from tonnage.forecast.commands.text_programs import printed_text
from tonnage.forecast.costs.links import behind
from tonnage.model.forecast.effects import (
    ChangeMode,
    Download,
    GitClone,
    Opaque,
    OtherInstall,
    Remove,
    Transfer,
    Unpack,
    WriteFile,
)

if TYPE_CHECKING:
    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.effects import AnyEffect


def follow(files: StageFiles, effect: AnyEffect) -> None:  # noqa: C901 - one branch for each kind
    """Write down what a command does to the files that can be read."""
    match effect:
        case WriteFile():
            text = _written(files, effect)
            before = files.text(effect.path) if effect.appends else ""
            known = text is not None and before is not None and not effect.conditional
            files.put(effect.path, in_lines(effect.path, f"{before}{text}") if known else None)
        case ChangeMode() if effect.program:
            for path in effect.paths:
                text = printed_text((*effect.program, path), None, files.text)
                files.put(path, None if effect.conditional else text)
        case Transfer() if not effect.links or effect.sources:
            for source in effect.sources:
                _copied(files, source, effect)
        case Remove() if not (effect.found or effect.conditional):
            for path in effect.paths:
                files.put(path, None, gone="*" not in path)
        case Download() if effect.path:
            files.put(effect.path, None)
        case GitClone() | Unpack():
            files.unknown.append(effect.directory or "/")
        case Opaque() | OtherInstall():
            files.anything = True


def _written(files: StageFiles, effect: WriteFile) -> str | None:
    if effect.program:
        fed = effect.fed if effect.fed is not None or not effect.fed_from else files.text(effect.fed_from)
        return printed_text(effect.program, fed, lambda path: files.text(_absolute(path, effect.runs_in)))
    return None


def _absolute(path: str, directory: str) -> str:
    return posixpath.normpath(posixpath.join(directory or "/", path))


def _copied(files: StageFiles, source: str, effect: Transfer) -> None:
    into_it = effect.destination.endswith("/") or len(effect.sources) > 1
    name = posixpath.basename(source.rstrip("/"))
    path = posixpath.join(effect.destination, name) if into_it else effect.destination
    # What a symbolic link points to is told from where it lies.
    source = behind(source, path) if effect.links and not effect.hard else source
    text = None if "*" in source else files.text(source)
    if text is None or effect.recursive:
        files.unknown.append(effect.destination)
    if text is not None:
        files.put(path, None if effect.conditional else text)
