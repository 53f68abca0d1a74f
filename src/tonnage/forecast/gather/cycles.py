"""Services whose images are built on each other in a circle, told from the names in their Dockerfiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.model.forecast.recipe import CopyInstruction, FileSourceKind, RunInstruction
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.recipe import recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.forecast.gather.context import ForecastContext
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.forecast.recipe import FileSource
    from tonnage.model.stack import Service


def refuse_circles(around: ForecastContext, lookups: Lookups) -> None:
    """Refuse services that can never be built, because each stands on the image of the next one.

    Raises:
        UsageError: There is a circle; the message names it, and the line that closes it.
    """
    needs = {service.name: _needs(service, around, lookups) for service in around.builders}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        for other, place in needs[name].items():
            if other in path:
                raise circle((*path[path.index(other) :], other), place)
            if other not in done:
                visit(other, (*path, other))
        done.add(name)

    for name in needs:
        visit(name, (name,))


def circle(names: Sequence[str], place: str) -> UsageError:
    """Return the failure of services that are built on each other."""
    return UsageError(
        f"services are built on each other's images in a circle: {' -> '.join(names)}",
        todo="Let one of them stand on another image.",
        place=place,
    )


def _needs(service: Service, around: ForecastContext, lookups: Lookups) -> dict[str, str]:
    """Return the other services whose images a build reads, each with the place of the first one that says so."""
    spec = service.build
    assert spec is not None  # noqa: S101 - asked for services that are built only
    found: dict[str, str] = {}
    try:
        made = recipe(
            read_dockerfile(lookups.dockerfile(spec), spec.dockerfile or "Dockerfile"),
            build_args=dict(spec.args),
            target=spec.target,
            platform=around.platform,
            contexts=dict(spec.additional_contexts),
        )
    except UsageError:
        return found
    origins: list[tuple[FileSource, str]] = []
    for stage in made.stages:
        origins.append((stage.base, str(stage.place)))
        origins += [(origin, str(step.place)) for step in stage.steps for origin in _origins(step.action)]
    for origin, place in origins:
        other = around.builder_of(origin.name) if origin.kind is FileSourceKind.IMAGE else None
        if other is not None and other.name != service.name:
            found.setdefault(other.name, place)
    return found


def _origins(action: object) -> Iterator[FileSource]:
    if isinstance(action, CopyInstruction):
        yield action.origin
    elif isinstance(action, RunInstruction):
        yield from (mount.origin for mount in action.mounts if mount.origin is not None)
