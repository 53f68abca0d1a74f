"""A pasted list of directories that are removed from the runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.rule import TextRule
from tonnage.lint.workflow_rules.jobs import jobs
from tonnage.model.forecast.finding import Finding
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.written_lines import WrittenLines

NAME = "pasted-cleanup"
_REMOVES = regex(
    r"rm +-[a-zA-Z]{1,9}\b.{0,300}?(?:/usr/share/(?:dotnet|swift)|/opt/(?:ghc|hostedtoolcache|google|microsoft)"
    r"|/usr/local/(?:lib/android|share/boost|share/powershell|\.ghcup)|AGENT_TOOLSDIRECTORY)|uses:\s*[\"']?"
    r"(?:jlumbroso/free-disk-space|easimon/maximize-build-space|endersonmenezes/free-disk-space)"
)
_SAME_BLOCK = 12


def _check(lines: WrittenLines, file: str) -> Iterator[Finding]:
    for job in jobs(lines):
        last = -_SAME_BLOCK
        for found in job.found(_REMOVES):
            if found.line - last >= _SAME_BLOCK:
                yield Finding(
                    rule=NAME,
                    place=Place(file, found.line),
                    column=found.column,
                    text="directories of the runner are removed by a pasted list",
                    why="It removes all of them every time, for minutes, whatever the job needs, and fits one image of"
                    " the runner.",
                    todo="Remove as much as the build needs, cheapest first:\n  tonnage reclaim --until 14GB --yes",
                )
            last = found.line


RULE = TextRule(
    name=NAME,
    title="a pasted list of directories is removed from the runner",
    why="Lists of `rm -rf` that pass from workflow to workflow take one to three minutes, remove what a later step may"
    " need, and name directories that the next image of the runner does not have. `tonnage reclaim` looks at what is"
    " there, and removes what is cheapest to recreate until the bytes are free that the build needs.",
    before="      - run: |\n          sudo rm -rf /usr/share/dotnet\n          sudo rm -rf /opt/ghc",
    after="      - run: tonnage reclaim --until 14GB --yes",
    check=_check,
)
