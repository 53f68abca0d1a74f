"""apt keeps the packages that it fetched, where an image does not clean up by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.costs.image_paths import any_covers
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import AptClean, AptInstall, Remove
from tonnage.model.forecast.finding import Fix, Safety

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadStage
    from tonnage.model.forecast.finding import Finding

NAME = "apt-archives"
# Images of Debian and Ubuntu have apt remove its packages by this file.
_CLEANS = "/etc/apt/apt.conf.d/docker-clean"


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for stage in read.stages:
        yield from _of_stage(stage)


def _of_stage(stage: ReadStage) -> Iterator[Finding]:
    keeps = False
    for step in stage.runs:
        for command, effect in step.found:
            if isinstance(effect, Remove) and any_covers(effect.paths, _CLEANS):
                keeps = True
            if not keeps or not isinstance(effect, AptInstall) or effect.cache_mounted or effect.downloads_only:
                continue
            later = [each for one in step.behind(command) for each in one.effects]
            if any(isinstance(each, AptClean) and each.archives for each in later):
                continue
            if any(isinstance(each, AptInstall) for each in later):
                continue
            edits = step.appended("apt-get clean", command)
            yield step.finding(
                NAME,
                "apt keeps the packages that it fetched in the layer",
                command,
                why=f"{_CLEANS}, by which the image removes them, was taken away.",
                todo="End the instruction with\n  && apt-get clean",
                fix=Fix(edits=edits, what="clean at the end of the instruction") if edits else None,
            )


RULE = DockerfileRule(
    name=NAME,
    aliases=("DD002",),
    title="apt keeps its packages in the layer",
    why="Images of Debian and Ubuntu remove what apt fetched by themselves. A Dockerfile that takes `docker-clean`"
    " away, for a cache mount, has to mount that cache in every instruction that installs, or to clean behind it.",
    before="RUN rm -f /etc/apt/apt.conf.d/docker-clean\nRUN apt-get update && apt-get install -y git"
    " && rm -rf /var/lib/apt/lists/*",
    after="RUN rm -f /etc/apt/apt.conf.d/docker-clean\nRUN apt-get update && apt-get install -y git"
    " && rm -rf /var/lib/apt/lists/* && apt-get clean",
    fixes=Safety.SAFE,
    check=_check,
)
