"""Tests that wheels bring along stay in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import Remove
from tonnage.model.forecast.finding import Fix, Safety
from tonnage.model.forecast.installs import PythonInstall
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadStep
    from tonnage.model.forecast.finding import Finding

NAME = "wheel-leftovers"
_WORTH_BYTES = 20_000_000
_PYTHON = regex(r"(?:docker\.io/)?(?:library/)?python(?:[:@]|$)")
_TESTS = frozenset({"test", "tests"})


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        installs = [(command, each) for command, each in step.found if isinstance(each, PythonInstall)]
        if not installs or all(each.downloads_only for _, each in installs):
            continue
        if any(isinstance(each, Remove) and _TESTS & set(each.names) for _, each in step.found):
            continue
        where = next((_own_place(each) for _, each in installs), "") or _system(step)
        plain = where.startswith("/") and not any(each in where for each in " $'\"*?\\")
        command = f"find {where} -depth -type d ( -name tests -o -name test ) -exec rm -rf {{}} +"
        edits = step.appended(command.replace("(", "\\(").replace(")", "\\)")) if plain else ()
        yield step.finding(
            NAME,
            "tests of the packages stay in the image",
            installs[-1][0],
            why="Wheels include them, and a service does not run them. A few packages import something from theirs.",
            todo="Remove directories named test and tests at the end of the instruction that installs.",
            fix=Fix(edits=edits, what="remove them in the same instruction", safety=Safety.DECISION) if edits else None,
        )


def _own_place(install: PythonInstall) -> str:
    # Where a user gets packages who did not ask for a home depends on what he may write.
    home = "" if install.falls_back else install.user_base
    return install.target or home or install.virtual_environment


def _system(step: ReadStep) -> str:
    """Return where the interpreter of an official image has its packages; empty for others: find fails without it.

    Another user than root may remove nothing there, and installs elsewhere.
    """
    stage = step.stage
    if step.step.surroundings.user.partition(":")[0] not in {"", "0", "root"}:
        return ""
    bases = {each.stage.index: each.stage.base for each in stage.read.stages}
    base = stage.stage.base
    while base.stage is not None:
        base = bases[base.stage]
    return "/usr/local/lib" if base.kind is FileSourceKind.IMAGE and _PYTHON.match(base.name) else ""


RULE = DockerfileRule(
    name=NAME,
    title="tests of packages stay in the image",
    why="Wheels have directories `test` and `tests`: 38 MB in PyTorch 2.3.1, 177 MB in 2.13. They have to be removed by"
    " the instruction that installs. `torch/include` and `torch/bin` are as large, and needed by `torch.compile` and"
    " extensions, so they stay. Some package may import a file of its tests: start the service once before it is"
    " believed. That is a choice: it is only told where it saves 20 MB, and counts in no sum.",
    before="RUN pip install --no-cache-dir torch==2.3.1",
    after="RUN pip install --no-cache-dir torch==2.3.1"
    " && find /usr/local/lib -depth -type d \\( -name tests -o -name test \\) -exec rm -rf {} +",
    fixes=Safety.DECISION,
    least_bytes=_WORTH_BYTES,
    check=_check,
)
