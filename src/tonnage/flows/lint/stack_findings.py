"""What rules find about the services of a stack together: their Dockerfiles, contexts and requirement files."""

from __future__ import annotations

import os
import sys
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import TonnageError
from tonnage.flows.lint.files import linted
from tonnage.flows.lint.torch_uses import only_infers
from tonnage.lazily import regex
from tonnage.lint.ignoring import Ignored
from tonnage.lint.reading import read_for_rules
from tonnage.lint.requirement_rules.torch_lines import TORCH
from tonnage.lint.rule import LintedService
from tonnage.lint.rules import STACK_RULES
from tonnage.lint.stack_rules.different_versions import HEAVY
from tonnage.lint.stack_rules.no_ignore_file import UNNEEDED
from tonnage.lint.written_lines import WrittenLines
from tonnage.model.reports.lint import LintedKind
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.lint.rule import StackFinding
    from tonnage.model.reports.lint import LintedFile
    from tonnage.model.stack import BuildSpec, Service

_MOST_ENTRIES = 200_000
_PIN = regex(
    r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,100})(?:\[[^\]]{0,200}\])?\s*==\s*(?P<version>[A-Za-z0-9.+!]+)\s*(?:[;#\\].*)?"
)


def stack_findings(
    services: Sequence[Service], texts: Mapping[str, tuple[LintedFile, str]], here: str
) -> tuple[StackFinding, ...]:
    """Return what is found about services together.

    Args:
        services: Those that are built.
        texts: Files that were read, by path.
        here: The working directory, from which files are named.
    """
    requirements = _RequirementFiles(texts)
    known = tuple(one for service in services if (one := _linted(service, texts, requirements, here)) is not None)
    ignored = {file.shown: Ignored(WrittenLines(text)) for file, text in texts.values()}
    found: list[StackFinding] = []
    for rule in STACK_RULES:
        for each in rule.check(known):
            line = each.finding.place.line or 1
            comments = ignored.get(each.finding.place.file)
            if comments is None or not comments.hides(each.finding, rule, line, each.finding.end_line or line):
                found.append(each)
    return tuple(found)


class _OfContext(Struct, frozen=True):
    """The requirement files in a context: by path their names and texts, exact versions of heavy packages in them."""

    files: dict[str, tuple[str, str]]
    pins: dict[str, tuple[str, Place]]
    names_torch: bool


class _RequirementFiles:
    """Requirement files by the contexts that they lie in; each context is looked through once."""

    def __init__(self, texts: Mapping[str, tuple[LintedFile, str]]) -> None:
        self._texts = {path: told for path, told in texts.items() if told[0].kind is LintedKind.REQUIREMENTS}
        self._order = {path: number for number, path in enumerate(self._texts)}
        self._paths = sorted(self._texts)
        self._known: dict[str, _OfContext] = {}

    def of(self, context: str) -> _OfContext:
        """Return those in a context."""
        known = self._known.get(context)
        if known is None:
            inside = f"{context.rstrip('/')}/"
            first = bisect_left(self._paths, inside)
            beyond = bisect_left(self._paths, f"{inside}{chr(sys.maxunicode)}", first)
            paths = sorted(self._paths[first:beyond], key=self._order.__getitem__)
            files = {path: (self._texts[path][0].shown, self._texts[path][1]) for path in paths}
            names_torch = any(_names_torch(text) for _, text in files.values())
            known = self._known[context] = _OfContext(files, _pins(files), names_torch)
        return known


def _is_checked(service: Service) -> bool:
    """Return whether a deploy learns more of it than that it runs: by a check, or by the exit code of a one-shot."""
    settings = service.settings
    return (
        service.health is not None or "healthcheck" in service.config or settings.probe is not None or settings.one_shot
    )


def _linted(
    service: Service, texts: Mapping[str, tuple[LintedFile, str]], requirements: _RequirementFiles, here: str
) -> LintedService | None:
    spec = service.build
    if spec is None:
        return None
    file, text = texts.get(spec.dockerfile, (None, spec.dockerfile_inline))
    try:
        shown = file.shown if file is not None else "Dockerfile"
        read = read_for_rules(text, shown, build_args=dict(spec.args), target=spec.target) if text else None
    except TonnageError:
        read = None
    place = service.place or Place("compose.yaml")
    shown = linted(place.file, here, LintedKind.COMPOSE).shown if place.file.startswith("/") else place.file
    local = spec.context.startswith("/")
    found = requirements.of(spec.context) if local else _OfContext({}, {}, names_torch=False)
    has_ignore_file = not local or _has_ignore_file(spec)
    return LintedService(
        name=service.name,
        place=Place(shown, place.line),
        dockerfile=read,
        path=spec.dockerfile if file is not None else "",
        has_health_check=_is_checked(service),
        has_ignore_file=has_ignore_file,
        unneeded=() if has_ignore_file else _unneeded(spec.context),
        pins=found.pins,
        requirements=found.files,
        only_infers=found.names_torch and only_infers(spec.context),
    )


def _has_ignore_file(spec: BuildSpec) -> bool:
    beside = [f"{spec.dockerfile}.dockerignore"] if spec.dockerfile else []
    return any(os.path.lexists(each) for each in (f"{spec.context}/.dockerignore", *beside))


def _unneeded(context: str) -> tuple[tuple[str, int], ...]:
    """Return the directories in a context that no image needs, with the bytes of their files; no link is followed."""
    found = []
    left = _MOST_ENTRIES
    for name in sorted(UNNEEDED):
        top = Path(context, name)
        if top.is_symlink() or not top.is_dir():
            continue
        size = 0
        for directory, _, files in os.walk(top):
            left -= len(files) + 1
            if left < 0:
                break
            for file in files:
                try:
                    size += os.lstat(f"{directory}/{file}").st_size
                except OSError:
                    continue
        found.append((name, size))
    return tuple(found)


def _names_torch(text: str) -> bool:
    return any(TORCH.match(line) for line in text.splitlines())


def _pins(files: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, Place]]:
    """Return the exact versions of heavy packages in requirement files."""
    found: dict[str, tuple[str, Place]] = {}
    for shown, text in files.values():
        for number, line in enumerate(text.splitlines(), 1):
            pin = _PIN.fullmatch(line) if len(line) <= 2_000 and "==" in line else None  # noqa: PLR2004 - as elsewhere
            if pin is not None and pin["name"].lower().replace("_", "-") in HEAVY:
                name = pin["name"].lower().replace("_", "-")
                found.setdefault(name, (pin["version"].partition("+")[0], Place(shown, number)))
    return found
