"""In which order services are worked on: dependencies first, otherwise as written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.model.stack import Service, Stack


def in_order(stack: Stack, wanted: Iterable[str]) -> tuple[Service, ...]:
    """Return the wanted services, each after all of its dependencies that are wanted too.

    Raises:
        UsageError: A dependency cycle; the message names it.
    """
    chosen = set(wanted)
    done: list[Service] = []
    finished: set[str] = set()

    def visit(service: Service, path: tuple[str, ...]) -> None:
        if service.name in path:
            cycle = " -> ".join((*path[path.index(service.name) :], service.name))
            raise UsageError(
                f"the services depend on each other in a circle: {cycle}",
                todo="Remove one of these depends_on entries.",
                place=str(service.place or ""),
            )
        if service.name in finished:
            return
        built_on = service.build.built_on if service.build is not None else ()
        for name in (*(dependency.service for dependency in service.depends_on), *built_on):
            needed = _find(stack, name)
            if needed is not None:
                visit(needed, (*path, service.name))
        finished.add(service.name)
        if service.name in chosen:
            done.append(service)

    for service in stack.services:
        visit(service, ())
    return tuple(done)


def _find(stack: Stack, name: str) -> Service | None:
    return next((service for service in stack.services if service.name == name), None)
