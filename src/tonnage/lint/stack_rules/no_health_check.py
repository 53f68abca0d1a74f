"""A service says nowhere how its health is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.rule import StackFinding, StackRule
from tonnage.model.forecast.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.lint.rule import LintedService

NAME = "no-health-check"
_KEYWORD = "HEALTHCHECK"


def _check(services: Sequence[LintedService]) -> Iterator[StackFinding]:
    for service in services:
        read = service.dockerfile
        if service.has_health_check or read is None:
            continue
        said = {each.step.instruction.keyword for stage in read.stages if stage.in_image for each in stage.steps}
        if _KEYWORD not in said:
            finding = Finding(
                rule=NAME,
                place=service.place,
                text=f"{service.name} has no health check",
                why="A deploy then sees only that it runs. It may remove the previous version although the new one does"
                " not work.",
                todo='Add a check:\n  healthcheck:\n    test: ["CMD", "..."]\n    interval: 5s',
            )
            yield StackFinding(finding=finding, services=(service.name,))


RULE = StackRule(
    name=NAME,
    title="a service has no health check",
    why="Without one, a new version counts as good as soon as it has run for a while, and the previous one may be"
    " removed to free space. With one, a deploy waits until it passes, and undoes the switch if it does not. A"
    " `HEALTHCHECK` in the Dockerfile, an HTTP probe and `one-shot` under `x-tonnage` count as well; a check in a base"
    " image is unknown here.",
    before="services:\n  web:\n    build: ./web",
    after='services:\n  web:\n    build: ./web\n    healthcheck:\n      test: ["CMD", "curl", "-f", "http://localhost"]',
    check=_check,
)
