"""Packages of the base image are replaced, and stay below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import AptInstall, OtherInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading
    from tonnage.model.forecast.finding import Finding

NAME = "system-upgrade"
_UPGRADES = frozenset({"upgrade", "update", "up", "dup", "-Syu", "-Syyu"})
_OF_LISTS = frozenset({"apk"})


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        for command, effect in step.found:
            apt = isinstance(effect, AptInstall) and effect.upgrades
            other = (
                isinstance(effect, OtherInstall)
                and effect.action in _UPGRADES
                and effect.manager in {"apk", "dnf", "microdnf", "yum", "zypper", "pacman"}
                and not (effect.manager in _OF_LISTS and effect.action == "update")
                and not effect.packages
            )
            if apt or other:
                yield step.finding(
                    NAME,
                    "packages of the base image are replaced, and stay in its layers",
                    command,
                    why="Replaced packages are stored twice, and each build may install other versions.",
                    todo="Stand on a newer base image, and name single packages where one has to be newer.",
                )


RULE = DockerfileRule(
    name=NAME,
    aliases=("DL3005", "DL3017", "DL3031", "DL3035", "DD013", "DD026", "DS-0024", "DKL-DI-0003"),
    title="packages of the base image are replaced",
    why="A layer cannot take away what is in the layers below. Every package that an upgrade replaces is in the image"
    " twice, and no service shares these bytes with another. A newer tag or digest of the base image has the same"
    " packages once.",
    before="RUN apt-get update && apt-get upgrade -y && rm -rf /var/lib/apt/lists/*",
    after="# FROM a newer tag of the base image",
    check=_check,
)
