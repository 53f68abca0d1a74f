"""All sources are copied before packages are installed, so that every change installs them again."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import AptClean, AptInstall, AptUpdate, Remove
from tonnage.model.forecast.finding import Edit, Fix, Safety
from tonnage.model.forecast.installs import PythonInstall
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadStage, ReadStep
    from tonnage.model.forecast.finding import Finding

NAME = "copied-before-install"
_SYSTEM = (AptInstall, AptUpdate, AptClean, Remove)


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for stage in read.stages:
        for index, step in enumerate(stage.steps):
            if _copies_all(step):
                install = _install(stage, index, step)
                if install is not None:
                    yield _found(step, *install)


def _copies_all(step: ReadStep) -> bool:
    copy = step.copy
    return (
        copy is not None
        and copy.origin.kind is FileSourceKind.CONTEXT
        and not copy.adds
        and any(posixpath.normpath(each) in {".", "/"} for each in copy.sources)
    )


def _install(stage: ReadStage, index: int, copied: ReadStep) -> tuple[ReadStep, tuple[str, ...], bool] | None:
    """Return the first install behind a copy that needs requirement files alone, these, and whether all is known."""
    assert copied.copy is not None  # noqa: S101 - asked for copies alone
    into = copied.copy.destination.rstrip("/") or "/"
    plain = True
    for step in stage.steps[index + 1 :]:
        if step.copy is not None:
            return None
        if step.run is None:
            continue
        installs = [effect for _, effect in step.found if isinstance(effect, PythonInstall)]
        files = tuple(each for effect in installs for each in effect.requirement_files)
        inside = [each for each in files if posixpath.dirname(each) == into or each.startswith(f"{into.rstrip('/')}/")]
        if inside:
            local = any(effect.project_directory or _is_local(effect) for effect in installs)
            return (
                None if local else (step, tuple(dict.fromkeys(inside)), plain and len(step.commands) == len(installs))
            )
        plain = plain and all(isinstance(effect, _SYSTEM) for _, effect in step.found) and bool(step.commands)
    return None


def _is_local(effect: PythonInstall) -> bool:
    return any(each.location and not each.location.startswith("http") for each in effect.requirements)


def _found(copied: ReadStep, install: ReadStep, files: tuple[str, ...], plain: bool) -> Finding:  # noqa: FBT001 - one call
    assert copied.copy is not None  # noqa: S101 - as above
    into = copied.copy.destination.rstrip("/") or "/"
    names = [posixpath.relpath(each, into) for each in files]
    lines = copied.lines
    own = copied.instruction
    text = lines.text[slice(*lines.whole(own.line, own.end_line))]
    behind = lines.whole(install.instruction.line, install.instruction.end_line)[1]
    at = lines.begin(own.line)
    first = "".join(f"COPY {name} {posixpath.join(into, name)}{lines.newline}" for name in names)
    # A file that ends without a line end needs one before what comes behind it.
    before = "" if lines.text[:behind].endswith("\n") else lines.newline
    moved = f"{before}{text.rstrip(lines.newline)}" if before else text
    edits = (Edit(at, at + len(text), first), Edit(behind, behind, moved))
    then = install.instruction.end_line - (own.end_line - own.line + 1) + len(names) + 1
    return copied.finding(
        NAME,
        f"all sources are copied here, and line {install.step.place.line} installs after it",
        why="Each change of any file installs all packages again, and the build cache keeps both installs.",
        todo=f"Copy {', '.join(names)} first, install, and then copy the rest.",
        fix=Fix(edits=edits, what="copy the requirement files first", safety=Safety.DECISION) if plain else None,
        changes_at=(own.line, then) if plain else None,
    )


RULE = DockerfileRule(
    name=NAME,
    title="sources are copied before packages are installed",
    why="The layer of an install is made again when a file changes that was copied before it. With all sources before"
    " it, a change of one line installs every wheel again, and until it is reclaimed the build cache has the packages"
    " twice: 5 GB for each change, with PyTorch and CUDA. With the requirement file alone before it, a change of code"
    " costs the sources. Services with the same requirement file then share that layer, too. The fix is made where"
    " nothing else runs in between; a requirement file that names others needs them copied as well, so it is only made"
    " when it is asked for by name.",
    before="FROM python:3.12-slim\nWORKDIR /srv\nCOPY . .\nRUN pip install --no-cache-dir -r requirements.txt",
    after="FROM python:3.12-slim\nWORKDIR /srv\nCOPY requirements.txt /srv/requirements.txt\n"
    "RUN pip install --no-cache-dir -r requirements.txt\nCOPY . .",
    fixes=Safety.DECISION,
    check=_check,
)
