"""Something is removed by a later instruction than the one that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.dockerfile_rules.made_files import lent, made_by, mentions, mount_of, removing
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import Nothing
from tonnage.model.forecast.finding import Fix, Safety
from tonnage.model.forecast.installs import PythonInstall
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.lint.dockerfile_rules.made_files import MadeFiles
    from tonnage.lint.reading import DockerfileReading, ReadCommand, ReadStage, ReadStep
    from tonnage.model.forecast.finding import Edit, Finding

NAME = "removed-later"
_FROM_ELSEWHERE = frozenset({FileSourceKind.STAGE, FileSourceKind.IMAGE})


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for stage in read.stages:
        for step in stage.steps:
            for made in made_by(step):
                found = removing(stage, made)
                if found is not None:
                    yield _found(stage, made, *found)


def _found(stage: ReadStage, made: MadeFiles, remover: ReadStep, command: ReadCommand) -> Finding:
    users = [
        each
        for each in stage.steps
        if made.step.number < each.number <= remover.number
        and mentions(each, made.path)
        and (each is not remover or _used_before(each, command, made.path))
    ]
    fix = _fix(made, users, remover, command)
    elsewhere = made.step.copy is not None and made.step.copy.origin.kind in _FROM_ELSEWHERE
    what = "lend it to the instruction that needs it" if made.step.copy is not None else "remove it where it is made"
    return remover.finding(
        NAME,
        f"{made.path} is removed here, and stays in the layer of line {made.step.step.place.line}",
        command,
        why="A later layer can only hide files of an earlier one.",
        todo=(
            f"Lend it with RUN --mount={'from=...,' if elsewhere else 'type=bind,'}source=...,target={made.path}."
            if made.step.copy is not None
            else f"Remove it in the RUN of line {made.step.step.place.line}, in which it is made."
        ),
        fix=None if fix is None else Fix(edits=fix[0], what=what, safety=fix[1]),
    )


def _used_before(step: ReadStep, command: ReadCommand, path: str) -> bool:
    """Return whether the removing instruction needs what it removes: it does more than to remove."""
    name = path.rpartition("/")[2]
    return (
        any(
            each is not command
            and each.command is not None
            and (name in each.command.text or name in step.instruction.text)
            for each in step.commands
        )
        and len([each for each in step.commands if each.command is not None]) > 1
    )


def _fix(
    made: MadeFiles, users: Sequence[ReadStep], remover: ReadStep, command: ReadCommand
) -> tuple[tuple[Edit, ...], Safety] | None:
    """Return the edits that leave nothing behind; None where more than one instruction needs it."""
    rest = [word for word in command.words if not word.startswith("-")]
    gone = remover.without(command) if len(rest) == 1 else ()
    if not gone:
        return None
    if made.step.copy is None:
        if users or made.command is None:
            return None
        removal = made.step.appended(f"rm -rf {made.path}") if " " not in made.path else ()
        # What runs it is not known to need it no longer when its own instruction ends.
        return ((*removal, *gone), Safety.SAFE) if removal else None
    if len(users) != 1 or users[0].run is None or users[0].run.words is not None:
        return None
    user = users[0]
    reads = all(isinstance(effect, PythonInstall | Nothing) for each, effect in user.found if each is not command)
    mount = mount_of(made, writable=not reads)
    if mount is None:
        return None
    if user is remover and len(gone) == 1 and gone[0] == remover.removed():
        return None
    return (*lent(made, user, mount), *gone), Safety.SAFE


RULE = DockerfileRule(
    name=NAME,
    aliases=("DD016", "W1"),
    title="something is removed by a later instruction",
    why="What one layer has, a later one can only hide: the bytes stay, and are pulled and pushed with the image."
    " A wheelhouse that is copied from a stage, installed and removed has cost published images 5 to 25 % of their"
    " size. `RUN --mount` lends it to the one instruction that needs it. What one RUN fetches, the same RUN has to"
    " remove. The fix is made where exactly one instruction uses it; it needs BuildKit.",
    before="COPY --from=build /wheels /wheels\nRUN pip install --no-cache-dir /wheels/* && rm -rf /wheels",
    after="RUN --mount=from=build,source=/wheels,target=/wheels pip install --no-cache-dir /wheels/*",
    fixes=Safety.SAFE,
    check=_check,
)
