"""A stack as a runner sees it: what a workflow is written for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.changes import in_order
from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.reports.ci_job import RunnerService
from tonnage.model.stack import PullWhen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.stack import Service, Stack

# What may stand in a shell line and in an expression of a workflow without quotes of its own.
_NAME = regex(r"[A-Za-z0-9_.][A-Za-z0-9._-]*")
_IMAGE = regex(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_EVERY = "all"
"""What stands for every service where a workflow is started by hand."""


def runner_services(stack: Stack, needs: Mapping[str, tuple[int, str]]) -> tuple[RunnerService, ...]:
    """Return the services of a stack, dependencies first.

    Raises:
        UsageError: A name cannot stand in a workflow, no service is built, or a dependency cycle.
    """
    if not any(service.build for service in stack.services):
        raise UsageError(
            f"no service of the stack {stack.name} has a build section",
            why="A workflow would have nothing to build.",
            todo="Give a service one:\n  build: .",
        )
    _check_choices([service for service in stack.services if service.build])
    return tuple(_service(stack, service, needs) for service in in_order(stack, {each.name for each in stack.services}))


def _check_choices(services: Sequence[Service]) -> None:
    """Refuse names that a workflow cannot tell apart.

    Source: GitHub's reference of expressions: the case of letters is ignored when texts are compared.
    """
    seen = {_EVERY: "what stands for every service"}
    for service in services:
        other = seen.setdefault(service.name.lower(), service.name)
        if other is not service.name:
            raise UsageError(
                f"GitHub cannot tell the services {service.name} and {other} apart in the form that starts a workflow",
                why="GitHub compares without regard to the case of letters.",
                todo="Give the service another name.",
                place=str(service.place or ""),
            )


def _service(stack: Stack, service: Service, needs: Mapping[str, tuple[int, str]]) -> RunnerService:
    for text, pattern, what in ((service.name, _NAME, "service name"), (service.image, _IMAGE, "image name")):
        if not pattern.fullmatch(text):
            raise UsageError(
                f"{text!r} is no {what} that can stand in a workflow",
                why="It would be read by a shell.",
                todo="Use letters, digits, dots, dashes and underscores only.",
                place=str(service.place or ""),
            )
    peak_bytes, grade = needs.get(service.name, (None, "unknown"))
    return RunnerService(
        name=service.name,
        built=service.build is not None,
        registry=_registry(service.image),
        image=service.image,
        pushed=service.build is not None and "/" in service.image,
        pulled=service.pull is None or service.pull.when is not PullWhen.NEVER,
        needs=_needs(stack, service),
        peak_bytes=peak_bytes,
        grade=grade,
    )


def _needs(stack: Stack, service: Service) -> tuple[str, ...]:
    """Return the built services that a service depends on, through others as well, nearest first."""
    found: dict[str, None] = {}
    waiting = [dependency.service for dependency in service.depends_on]
    while waiting:
        name = waiting.pop(0)
        other = next((each for each in stack.services if each.name == name), None)
        if other is None or name in found:
            continue
        found[name] = None
        waiting += [dependency.service for dependency in other.depends_on]
    return tuple(name for name in found if stack.service(name).build is not None)


def _registry(image: str) -> str:
    """Return the host of an image's registry; empty for the default one.

    Source: the reference grammar of the distribution project: a first part with a dot or a colon, or localhost.
    """
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""
