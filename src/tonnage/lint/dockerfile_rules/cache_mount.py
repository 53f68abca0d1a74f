"""uv with a cache mount keeps everything twice on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.installs import CacheKind, PythonInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading
    from tonnage.model.forecast.finding import Finding

NAME = "cache-mount"
_VERBS = ("install", "download", "wheel", "sync", "add")


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        for command, effect in step.found:
            if not isinstance(effect, PythonInstall) or effect.cache.kind is not CacheKind.MOUNTED:
                continue
            uv = effect.installer.is_uv
            option = "--no-cache" if uv else "--no-cache-dir"
            yield step.finding(
                NAME,
                f"the cache mount keeps {'every file' if uv else 'every wheel'} once more, outside of the image",
                command,
                why="It is not part of the image, and engines before 29.6 never prune a cache mount that is in use.",
                todo="On a small disk do without it:\n  --no-cache for uv, --no-cache-dir for pip",
                tried=command.with_option(option, *_VERBS),
            )


RULE = DockerfileRule(
    name=NAME,
    title="a cache mount keeps packages once more",
    why="A cache mount makes the next build faster, and other linters recommend it. On a small disk it is the opposite"
    " of help: with uv every unpacked file is there twice, for files cannot be linked across filesystems; with pip"
    " every wheel stays. It is in no image, but on the disk of whoever builds, which is the price. Where that disk has"
    " room, ignore this rule: `# tonnage: ignore=cache-mount`.",
    before="RUN --mount=type=cache,target=/root/.cache/uv uv pip install --system torch",
    after="RUN uv pip install --no-cache --system torch",
    check=_check,
)
