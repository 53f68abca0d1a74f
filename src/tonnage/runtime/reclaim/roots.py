"""Puts together what is needed of an engine: what its compose projects name, what the journal would go back to.

Compose writes on every container which files its project was read from. Those that are there are read, so that an image
is known to be needed although no container was made from it yet. Files that are there and cannot be read may name
anything, so they end it; files that are gone name nothing any more, and are told. They are on the machine on which
Compose ran. For an engine behind ``ssh://`` that may be the engine's or this one, so both are looked at.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.named_images import images_named
from tonnage.errors import CannotReclaimError, TonnageError
from tonnage.escapes import visible_in_line
from tonnage.model.compose_labels import DIRECTORY, ENV_FILES, FILES
from tonnage.model.deploy.plan import Build
from tonnage.model.reclaim.candidate import Root, Roots
from tonnage.model.stack import Service
from tonnage.runtime.load_stack import StackRequest
from tonnage.sources.compose.file_selection import FILE_NAMES, OVERRIDE_NAMES
from tonnage.sources.compose.files import HERE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tonnage.model.deploy.plan import Plan, Version
    from tonnage.model.inventory import Container
    from tonnage.model.stack import Stack
    from tonnage.sources.compose.files import Files

VERSIONS_KEPT = 2
"""Good versions of a service whose images stay: the one that runs and the one that rollback goes to."""


def requests_of(containers: Iterable[Container]) -> tuple[StackRequest, ...]:
    """Return how the compose projects on an engine can be read, each once, every profile active."""
    found: dict[StackRequest, None] = {}
    for container in containers:
        files, directory, env_files = (container.labels.get(label, "") for label in (FILES, DIRECTORY, ENV_FILES))
        if not container.project or not files:
            continue
        request = StackRequest(
            files=tuple(files.split(",")) if files else (),
            directory=directory,
            project_name=container.project,
            profiles=("*",),
            env_files=tuple(env_files.split(",")) if env_files else (),
            working_directory=directory or "/",
        )
        found[request] = None
    return tuple(found)


class Project(Struct, frozen=True):
    """A stack that was read, and the machine on which its files are."""

    stack: Stack
    where: Files = HERE


def read_projects(
    requests: Iterable[StackRequest], read: Callable[[StackRequest, Files], Stack], machines: Sequence[Files]
) -> tuple[tuple[Project, ...], tuple[str, ...]]:
    """Read compose projects.

    Raises:
        CannotReclaimError: Files are there and cannot be read or understood: they may name anything.
    """
    projects, notes = [], []
    for request in requests:
        looked = [(where, *_there(request, where)) for where in machines]
        gone = [each for each in looked[0][2] if all(each in missing for _, _, missing in looked)]
        if gone:
            notes.append(
                f"the compose file {gone[0]} of {request.project_name} is gone: of the images that it named only those"
                " stay that containers use"
            )
        for where, there, _ in looked:
            if there is not None:
                projects.append(Project(_read(there, where, read), where))
    return tuple(projects), tuple(notes)


def paths_of(requests: Iterable[StackRequest]) -> tuple[str, ...]:
    """Return the paths that will be looked at to read projects, as far as they are known before."""
    found: dict[str, None] = {}
    for request in requests:
        directory = PurePosixPath(request.directory or request.working_directory)
        files = (*request.files, *FILE_NAMES, *OVERRIDE_NAMES)
        found |= dict.fromkeys(str(directory / each) for each in (*files, *request.env_files, ".env", "Dockerfile"))
    return tuple(found)


def _read(request: StackRequest, where: Files, read: Callable[[StackRequest, Files], Stack]) -> Stack:
    try:
        return read(request, where)
    except TonnageError as error:
        raise CannotReclaimError(
            "cannot determine what must be kept; nothing removed",
            why=f"The compose files of {request.project_name} cannot be read: {error}",
            todo=error.todo or f"See what is wrong:\n  docker compose {_named(request)}config",
        ) from error


def _named(request: StackRequest) -> str:
    return "".join(f"-f {visible_in_line(file)} " for file in request.files[:1])


def _there(request: StackRequest, where: Files) -> tuple[StackRequest | None, tuple[str, ...]]:
    """Return the request for those of its files that are there, None when none is; and those that are gone."""
    directory = PurePosixPath(request.directory or request.working_directory)
    files = tuple(each for each in request.files if _is_there(directory / each, where))
    gone = tuple(each for each in request.files if each not in files)
    if not files:
        # They may have other names by now.
        known = (FILE_NAMES, OVERRIDE_NAMES)
        names = [next((name for name in each if _is_there(directory / name, where)), "") for each in known]
        if names[0]:
            files, gone = tuple(str(directory / name) for name in names if name), ()
    env_files = tuple(each for each in request.env_files if _is_there(directory / each, where))
    return (replace(request, files=files, env_files=env_files) if files else None), gone


def _is_there(path: PurePosixPath, where: Files) -> bool:
    """Whether there is something that could be read as a file; what may not be looked at may be there."""
    try:
        return where.kind(str(path)) in {"file", "directory"}
    except OSError:
        return True


def needs_of(
    projects: Sequence[Project],
    versions: Sequence[tuple[str, Version]],
    *,
    images_needed: Callable[[Service, Files], Sequence[str]],
    plan: Plan | None = None,
    worthless: frozenset[str] = frozenset(),
    build_seconds: Iterable[tuple[tuple[str, str], float]] = (),
    named: Sequence[Root] = (),
    now_s: float,
    notes: Sequence[str] = (),
) -> Roots:
    """Put together what is needed.

    Args:
        named: Images that are needed besides.
    """
    images = [Root(name, reason) for each in projects for name, reason in _of_stack(each, images_needed)]
    images += _of_versions(versions)
    images += [] if plan is None else _of_plan(plan, images_needed)
    images += named
    return Roots(
        images=tuple(dict.fromkeys(images)),
        paths=tuple(dict.fromkeys(each for project in projects for each in _mounted(project.stack))),
        worthless=worthless,
        build_seconds=tuple(build_seconds),
        now_s=now_s,
        notes=tuple(notes),
    )


def _of_stack(project: Project, images_needed: Callable[[Service, Files], Sequence[str]]) -> list[tuple[str, str]]:
    named, stack = [], project.stack
    for service in stack.services:
        named.append((service.image, f"{service.name} of the stack {stack.name} is run from it"))
        if service.build is not None:
            # Compose 1 joins by an underscore what Compose 2 joins by a hyphen.
            named.append((f"{stack.name}_{service.name}", f"{service.name} of the stack {stack.name} is run from it"))
            reason = f"{service.name} of the stack {stack.name} is built on it"
            named += [(name, reason) for name in images_needed(service, project.where)]
    return named


def _mounted(stack: Stack) -> list[Root]:
    return [
        Root(mount.source, f"{service.name} of the stack {stack.name} mounts it")
        for service in stack.services
        for mount in service.mounts
        if mount.kind == "bind" and mount.source.startswith("/")
    ]


def _of_versions(versions: Sequence[tuple[str, Version]]) -> list[Root]:
    kept: dict[tuple[str, str], dict[str, None]] = {}
    for stack, version in reversed(versions):
        images = kept.setdefault((stack, version.service), {})
        if version.image_id and len(images) < VERSIONS_KEPT:
            images[version.image_id] = None
    return [
        Root(image, f"{service} of the stack {stack} would go back to it")
        for (stack, service), images in kept.items()
        for image in images
    ]


def _of_plan(plan: Plan, images_needed: Callable[[Service, Files], Sequence[str]]) -> list[Root]:
    reason = f"the plan for {plan.stack} needs it"
    names = list(images_named(plan.steps))
    for step in plan.steps:
        if isinstance(step.action, Build):
            # Of the stack's own files nothing is known: they may be elsewhere, or other ones by now.
            built = Service(name=step.service, image=step.action.reference, build=step.action.spec)
            names += images_needed(built, HERE)
    return [Root(name, reason) for name in names if name]
