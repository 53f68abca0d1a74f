"""Several images are built, and nothing looks whether the disk has room for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.rule import TextRule
from tonnage.lint.workflow_rules.jobs import BUILD, jobs
from tonnage.model.forecast.finding import Finding
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.written_lines import WrittenLines

NAME = "no-disk-check"
_LOOKS = regex(r"(?<![\w-])df(?:\s|$)|tonnage|shutil\.disk_usage|docker system df")


def _check(lines: WrittenLines, file: str) -> Iterator[Finding]:
    for job in jobs(lines):
        builds = job.found(BUILD)
        several = len(builds) > 1 or any("compose" in each.text or "bake" in each.text for each in builds)
        if several and not job.found(_LOOKS):
            yield Finding(
                rule=NAME,
                place=Place(file, builds[0].line),
                column=builds[0].column,
                text="several images are built without checking the free space first",
                why="A full disk ends the job late, and often with an error that names another cause.",
                todo="Look before anything is built:\n  tonnage plan --build",
            )


RULE = TextRule(
    name=NAME,
    title="no check of the free space before the builds",
    why="A runner of GitHub has about 14 GB that are promised. A build that fills them ends after minutes with `no"
    " space left on device`, or with an error of whatever could not write. `tonnage plan --build` ends with 3 before"
    " anything is built; `df` in the job counts as a look, too.",
    before="      - run: docker compose build",
    after="      - run: tonnage plan --build\n      - run: docker compose build",
    check=_check,
)
