"""A later install brings PyTorch once more, over the one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.installs import PythonInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadStage, ReadStep
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.forecast.requirements import Requirement

NAME = "torch-replaced"
_TORCH = "torch"


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for stage in read.stages:
        if stage.in_image:
            yield from _of_stage(stage)


def _of_stage(stage: ReadStage) -> Iterator[Finding]:
    before: tuple[ReadStep, Requirement, str] | None = None
    for step in stage.runs:
        for command, effect in step.found:
            if not isinstance(effect, PythonInstall) or effect.downloads_only or effect.target:
                continue
            torch = next((each for each in effect.requirements if each.name == _TORCH), None)
            index = effect.options.index_url
            renews = effect.installs_again or effect.upgrade
            if torch is None:
                continue
            if before is not None and before[0] is not step and _replaces(before[1], before[2], torch, index, renews):
                yield step.finding(
                    NAME,
                    f"{torch.text} replaces the PyTorch of line {before[0].step.place.line}, which stays below",
                    command,
                    why="A layer cannot remove what is in the layers below: the image has both.",
                    todo="Install it once: the build that is wanted first, and the same version as a constraint later.",
                )
            before = (step, torch, index)


def _replaces(old: Requirement, old_index: str, new: Requirement, new_index: str, renews: bool) -> bool:  # noqa: FBT001 - one call
    """Return whether the second requirement cannot be content with what the first one brought."""
    if renews and (old_index != new_index or old.specifier != new.specifier):
        return True
    return bool(new.specifier) and new.specifier.startswith("==") and _differs(old.specifier, new.specifier)


def _differs(old: str, new: str) -> bool:
    """Return whether an exact version is not satisfied by the one that is there; ``==2.3.1`` is by ``2.3.1+cpu``."""
    if not old.startswith("=="):
        return False
    old, new = old.strip("= "), new.strip("= ")
    return old != new and not ("+" not in new and old.partition("+")[0] == new)


RULE = DockerfileRule(
    name=NAME,
    title="a later install replaces PyTorch",
    why="Where a second instruction installs another version or build of PyTorch, pip removes the first one, and its"
    " bytes stay in the layer below: 0.7 to 5 GB for nothing. That happens with `torch` from an index of its own"
    " and requirements that pin another one later. Only what stands on command lines is compared.",
    before="RUN pip install --no-cache-dir torch==2.3.1\n"
    "RUN pip install --no-cache-dir torch==2.3.1+cpu --index-url https://download.pytorch.org/whl/cpu",
    after="RUN pip install --no-cache-dir torch==2.3.1+cpu --index-url https://download.pytorch.org/whl/cpu",
    check=_check,
)
