"""Services stand on different tags of one base image, which could share it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tonnage.lint.rule import StackFinding, StackRule
from tonnage.model.forecast.finding import Edit, Finding
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.lint.reading import ReadStage
    from tonnage.lint.rule import LintedService

NAME = "different-bases"


def _check(services: Sequence[LintedService]) -> Iterator[StackFinding]:
    standing: dict[str, list[tuple[LintedService, ReadStage, str]]] = {}
    for service in services:
        stage = _bottom(service)
        if stage is not None:
            name, colon, _ = stage.stage.base.name.partition(":")
            if colon and "@" not in stage.stage.base.name:
                standing.setdefault(name, []).append((service, stage, stage.stage.base.name))
    for those in standing.values():
        tags = Counter(tag for _, _, tag in those)
        if len(tags) < 2:  # noqa: PLR2004 - one is shared
            continue
        usual = max(tags, key=lambda tag: (tags[tag], -[each for _, _, each in those].index(tag)))
        others = ", ".join(service.name for service, _, tag in those if tag == usual)
        seen = set()
        for service, stage, tag in those:
            if tag == usual or service.path in seen:
                continue
            seen.add(service.path)
            yield _found(service, stage, tag, usual, others, tuple(each.name for each, _, _ in those))


def _bottom(service: LintedService) -> ReadStage | None:
    """Return the stage of the image that stands on an image."""
    stages = service.dockerfile.stages if service.dockerfile is not None else ()
    return next((each for each in stages if each.in_image and each.stage.base.kind is FileSourceKind.IMAGE), None)


def _found(
    service: LintedService, stage: ReadStage, tag: str, usual: str, others: str, names: tuple[str, ...]
) -> StackFinding:
    lines, opening = stage.read.lines, stage.opening
    at = lines.text.find(tag, lines.begin(opening.line), lines.begin(opening.end_line + 1))
    finding = Finding(
        rule=NAME,
        place=stage.stage.place,
        text=f"{service.name} uses {tag}, and {others} {usual}",
        why="Images share layers from the bottom up. With another base they share nothing.",
        todo=f"If it runs there, stand on the same:\n  FROM {usual}",
        services=(service.name,),
    )
    edits = (Edit(at, at + len(tag), usual),) if at >= 0 and service.path else ()
    return StackFinding(finding=finding, services=names, path=service.path, edits=edits)


RULE = StackRule(
    name=NAME,
    title="services use different tags of one base image",
    why="Images of one engine share layers from the bottom up. Two services on `python:3.11-slim` have the base once,"
    " and what they install alike can be shared as well; on `python:3.11-slim` and `python:3.12-slim` they share"
    " nothing, and every wheel is there twice. The price is the difference of two forecasts of the whole stack. A tag"
    " that is newer, or has more, may run what the other one does not, so nothing is changed.",
    before="# web: FROM python:3.11-slim\n# worker: FROM python:3.12-slim",
    after="# web: FROM python:3.12-slim\n# worker: FROM python:3.12-slim",
    check=_check,
)
