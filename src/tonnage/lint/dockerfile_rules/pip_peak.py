"""pip holds all wheels while it installs, where uv holds one at a time: the worst moment of a build is higher."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.finding import Edit
from tonnage.model.forecast.installs import Installer, PythonInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadCommand
    from tonnage.model.forecast.finding import Finding

NAME = "pip-peak"
_WORTH_BYTES = 100_000_000
_PIP = regex(r"(?:\S*python[\d.]*\s+(?:-I\s+)?-m\s+)?\S*pip[\d.]*\s+install(?=\s)")
_ALONE = regex(r"\s--(?:no-compile|prefer-binary|no-input|disable-pip-version-check|root-user-action[= ]\S+)(?=\s|$)")


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.runs:
        for command, effect in step.found:
            if not isinstance(effect, PythonInstall) or effect.installer is not Installer.PIP or effect.downloads_only:
                continue
            tried = _by_uv(command, effect)
            if tried:
                yield step.finding(
                    NAME,
                    "pip holds all wheels of this install at once, and uv would not",
                    command,
                    why="All of them are on the disk until the last one is unpacked.",
                    todo="Lend uv to the instruction, which leaves nothing of it in the image:\n"
                    "  RUN --mount=from=ghcr.io/astral-sh/uv:0.9,source=/uv,target=/bin/uv \\\n"
                    f"      uv pip install{_where(effect)} --no-cache ...",
                    tried=tried,
                )


def _where(effect: PythonInstall) -> str:
    return "" if effect.virtual_environment else " --system"


def _by_uv(command: ReadCommand, effect: PythonInstall) -> tuple[Edit, ...]:
    """Return the command as uv would be asked; none where it has no place, or is written in another way."""
    span, script = command.span, command.step.script
    if command.command is None or span is None or script is None:
        return ()
    text, at = command.command.text, script.at(span[0])
    if at is None or len(script.pieces(*span) or ()) != 1 or _PIP.match(text) is None:
        return ()
    # Bytecode is a choice of its own, and no difference of the two.
    option = " --compile-bytecode" if effect.compiles else ""
    new = _PIP.sub(f"uv pip install{_where(effect)} --no-cache{option}", text, count=1)
    new = re.sub(r"\s--no-cache-dir(?=\s|$)", "", _ALONE.sub("", new))
    return (Edit(at, at + len(text), new),)


RULE = DockerfileRule(
    name=NAME,
    title="pip needs space for all wheels at once",
    why="pip fetches every wheel before it unpacks the first: 8.1 GB at the worst moment for PyTorch 2.3.1 with CUDA,"
    " of which 5.2 GB stay. uv unpacks while it fetches, and needs 5.3 GB. What stays is the same but for bytecode, so"
    " that the price is the difference at the worst moment. It is only told where that is 100 MB, and counts in no sum."
    " Options and settings of pip mean something else to uv in places, so nothing is changed.",
    before="RUN pip install --no-cache-dir torch==2.3.1",
    after="RUN --mount=from=ghcr.io/astral-sh/uv:0.9,source=/uv,target=/bin/uv \\\n"
    "    uv pip install --system --no-cache torch==2.3.1",
    least_bytes=_WORTH_BYTES,
    about_peak=True,
    check=_check,
)
