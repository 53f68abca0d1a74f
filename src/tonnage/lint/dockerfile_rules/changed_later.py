"""Owner or mode of copied files is changed by a later instruction, which copies them all."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tonnage.forecast.costs.image_paths import covers
from tonnage.lazily import regex
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import ChangeMode
from tonnage.model.forecast.finding import Edit, Fix, Safety

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadCommand, ReadStage, ReadStep
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.forecast.recipe import CopyInstruction

NAME = "changed-later"
_OWNER = regex(r"[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.-]*)?")
_MODE = regex(r"0?[0-7]{3,4}")


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for stage in read.stages:
        for step in stage.runs:
            for command, effect in step.found:
                if isinstance(effect, ChangeMode) and not effect.program:
                    copies = _copied(stage, step, effect)
                    if copies:
                        yield _found(stage, step, command, effect, copies)


def _copied(stage: ReadStage, step: ReadStep, effect: ChangeMode) -> list[ReadStep]:
    """Return the earlier copies whose files are changed."""
    found = []
    for earlier in stage.steps:
        copy = earlier.copy
        if copy is None or earlier.number >= step.number:
            continue
        place = copy.destination.rstrip("/") or "/"
        if any(covers(path, place) and (effect.recursive or _is_file(copy, path)) for path in effect.paths):
            found.append(earlier)
    return found


def _is_file(copy: CopyInstruction, path: str) -> bool:
    """Return whether a path is that of a single file that was copied, by its name."""
    names = {posixpath.basename(source) for source in copy.sources}
    return posixpath.basename(path) in names and "." in posixpath.basename(path)


def _found(
    stage: ReadStage, step: ReadStep, command: ReadCommand, effect: ChangeMode, copies: list[ReadStep]
) -> Finding:
    lines = ", ".join(str(each.step.place.line) for each in copies)
    flag = _flag(command)
    edits = _edits(stage, step, command, effect, copies, flag) if flag else ()
    return step.finding(
        NAME,
        f"{command.program} copies all files of line {lines} into a layer of their own",
        command,
        why="A file whose owner or mode changes is copied whole into the new layer, and stays in the old one.",
        todo=f"Write COPY --{'chmod' if command.program == 'chmod' else 'chown'}=... there instead.",
        fix=Fix(edits=edits, what=f"COPY {flag}", safety=Safety.DECISION) if edits else None,
    )


def _flag(command: ReadCommand) -> str:
    said = next((word for word in command.words if not word.startswith("-")), "")
    if command.command is None or not command.command.known:
        return ""
    if command.program == "chown" and _OWNER.fullmatch(said):
        return f"--chown={said}"
    return f"--chmod={said}" if command.program == "chmod" and _MODE.fullmatch(said) else ""


def _edits(
    stage: ReadStage, step: ReadStep, command: ReadCommand, effect: ChangeMode, copies: list[ReadStep], flag: str
) -> tuple[Edit, ...]:
    """Return the edits; none where something else would keep its owner, or the owner is not there yet at the copy."""
    first = copies[0]
    between = [each for each in stage.steps if first.number < each.number < step.number]
    if len(effect.paths) != 1 or any(each.run is not None for each in between):
        return ()
    place = effect.paths[0].rstrip("/")
    if any((each.copy.destination.rstrip("/") if each.copy else "") != place for each in copies):
        return ()
    option = flag.partition("=")[0][2:]
    if any(each.instruction.flag(option) is not None for each in copies):
        return ()
    if option == "chown" and not _owner_known(stage, first, flag.partition("=")[2]):
        return ()
    without_r = _shallow(step, command)
    if not without_r:
        return ()
    found = [Edit(each.behind_keyword, each.behind_keyword, f" {flag}") for each in copies]
    return (*found, *without_r)


def _owner_known(stage: ReadStage, first: ReadStep, owner: str) -> bool:
    """Return whether the names of user and group are there when the copy is made, as far as this file tells."""
    earlier = " ".join(each.instruction.text for each in stage.steps if each.number < first.number)
    return all(name.isdecimal() or name == "root" or name in earlier.split() for name in owner.split(":") if name)


def _shallow(step: ReadStep, command: ReadCommand) -> tuple[Edit, ...]:
    """Return the edit that leaves the directory itself to the command, and no longer what is in it."""
    span = command.span
    if span is None or command.command is None or step.script is None:
        return ()
    for option in (" -R", " --recursive"):
        at = command.command.text.find(f"{option} ")
        pieces = step.script.pieces(span[0] + at, span[0] + at + len(option)) if at > 0 else None
        if pieces is not None and len(pieces) == 1:
            return (Edit(*pieces[0]),)
    return ()


RULE = DockerfileRule(
    name=NAME,
    aliases=("chown_flag_exists", "prefer-copy-chmod"),
    title="owner or mode of copied files is changed later",
    why="`chown` or `chmod` in a later RUN writes every file that it touches whole into a layer of its own: the image"
    " has them twice. `COPY --chown` and `--chmod` say it where the files come in. The fix leaves the command to the"
    " directory itself, and is made where nothing but copies puts files there and the user exists by then; it needs"
    " BuildKit, so it is only made when you name it.",
    before="COPY . /srv\nRUN chown -R 1000:1000 /srv",
    after="COPY --chown=1000:1000 . /srv\nRUN chown 1000:1000 /srv",
    fixes=Safety.DECISION,
    check=_check,
)
