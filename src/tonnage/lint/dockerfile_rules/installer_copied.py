"""uv is copied into the image, which only needs it while it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.rule import DockerfileRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadStage
    from tonnage.model.forecast.finding import Finding

NAME = "installer-copied"
_UV = regex(r"(?:ghcr\.io/astral-sh|docker\.io/astral|astral)/uv[:@].*|ghcr\.io/astral-sh/uv")


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for stage in read.stages:
        if not stage.in_image or _runs_uv(stage):
            continue
        for step in stage.steps:
            if step.copy is not None and _UV.fullmatch(step.copy.origin.name):
                yield step.finding(
                    NAME,
                    "uv stays in the image, which needs it only while it is built",
                    why="The program is 50 to 60 MB.",
                    todo="Lend it to the instructions that install:\n"
                    f"  RUN --mount=from={step.copy.origin.name},source=/uv,target=/bin/uv uv ...",
                    tried=(step.removed(),),
                )


def _runs_uv(stage: ReadStage) -> bool:
    """Return whether what the image starts is started by uv."""
    ends = [step.instruction for step in stage.steps if step.instruction.keyword in {"CMD", "ENTRYPOINT"}]
    return any("uv" in (each.words or each.body.split())[:1] or '"uv"' in each.body for each in ends)


RULE = DockerfileRule(
    name=NAME,
    title="an installer stays in the image",
    why="`COPY --from=ghcr.io/astral-sh/uv /uv /bin/` puts 50 to 60 MB into the image for a program that only its"
    " build runs. A mount lends it to the instructions that need it. An image that is started by `uv run` needs it,"
    " and is not found.",
    before="COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /bin/\nRUN uv pip install --no-cache --system -r requirements.txt",
    after="RUN --mount=from=ghcr.io/astral-sh/uv:0.9,source=/uv,target=/bin/uv \\\n"
    "    uv pip install --no-cache --system -r requirements.txt",
    check=_check,
)
