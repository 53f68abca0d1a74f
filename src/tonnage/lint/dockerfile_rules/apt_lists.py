"""``apt-get update`` leaves package lists in the layer."""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

from tonnage.lint.dockerfile_rules.cleaning import removed_behind
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import AptClean, AptInstall, AptUpdate
from tonnage.model.forecast.finding import Fix, Safety

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tonnage.lint.reading import DockerfileReading, ReadStep
    from tonnage.model.forecast.finding import Finding

NAME = "apt-lists"
_LISTS = "/var/lib/apt/lists"


def _check(read: DockerfileReading) -> Iterator[Finding]:
    installing = _installing(read)
    for step in read.runs:
        updates = [
            command
            for command, effect in step.found
            if isinstance(effect, AptUpdate) and not effect.lists_mounted and not effect.conditional
        ]
        if not updates:
            continue
        cleaned = (
            isinstance(effect, AptClean) and effect.lists
            for later in step.behind(updates[-1])
            for effect in later.effects
        )
        if any(cleaned) or removed_behind(step, updates[-1], _LISTS):
            continue
        needing = _needing(read, step, installing)
        edits = () if needing is not None else step.appended(f"rm -rf {_LISTS}/*", updates[-1])
        todo = f"End the instruction with\n  && rm -rf {_LISTS}/*"
        if needing is not None:
            line = needing.step.place.line
            todo = (
                f"Line {line} installs from these lists: put both into one RUN, and end it with\n  && rm -rf {_LISTS}/*"
            )
        yield step.finding(
            NAME,
            "apt-get update leaves package lists in the layer",
            updates[-1],
            why=f"They are in {_LISTS}. Removing them in a later instruction frees nothing: this layer keeps them.",
            todo=todo,
            fix=Fix(edits=edits, what="remove the lists at the end of the instruction") if edits else None,
        )


def _installing(read: DockerfileReading) -> dict[int, list[ReadStep]]:
    """Return the instructions of each stage that install from lists of earlier ones."""
    return {stage.stage.index: [step for step in stage.runs if _installs(step)] for stage in read.stages}


def _installs(step: ReadStep) -> bool:
    for _, effect in step.found:
        if isinstance(effect, AptUpdate):
            return False
        if isinstance(effect, AptInstall) and not effect.files:
            return True
    return False


def _needing(read: DockerfileReading, step: ReadStep, installing: Mapping[int, Sequence[ReadStep]]) -> ReadStep | None:
    """Return the first later instruction that installs from the lists of this one."""
    stages = {step.stage.stage.index}
    for stage in read.stages:
        index = stage.stage.index
        if stage.stage.base.stage in stages:
            stages.add(index)
        if index not in stages:
            continue
        its = installing[index]
        at = 0
        if index == step.stage.stage.index:
            at = bisect_right(its, step.number, key=attrgetter("number"))
        if at < len(its):
            return its[at]
    return None


RULE = DockerfileRule(
    name=NAME,
    aliases=("DL3009", "DD004", "DKL-DI-0005", "CIS-DI-0007", "DS-0017", "apt_get_install_lists_were_not_deleted"),
    title="apt's package lists stay in the layer",
    why="`apt-get update` fetches lists of all packages, 20 MB on Debian 12 and twice that on Ubuntu. They are removed"
    " at the end of the same instruction: what a later one removes only hides them. Lists on a cache mount or tmpfs"
    " are not found, and nothing is changed where a later instruction installs from them.",
    before="RUN apt-get update && apt-get install -y --no-install-recommends git",
    after="RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*",
    fixes=Safety.SAFE,
    check=_check,
)
