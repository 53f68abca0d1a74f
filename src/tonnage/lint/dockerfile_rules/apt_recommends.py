"""apt installs what packages recommend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import AptInstall
from tonnage.model.forecast.finding import Fix, Safety

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading
    from tonnage.model.forecast.finding import Finding

NAME = "apt-recommends"


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        for command, effect in step.found:
            if not isinstance(effect, AptInstall) or not effect.recommends or effect.upgrades or effect.downloads_only:
                continue
            if not (effect.packages or effect.unread):
                continue
            edits = command.with_option("--no-install-recommends", "install")
            yield step.finding(
                NAME,
                "apt installs what the packages recommend as well",
                command,
                why="Most images need none of it. Name the packages that yours needs.",
                todo="Add --no-install-recommends, and name what of it is needed.",
                fix=Fix(edits=edits, what="add --no-install-recommends", safety=Safety.DECISION) if edits else None,
            )


RULE = DockerfileRule(
    name=NAME,
    aliases=("DL3015", "DD003", "DS-0029", "apt_get_not_avoiding_additional_packages"),
    title="apt installs recommended packages",
    why="Without `--no-install-recommends` apt installs what may be useful beside a package: curl is 86 MB with it"
    " and 38 MB without, ffmpeg 760 MB and 517 MB. Something of it may be needed, such as ca-certificates beside curl,"
    " so this is only changed when you name it. An image whose settings of apt turn recommends off is"
    " not found.",
    before="RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*",
    after="RUN apt-get update && apt-get install --no-install-recommends -y curl && rm -rf /var/lib/apt/lists/*",
    fixes=Safety.DECISION,
    check=_check,
)
