"""A Dockerfile with another build of PyTorch: the default of an argument, or the words of an install.

What only a shell knows, such as a list of packages in a variable, has no place and stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.decide.deploy.build_environment import TORCH_INDEX_URL
from tonnage.lazily import regex
from tonnage.lint.fixing import with_edits
from tonnage.lint.reading import read_for_rules
from tonnage.lint.torch.builds import label_of, public
from tonnage.lint.torch.requirement_text import WrittenBuild
from tonnage.lint.written_lines import WrittenLines
from tonnage.model.forecast.finding import Edit
from tonnage.model.forecast.installs import Installer, PythonInstall
from tonnage.model.reports.torch import TORCH_FAMILY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tonnage.lint.reading import ReadCommand
    from tonnage.lint.torch.requirement_text import WantedVersions
    from tonnage.model.reports.torch import TorchBuild

_INSTALLERS = frozenset({Installer.PIP, Installer.UV_PIP})
_ARGUMENT = regex(r"\s*ARG\s+(?P<name>TORCH_INDEX_URL|TORCH_CPU_ONLY)(?P<value>=\S*)?\s*", re.IGNORECASE)
_OPTION = regex(
    r"(?<!\S)(?P<option>--extra-index-url|--index-url|-i)(?:=|\s+)(?P<quote>[\"']?)(?P<url>[^\s\"']+)(?P=quote)"
)
_WORD = regex(
    r"(?<![^\s\"'])(?P<name>torchvision|torchaudio|torch)(?P<extras>\[[^\]\s]*\])?"
    r"(?P<versions>(?:===?|~=|!=|<=|>=|<|>)[^\s\"';]*)?(?=[\"'\s]|$)"
)
_BEST = "--index-strategy unsafe-best-match"


def with_argument(text: str, build: TorchBuild) -> WrittenBuild:
    """Return a Dockerfile whose arguments for PyTorch have other defaults; as it is where it declares no index."""
    lines = WrittenLines(text)
    edits: list[Edit] = []
    first, written = 0, ""
    for number in range(1, len(lines) + 1):
        found = _ARGUMENT.fullmatch(lines.line(number))
        if found is None:
            continue
        name = found["name"].upper()
        value = build.index_url if name == TORCH_INDEX_URL else ("1" if build.label == "cpu" else "0")
        begin = lines.begin(number)
        if (found["value"] or "") != f"={value}":
            edits.append(
                Edit(begin + found.end("name"), begin + found.end("value" if found["value"] else "name"), f"={value}")
            )
        if name == TORCH_INDEX_URL:
            first, written = number, f"ARG {name}={value}"
    if not first or not edits:
        return WrittenBuild(text=text)
    return WrittenBuild(text=with_edits(text, edits), line=first, written=written)


def with_words(
    text: str,
    file: str,
    build: TorchBuild,
    wanted: WantedVersions,
    *,
    build_args: Mapping[str, str],
    target: str,
    installs: int,
    brings: bool = False,
    named_elsewhere: bool = False,
) -> WrittenBuild:
    """Return a Dockerfile whose install names another build.

    Args:
        installs: The line of the instruction that installs PyTorch.
        brings: Something on its command line brings PyTorch along, without that anything names it.
        named_elsewhere: A requirement file of it names the index.

    Raises:
        UsageError: It is none.
    """
    read = read_for_rules(text, file, build_args=build_args, target=target)
    edits: list[Edit] = []
    written = ""
    for step in read.runs:
        for command in step.commands:
            effect = next((each for each in command.effects if isinstance(each, PythonInstall)), None)
            if effect is None or effect.installer not in _INSTALLERS or command.span is None:
                continue
            here = step.instruction.line <= installs <= step.instruction.end_line
            own, line = _of_command(
                command, effect, build, wanted, brings=brings and here, best=named_elsewhere and here
            )
            edits += own
            written = written or line
    edits = list(dict.fromkeys(edits))
    if not edits:
        return WrittenBuild(text=text)
    return WrittenBuild(text=with_edits(text, edits), line=installs, written=written)


def _of_command(
    command: ReadCommand, effect: PythonInstall, build: TorchBuild, wanted: WantedVersions, *, brings: bool, best: bool
) -> tuple[list[Edit], str]:
    """Return the edits of one install, and what it says of PyTorch then."""
    text = command.command.text if command.command is not None else ""
    edits: list[Edit] = []
    options = []
    pinned = ""
    asked = {each.name for each in effect.requirements}
    for found in _WORD.finditer(text):
        if found["name"] not in wanted.versions or found["name"] not in asked:
            continue
        pin = _pin(found, build, wanted)
        pinned = pinned or f"{found['name']}{pin}"
        if pin != (found["versions"] or ""):
            at = found.end("extras") if found["extras"] else found.end("name")
            edits += _replaced(command, at, found.end(), pin)
    of_options, has_index = _index_edits(command, text, build)
    edits += of_options
    if brings and build.label:
        options += [f"{name}=={public(version)}+{build.label}" for name, version in wanted.versions.items()]
        pinned = pinned or options[0]
    if (edits or options) and build.index_url and not has_index:
        options.insert(0, f"--extra-index-url {build.index_url}")
    wants_best = effect.installer.is_uv and not effect.index_strategy and build.index_url
    if wants_best and (best or edits or options):
        options.insert(0, _BEST)
    edits += command.with_option(" ".join(options), "install") if options else ()
    return edits, pinned


def _index_edits(command: ReadCommand, text: str, build: TorchBuild) -> tuple[list[Edit], bool]:
    """Return the edits of options that name an index of PyTorch, and whether one names the wanted one then."""
    edits: list[Edit] = []
    has_index = False
    for found in _OPTION.finditer(text):
        if build.index_url and found["url"].rstrip("/") == build.index_url.rstrip("/"):
            has_index = True
        elif label_of(found["url"]) and build.index_url:
            edits += _replaced(command, found.start("url"), found.end("url"), build.index_url)
            has_index = True
        elif label_of(found["url"]):
            blanks = len(text[: found.start()]) - len(text[: found.start()].rstrip(" "))
            edits += _replaced(command, found.start() - blanks, found.end(), "")
    return edits, has_index


def _pin(found: re.Match[str], build: TorchBuild, wanted: WantedVersions) -> str:
    old = found["versions"] or ""
    exact = re.fullmatch(r"===?(\d[A-Za-z0-9.]*)(?:\+\S+)?", old)
    if not build.label and (exact is None or "+" not in old):
        return old
    version = exact[1] if exact is not None else public(wanted.versions[found["name"]])
    return f"=={version}" + (f"+{build.label}" if build.label else "")


def _replaced(command: ReadCommand, begin: int, end: int, text: str) -> tuple[Edit, ...]:
    """Return the edit of a stretch of a command's text; none where it has no place on one line of the file."""
    span, script = command.span, command.step.script
    if span is None or script is None:
        return ()
    if begin == end:
        at = script.behind(span[0] + begin)
        return () if at is None else (Edit(at, at, text),)
    pieces = script.pieces(span[0] + begin, span[0] + end)
    return (Edit(*pieces[0], text),) if pieces is not None and len(pieces) == 1 else ()


def lines_to_write(build: TorchBuild, versions: Mapping[str, str], declared: Collection[str]) -> tuple[str, ...]:
    """Return the lines that give a Dockerfile without the argument one, for people to copy.

    Args:
        versions: Of the packages of PyTorch that are installed.
        declared: The arguments that it declares.
    """
    pins = " ".join(
        f"{name}=={public(versions[name])}" + (f"+{build.label}" if build.label else "")
        for name in TORCH_FAMILY
        if name in versions
    )
    argument = () if TORCH_INDEX_URL in declared else (f"  ARG {TORCH_INDEX_URL}={build.index_url}",)
    return (*argument, f'  RUN pip install --no-cache-dir --extra-index-url "${TORCH_INDEX_URL}" {pins or "torch"}')
