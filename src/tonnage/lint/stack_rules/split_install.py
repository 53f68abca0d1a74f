"""Heavy packages are installed by the same instruction as those that change often."""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.rule import StackFinding, StackRule
from tonnage.lint.stack_rules.different_versions import HEAVY
from tonnage.model.forecast.finding import Edit
from tonnage.model.forecast.installs import Installer, PythonInstall
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.lint.reading import ReadCommand, ReadStage, ReadStep
    from tonnage.lint.rule import LintedService

NAME = "split-install"
_WORTH_BYTES = 200_000_000
_NAMED = regex(r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,100})(?P<rest>[^#]*)(?:#.*)?")
_EXACT = regex(r"\s*(?:\[[^\]]{0,200}\])?\s*==\s*[A-Za-z0-9.+!]+\s*")
_INDEX = regex(r"\s*(?P<option>--index-url|-i|--extra-index-url)[=\s]\s*(?P<url>https?://[^\s\"'$`\\;&|<>]+)\s*")
_FILE = regex(r"\s(?:-r\s*|--requirements?[=\s]\s*)\S+")
_MOST_CHARACTERS = 2_000


def _check(services: Sequence[LintedService]) -> Iterator[StackFinding]:
    told = set()
    for service in services:
        for stage in service.dockerfile.stages if service.dockerfile is not None else ():
            found = _of_stage(service, stage) if service.path not in told else None
            if found is not None:
                told.add(service.path)
                yield found


def _of_stage(service: LintedService, stage: ReadStage) -> StackFinding | None:
    for index, step in enumerate(stage.steps):
        installs = [(command, each) for command, each in step.found if isinstance(each, PythonInstall)]
        if any(each.name in HEAVY for _, effect in installs for each in effect.requirements):
            # It is split already.
            return None
        if len(installs) == 1:
            return _of_install(service, stage, index, step, *installs[0])
    return None


def _of_install(
    service: LintedService, stage: ReadStage, index: int, step: ReadStep, command: ReadCommand, effect: PythonInstall
) -> StackFinding | None:
    if effect.installer not in {Installer.PIP, Installer.UV_PIP} or len(effect.requirement_files) != 1:
        return None
    file = posixpath.basename(effect.requirement_files[0])
    held = [(shown, text) for path, (shown, text) in service.requirements.items() if posixpath.basename(path) == file]
    copied = next((each for each in stage.steps[:index] if _copies(each, file)), None)
    if len(held) != 1 or copied is None:
        return None
    heavy, others, options = _read(held[0][1])
    new = _first_command(command, heavy, options) if heavy and others else ""
    if not new:
        return None
    at, line = copied.lines.begin(copied.instruction.line), copied.instruction.line
    finding = step.finding(
        NAME,
        f"{_list(heavy)} and {others} other package{'s' if others != 1 else ''} are installed by one instruction",
        command,
        why=f"Every change of {held[0][0]} installs all of them again, and the build cache keeps both installs.",
        todo=f"Install what is heavy in an instruction of its own, in line {line}:\n  RUN {new}",
        services=(service.name,),
        changes_at=(line, line + 1),
    )
    edit = Edit(at, at, f"RUN {new}{copied.lines.newline}")
    return StackFinding(finding=finding, services=(service.name,), path=service.path, edits=(edit,))


def _copies(step: ReadStep, file: str) -> bool:
    copy = step.copy
    if copy is None or copy.origin.kind is not FileSourceKind.CONTEXT:
        return False
    return any(posixpath.basename(each) == file or posixpath.normpath(each) in {".", "/"} for each in copy.sources)


def _read(text: str) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """Return exact pins of heavy packages, how many others there are, and options of indexes; none where unsure."""
    heavy: list[str] = []
    options: list[str] = []
    others = 0
    for line in text.splitlines():
        said = line.strip().removeprefix("\ufeff")
        if not said or said.startswith("#"):
            continue
        index, named = _INDEX.fullmatch(said), _NAMED.fullmatch(said) if len(said) <= _MOST_CHARACTERS else None
        if index is not None:
            options.append(f"{index['option']} {index['url']}")
        elif named is None or said.endswith("\\") or "--hash" in said:
            # Other files, links and hashes may mean anything for the heavy ones as well.
            return (), 0, ()
        elif named["name"].lower().replace("_", "-") in HEAVY and _EXACT.fullmatch(named["rest"]):
            heavy.append(f"{named['name']}{''.join(named['rest'].split())}")
        else:
            others += 1
    return tuple(heavy), others, tuple(options)


def _first_command(command: ReadCommand, heavy: Sequence[str], options: Sequence[str]) -> str:
    """Return the command for the heavy packages alone; empty where it is written in a way that has no place."""
    span, script = command.span, command.step.script
    if command.command is None or span is None or script is None or len(script.pieces(*span) or ()) != 1:
        return ""
    text = command.command.text
    if len(_FILE.findall(text)) != 1:
        return ""
    pins = " ".join(shlex.quote(each) for each in heavy)
    return _FILE.sub(lambda _: f" {' '.join((*options, pins))}", text)


def _list(pins: Sequence[str]) -> str:
    return ", ".join(each.partition("==")[0] for each in pins[:3]) + (", ..." if len(pins) > 3 else "")  # noqa: PLR2004


RULE = StackRule(
    name=NAME,
    title="heavy packages are installed together with those that change",
    why="One `pip install -r requirements.txt` with PyTorch and twenty small packages is one layer: who adds a package"
    " installs PyTorch again, and until it is reclaimed the build cache has it twice. With the heavy packages in an"
    " instruction of their own before the file is copied, such a change costs the small ones, and services with the"
    " same pins share the layer. What a change costs is told before and after; what an image weighs stays the same."
    " Only exact pins are split off. That is a choice: it is only told where a change costs 200 MB less.",
    before="# requirements.txt: torch==2.3.1, flask, requests\nCOPY requirements.txt .\n"
    "RUN pip install --no-cache-dir -r requirements.txt",
    after="RUN pip install --no-cache-dir torch==2.3.1\nCOPY requirements.txt .\n"
    "RUN pip install --no-cache-dir -r requirements.txt",
    least_bytes=_WORTH_BYTES,
    check=_check,
)
