"""uv leaves its cache in the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.dockerfile_rules.cleaning import removed_behind
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import PythonRemove
from tonnage.model.forecast.finding import Fix, Safety
from tonnage.model.forecast.installs import CacheKind, PythonInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading
    from tonnage.model.forecast.finding import Finding

NAME = "uv-cache"


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        for command, effect in step.found:
            if not isinstance(effect, PythonInstall) or not effect.installer.is_uv:
                continue
            if effect.cache.kind is not CacheKind.IN_LAYER or removed_behind(step, command, effect.cache.directory):
                continue
            emptied = (
                isinstance(each, PythonRemove) and each.cache_of is not None and each.cache_of.is_uv
                for later in step.behind(command)
                for each in later.effects
            )
            if any(emptied):
                continue
            edits = command.with_option("--no-cache", "install", "sync", "add")
            copies = effect.link_mode == "copy"
            yield step.finding(
                NAME,
                "uv keeps its cache in the layer",
                command,
                why="With UV_LINK_MODE=copy every file is there twice."
                if copies
                else "What is installed is linked to it, but what it knows of packages and archives comes on top.",
                todo="Add --no-cache.",
                fix=Fix(edits=edits, what="add --no-cache") if edits else None,
            )


RULE = DockerfileRule(
    name=NAME,
    aliases=("prefer-package-cache-mounts",),
    title="uv keeps its cache in the layer",
    why="uv unpacks wheels into its cache and links what it installs to it: in one layer that costs 7 to 22 MB. With"
    " `UV_LINK_MODE=copy`, or with the cache on another filesystem, everything is kept twice. An install with a cache"
    " mount or `UV_NO_CACHE` is not found; what a mount costs instead, cache-mount says.",
    before="RUN uv pip install --system -r requirements.txt",
    after="RUN uv pip install --no-cache --system -r requirements.txt",
    fixes=Safety.SAFE,
    check=_check,
)
