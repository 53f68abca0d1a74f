"""Bytecode is written while packages are installed: more bytes in the image, and a faster first start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.finding import Edit, Fix, Safety
from tonnage.model.forecast.installs import Installer, PythonInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadCommand
    from tonnage.model.forecast.finding import Finding

NAME = "bytecode"
_WORTH_BYTES = 20_000_000


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        for command, effect in step.found:
            if not isinstance(effect, PythonInstall) or not effect.compiles or effect.downloads_only:
                continue
            edits, what = _edits(command, effect)
            if not edits:
                continue
            yield step.finding(
                NAME,
                f"{effect.installer} compiles every module while it installs",
                command,
                why="Without it, each start compiles what it imports: some seconds with PyTorch, and then only in"
                " memory if the image is read-only.",
                fix=Fix(edits=edits, what=what, safety=Safety.DECISION),
            )


def _edits(command: ReadCommand, effect: PythonInstall) -> tuple[tuple[Edit, ...], str]:
    if effect.installer is Installer.PIP:
        return command.with_option("--no-compile", "install"), "add --no-compile"
    if effect.installer.is_uv and "--compile-bytecode" in command.words:
        behind = command.behind_word("--compile-bytecode")
        begin = None if behind is None else behind - len(" --compile-bytecode")
        return () if behind is None or begin is None else (Edit(begin, behind),), "leave --compile-bytecode out"
    return (), ""


RULE = DockerfileRule(
    name=NAME,
    title="bytecode is written into the image",
    why="pip compiles every module that it installs, uv does so with `--compile-bytecode`: 111 MB for PyTorch 2.3.1,"
    " and a third of a stack of machine learning. Without, Python compiles at each start what it imports. That is a"
    " choice and no waste: it is only told where it saves 20 MB, and counts in no sum.",
    before="RUN pip install --no-cache-dir torch==2.3.1",
    after="RUN pip install --no-compile --no-cache-dir torch==2.3.1",
    fixes=Safety.DECISION,
    least_bytes=_WORTH_BYTES,
    check=_check,
)
