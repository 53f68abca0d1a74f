"""Puts together what is needed of an engine: what its compose projects name, what the journal would go back to.

Compose writes on every container which files its project was read from. Those that are there are read, so that an image
is known to be needed although no container was made from it yet. What cannot be read is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import TonnageError
from tonnage.model.naming import LABEL_CONFIG
from tonnage.model.needs import Need, Needs
from tonnage.runtime.reading import StackRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tonnage.model.inventory import Inventory
    from tonnage.model.plan import Plan, Version
    from tonnage.model.stack import Service, Stack

_FILES = "com.docker.compose.project.config_files"
_DIRECTORY = "com.docker.compose.project.working_dir"
_ENVIRONMENT = "com.docker.compose.project.environment_file"
VERSIONS_KEPT = 2
"""Good versions of a service whose images stay: the one that runs and the one that rollback goes to."""


def requests_of(inventory: Inventory) -> tuple[StackRequest, ...]:
    """Return how the compose projects on an engine can be read, each once, every profile active.

    Args:
        inventory: What was observed.

    Returns:
        The requests, by what the labels of the projects' containers say.
    """
    found: dict[StackRequest, None] = {}
    for container in inventory.containers:
        files = container.labels.get(_FILES, "")
        if not container.project or not files or LABEL_CONFIG in container.labels:
            # Of a container that was deployed from a resolved project the journal knows the versions.
            continue
        directory = container.labels.get(_DIRECTORY, "")
        env_files = container.labels.get(_ENVIRONMENT, "")
        request = StackRequest(
            files=tuple(files.split(",")),
            directory=directory,
            project_name=container.project,
            profiles=("*",),
            env_files=tuple(env_files.split(",")) if env_files else (),
            working_directory=directory or "/",
        )
        found[request] = None
    return tuple(found)


def read_projects(
    requests: Iterable[StackRequest], read: Callable[[StackRequest], Stack]
) -> tuple[tuple[Stack, ...], tuple[str, ...]]:
    """Read compose projects, as far as they can be read.

    Args:
        requests: Which.
        read: Reads one.

    Returns:
        The stacks, and a note for each that cannot be read: of those only what their containers use is known.
    """
    stacks, notes = [], []
    for request in requests:
        try:
            stacks.append(read(request))
        except TonnageError as error:
            notes.append(
                f"the compose files of {request.project_name} cannot be read ({error.what}): of its images only those"
                " stay that its containers use"
            )
    return tuple(stacks), tuple(notes)


def needs_of(
    stacks: Sequence[Stack],
    versions: Sequence[tuple[str, Version]],
    *,
    images_needed: Callable[[Service], Sequence[str]],
    plan: Plan | None = None,
    worthless: frozenset[str] = frozenset(),
    build_seconds: Iterable[tuple[tuple[str, str], float]] = (),
    now_s: float,
    notes: Sequence[str] = (),
) -> Needs:
    """Put together what is needed.

    Args:
        stacks: Every stack that is known here.
        versions: Every good version of the journal with its stack, oldest first.
        images_needed: Returns the images from elsewhere that a service stands on.
        plan: The plan that bytes are freed for.
        worthless: Records of the build cache that runs left which came to nothing.
        build_seconds: How long building took the last time, by stack and service.
        now_s: Seconds since the epoch.
        notes: What could not be looked at.

    Returns:
        The needs.
    """
    images = [Need(name, reason) for stack in stacks for name, reason in _of_stack(stack, images_needed)]
    images += _of_versions(versions)
    images += [] if plan is None else _of_plan(plan)
    return Needs(
        images=tuple(dict.fromkeys(images)),
        worthless=worthless,
        build_seconds=tuple(build_seconds),
        now_s=now_s,
        notes=tuple(notes),
    )


def _of_stack(stack: Stack, images_needed: Callable[[Service], Sequence[str]]) -> list[tuple[str, str]]:
    named = []
    for service in stack.services:
        named.append((service.image, f"{service.name} of the stack {stack.name} is run from it"))
        if service.build is not None:
            # Compose 1 joins by an underscore what Compose 2 joins by a hyphen.
            named.append((f"{stack.name}_{service.name}", f"{service.name} of the stack {stack.name} is run from it"))
            reason = f"{service.name} of the stack {stack.name} is built on it"
            named += [(name, reason) for name in images_needed(service)]
    return named


def _of_versions(versions: Sequence[tuple[str, Version]]) -> list[Need]:
    kept: dict[tuple[str, str], dict[str, None]] = {}
    for stack, version in reversed(versions):
        images = kept.setdefault((stack, version.service), {})
        if version.image_id and len(images) < VERSIONS_KEPT:
            images[version.image_id] = None
    return [
        Need(image, f"{service} of the stack {stack} would go back to it")
        for (stack, service), images in kept.items()
        for image in images
    ]


def _of_plan(plan: Plan) -> list[Need]:
    reason = f"the plan for {plan.stack} needs it"
    steps = [each for step in plan.steps for each in (step, *step.on_failure)]
    fields = ("reference", "image", "image_name")
    names = [str(getattr(step.action, field, "")) for step in steps for field in fields]
    return [Need(name, reason) for name in names if name]
