"""Everything is pruned between two builds that share layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.rule import TextRule
from tonnage.lint.workflow_rules.jobs import BUILD, PRUNE, jobs
from tonnage.model.forecast.finding import Finding
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.written_lines import WrittenLines

NAME = "prune-between-builds"
_ALL = regex(r"(?:^|\s)(?:-[a-z]*a[a-z]*|--all)\b")


def _check(lines: WrittenLines, file: str) -> Iterator[Finding]:
    for job in jobs(lines):
        builds = [(each.line, each.column) for each in job.found(BUILD)]
        for found in job.found(PRUNE):
            where = (found.line, found.column)
            between = any(each < where for each in builds) and any(each > where for each in builds)
            if between and _ALL.search(found.text):
                yield Finding(
                    rule=NAME,
                    place=Place(file, found.line),
                    column=found.column,
                    text="everything that the builds share is removed between them",
                    why="The next build pulls its base and installs its packages again.",
                    todo="Build them in an order, with what is superseded removed between:\n  tonnage build",
                )


RULE = TextRule(
    name=NAME,
    title="everything is pruned between two builds",
    why="`docker system prune -af` between builds removes the base images and layers that the next one would share, so"
    " that each is pulled and built again: the peak is lower, and the time is that of all builds from nothing. `tonnage"
    " build` removes what an image alone has, and keeps what the next one needs.",
    before="      - run: docker build -t a a\n      - run: docker system prune -af\n      - run: docker build -t b b",
    after="      - run: tonnage build",
    check=_check,
)
