"""What rules find about the services of a stack together: their Dockerfiles, contexts and requirement files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

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
    known = tuple(one for service in services if (one := _linted(service, texts, here)) is not None)
    ignored = {file.shown: Ignored(WrittenLines(text)) for file, text in texts.values()}
    found: list[StackFinding] = []
    for rule in STACK_RULES:
        for each in rule.check(known):
            line = each.finding.place.line or 1
            comments = ignored.get(each.finding.place.file)
            if comments is None or not comments.hides(each.finding, rule, line, each.finding.end_line or line):
                found.append(each)
    return tuple(found)


def _linted(service: Service, texts: Mapping[str, tuple[LintedFile, str]], here: str) -> LintedService | None:
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
    requirements = _requirements(spec, texts) if local else {}
    has_ignore_file = not local or _has_ignore_file(spec)
    return LintedService(
        name=service.name,
        place=Place(shown, place.line),
        dockerfile=read,
        path=spec.dockerfile if file is not None else "",
        has_health_check=service.health is not None or "healthcheck" in service.config,
        has_ignore_file=has_ignore_file,
        unneeded=() if has_ignore_file else _unneeded(spec.context),
        pins=_pins(spec, texts) if local else {},
        requirements=requirements,
        only_infers=any(_names_torch(text) for _, text in requirements.values()) and only_infers(spec.context),
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


def _requirements(spec: BuildSpec, texts: Mapping[str, tuple[LintedFile, str]]) -> dict[str, tuple[str, str]]:
    inside = f"{spec.context.rstrip('/')}/"
    return {
        path: (file.shown, text)
        for path, (file, text) in texts.items()
        if file.kind is LintedKind.REQUIREMENTS and path.startswith(inside)
    }


def _names_torch(text: str) -> bool:
    return any(TORCH.match(line) for line in text.splitlines())


def _pins(spec: BuildSpec, texts: Mapping[str, tuple[LintedFile, str]]) -> dict[str, tuple[str, Place]]:
    """Return the exact versions of heavy packages in the requirement files of a context."""
    found: dict[str, tuple[str, Place]] = {}
    for path, (file, text) in texts.items():
        if file.kind is not LintedKind.REQUIREMENTS or not path.startswith(f"{spec.context.rstrip('/')}/"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            pin = _PIN.fullmatch(line) if len(line) <= 2_000 and "==" in line else None  # noqa: PLR2004 - as elsewhere
            if pin is not None and pin["name"].lower().replace("_", "-") in HEAVY:
                name = pin["name"].lower().replace("_", "-")
                found.setdefault(name, (pin["version"].partition("+")[0], Place(file.shown, number)))
    return found
