"""An archive is copied into the image and unpacked there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.dockerfile_rules.made_files import lent, made_by, mentions, mount_of, removing
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import Unpack
from tonnage.model.forecast.finding import Fix, Safety

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.dockerfile_rules.made_files import MadeFiles
    from tonnage.lint.reading import DockerfileReading, ReadCommand, ReadStage, ReadStep
    from tonnage.model.forecast.finding import Finding

NAME = "copied-archive"


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for stage in read.stages:
        for step in stage.steps:
            if step.copy is None or step.copy.adds:
                continue
            for made in made_by(step):
                found = _unpacked(stage, made)
                # What is removed later is the finding of another rule.
                if found is not None and removing(stage, made) is None:
                    yield _found(stage, made, *found)


def _unpacked(stage: ReadStage, made: MadeFiles) -> tuple[ReadStep, ReadCommand] | None:
    for step in stage.runs:
        if step.number > made.step.number:
            for command, effect in step.found:
                if isinstance(effect, Unpack) and effect.archive == made.path:
                    return step, command
    return None


def _found(stage: ReadStage, made: MadeFiles, step: ReadStep, command: ReadCommand) -> Finding:
    users = [each for each in stage.steps if each.number > made.step.number and mentions(each, made.path)]
    alone = len(users) == 1 and step.run is not None and step.run.words is None
    mount = mount_of(made, writable=False) if alone else None
    return step.finding(
        NAME,
        f"{made.path} is unpacked here, and stays beside what comes out of it",
        command,
        why=f"The layer of line {made.step.step.place.line} has the archive.",
        todo="Let ADD unpack it, or lend it with RUN --mount=type=bind.",
        fix=None
        if mount is None
        else Fix(edits=lent(made, step, mount), what="lend the archive to the instruction", safety=Safety.DECISION),
    )


RULE = DockerfileRule(
    name=NAME,
    aliases=("DL3010", "prefer-add-unpack"),
    title="an archive is copied, and unpacked by a later instruction",
    why="The archive stays in the layer of the COPY, and what comes out of it is in the next one. A mount of type bind"
    " lends it to the instruction that unpacks it; ADD unpacks an archive of the context without keeping it. Something"
    " outside of the Dockerfile may want to read the archive, so this is only changed when you name it.",
    before="COPY model.tar.gz /tmp/model.tar.gz\nRUN tar -xzf /tmp/model.tar.gz -C /srv",
    after="RUN --mount=type=bind,source=model.tar.gz,target=/tmp/model.tar.gz tar -xzf /tmp/model.tar.gz -C /srv",
    fixes=Safety.DECISION,
    check=_check,
)
