"""Requirement files: lines, options, files that they include, and what in them does not do what it says.

Source: the requirements file format of pip, and ``pip/_internal/req/req_file.py`` of pip 26.3.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import CannotFetchError, UsageError
from tonnage.escapes import visible_in_line
from tonnage.forecast.requirements.index_options import GatheredOptions
from tonnage.forecast.requirements.lines import read_requirement, refused_character
from tonnage.lazily import regex
from tonnage.model.forecast.finding import Finding
from tonnage.model.forecast.requirements import Requirements
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.model.forecast.requirements import Requirement

_COMMENT = regex(r"(?:^|(?<=\s))#.*$")
_LONGEST_LINE = 100_000
_MOST_REQUIREMENTS = 10_000
_VARIABLE = regex(r"\$\{(?P<name>[A-Z0-9_]+)\}")
_OPTION = regex(r"\s(?=--?[a-zA-Z])")
_REMOTE = regex(r"https?:", re.IGNORECASE)
# Options that stand alone on a line, and how many words follow each.
_GLOBAL = {
    "-i": 1, "--index-url": 1, "--pypi-url": 1, "--extra-index-url": 1, "-f": 1, "--find-links": 1, "--no-index": 0,
    "--pre": 0, "--prefer-binary": 0, "--only-binary": 1, "--no-binary": 1, "--require-hashes": 0,
    "--trusted-host": 1, "--use-feature": 1, "--always-unzip": 0, "-r": 1, "--requirement": 1, "-c": 1,
    "--constraint": 1, "-e": 1, "--editable": 1, "--process-dependency-links": 0,
}  # fmt: skip
_OWN = frozenset({"--hash", "--config-settings", "--config-setting", "-C", "--global-option", "--install-option"})
_WHERE = frozenset({"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--pypi-url"})
_NOTHING: dict[str, str] = {}


class _Line(Struct, frozen=True):
    text: str
    place: Place


def read_requirements(
    file: str,
    read: Callable[[str], str | None],
    *,
    environment: Mapping[str, str] = _NOTHING,
    constraints: bool = False,
    directory: str = "",
    shown: Callable[[str], str] = str,
) -> Requirements:
    """Read a requirement file and every file that it includes.

    Args:
        read: Returns the text of a file by its path; None when there is none that can be read.
        directory: Where the installer runs, from which local paths count; empty for the file's own directory.

    Raises:
        UsageError: A file is missing, includes itself, or has a line that is no requirement.
        CannotFetchError: There are more requirements than are looked up.
    """
    reader = _Reader(read, environment, directory or posixpath.dirname(file), shown)
    reader.file(file, constraints=constraints, chain=())
    return Requirements(
        requirements=tuple(reader.requirements),
        constraints=tuple(reader.constraints),
        options=reader.options.options(),
        findings=tuple(reader.findings),
        files=tuple(reader.files),
    )


_DEEPEST = 100


class _Reader:
    def __init__(
        self,
        read: Callable[[str], str | None],
        environment: Mapping[str, str],
        directory: str,
        shown: Callable[[str], str],
    ) -> None:
        self.requirements: list[Requirement] = []
        self.constraints: list[Requirement] = []
        self.findings: list[Finding] = []
        self.files: dict[str, None] = {}
        self.options = GatheredOptions()
        self._read = read
        self._environment = environment
        self._directory = directory
        self._shown = shown
        self._done: set[tuple[str, bool]] = set()
        self._known: set[tuple[str, bool]] = set()

    def file(self, file: str, *, constraints: bool, chain: tuple[tuple[str, str], ...]) -> None:
        """Read one file."""
        place = chain[-1][1] if chain else ""
        if file in {name for name, _ in chain}:
            way = " -> ".join([*(self._shown(name) for name, _ in chain), self._shown(file)])
            raise UsageError(
                f"{self._shown(file)} includes itself",
                why=f"{way}.",
                todo="Take one of these -r or -c lines away.",
                place=place,
            )
        if len(chain) > _DEEPEST:
            raise UsageError(
                f"{self._shown(file)} is included through {len(chain)} files",
                why=f"More than {_DEEPEST} are not followed.",
                todo="Name it in the first file.",
                place=place,
            )
        # What is read twice says the same, and files that include each other twice would double with each level.
        if (file, constraints) in self._done:
            return
        self._done.add((file, constraints))
        text = self._read(file)
        if text is None:
            raise UsageError(
                f"the requirement file {self._shown(file)} is not there",
                todo="Write it, copy it into the image before it is used, or take the line away.",
                place=place,
            )
        self.files[file] = None
        for line in _lines(text, self._shown(file)):
            self._line(line, file, constraints=constraints, chain=chain)

    def _line(self, line: _Line, file: str, *, constraints: bool, chain: tuple[tuple[str, str], ...]) -> None:
        text = _VARIABLE.sub(lambda match: self._environment.get(match["name"], match[0]), line.text)
        if text.startswith("-"):
            self._option_line(text, line.place, file, constraints=constraints, chain=chain)
            return
        if (text, constraints) in self._known:
            return
        if len(self._known) >= _MOST_REQUIREMENTS:
            raise CannotFetchError(
                f"{self._shown(file)} is not looked up: it names more than {_MOST_REQUIREMENTS:,} requirements",
                "not understood",
                why="The largest that people write have some thousands.",
            )
        self._known.add((text, constraints))
        requirement, options = _split(text)
        self._options_of_requirement(requirement, options, line.place)
        self._add(requirement, line.place, constraints=constraints, hashes=_hashes(options))

    def _add(
        self, text: str, place: Place, *, constraints: bool, hashes: tuple[str, ...] = (), editable: bool = False
    ) -> None:
        found = read_requirement(text, place, directory=self._directory, editable=editable, hashes=hashes)
        if found is None:
            raise UsageError(
                f"{text} is not a requirement",
                todo="Write a name with its versions, an address, or a path:\n  NAME==VERSION\n  ./DIRECTORY",
                place=str(place),
                expected="a line has to be a requirement, such as NAME==VERSION",
            )
        (self.constraints if constraints else self.requirements).append(found)

    def _option_line(
        self, text: str, place: Place, file: str, *, constraints: bool, chain: tuple[tuple[str, str], ...]
    ) -> None:
        for name, value in _options(text, place):
            if name in {"-r", "--requirement", "-c", "--constraint"}:
                beside = posixpath.normpath(posixpath.join(posixpath.dirname(file), value))
                limits = constraints or name in {"-c", "--constraint"}
                way = (*chain, (file, str(place)))
                self.file(value if _REMOTE.match(value) else beside, constraints=limits, chain=way)
            elif name in {"-e", "--editable"}:
                self._add(value, place, constraints=constraints, editable=True)
            elif name in _GLOBAL:
                self.options.add(name, value)
            elif name not in _OWN:
                text = f"{name} is not an option of requirement files"
                self.findings.append(Finding(rule="unknown-requirement-option", place=place, text=text))

    def _options_of_requirement(self, requirement: str, options: str, place: Place) -> None:
        """Find options on a requirement's own line, which pip ignores and uv refuses."""
        for name, value in _options(options, place):
            if name not in _WHERE:
                continue
            own = visible_in_line(f"  {name} {value}".rstrip())
            text = f"pip ignores {name} on the line of {requirement}, and uv refuses the file"
            written = f"{own}\n  {visible_in_line(requirement)}"
            todo = f"Give it a line of its own; it then counts for the whole file:\n{written}"
            self.findings.append(Finding(rule="index-on-requirement", place=place, text=text, todo=todo))


def _lines(text: str, file: str) -> list[_Line]:
    """Join continued lines, take comments away, and leave empty lines out."""
    found: list[_Line] = []
    parts: list[str] = []
    begin, length = 0, 0
    written = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    for number, line in enumerate(written, 1):
        refused = refused_character(line)
        if refused:
            raise UsageError(
                f"a line has the character {refused}, which no requirement has",
                why="Programs do not agree on where such a line ends.",
                todo="Take the character away.",
                place=str(Place(file, number)),
            )
        if not parts:
            begin, length = number, 0
        length += len(line)
        if length > _LONGEST_LINE:
            raise UsageError(
                f"a line has more than {_LONGEST_LINE:,} characters",
                why="No requirement is that long, with all its hashes.",
                todo="Write a line for each requirement.",
                place=str(Place(file, begin)),
            )
        comment = _COMMENT.search(line) is not None and line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            parts.append(line.removesuffix("\\"))
            continue
        parts.append(f" {line}" if comment and parts else line)
        joined = _COMMENT.sub("", "".join(parts)).strip()
        parts = []
        if joined:
            found.append(_Line(joined, Place(file, begin)))
    rest = _COMMENT.sub("", "".join(parts)).strip()
    return [*found, _Line(rest, Place(file, begin))] if rest else found


def _split(line: str) -> tuple[str, str]:
    match = _OPTION.search(line)
    return (line, "") if match is None else (line[: match.start()].strip(), line[match.start() :].strip())


def _options(text: str, place: Place) -> list[tuple[str, str]]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text} cannot be read", why=f"{error}.", place=str(place)) from error
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(words):
        name, equals, value = words[at].partition("=")
        at += 1
        if not name.startswith("--") and len(name) > 2 and name[:2] in _GLOBAL and not equals:  # noqa: PLR2004 - -rFILE
            name, equals, value = name[:2], "=", name[2:]
        if not equals and (_GLOBAL.get(name) or name in _OWN):
            if at == len(words):
                raise UsageError(
                    f"{name} lacks its value", todo=f"Write it after the option:\n  {name} VALUE", place=str(place)
                )
            value = words[at]
            at += 1
        if name.startswith("-"):
            found.append((name, value))
    return found


def _hashes(options: str) -> tuple[str, ...]:
    return tuple(re.findall(r"--hash[= ]([a-z0-9]+:[0-9a-fA-F]+)", options))
