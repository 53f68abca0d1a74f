"""Reading a stack: with Compose v2 where it is there, else with the built-in reader. Both ways end in one converter."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from tonnage.errors import UsageError
from tonnage.model.marks import unmarked
from tonnage.model.stack import Place
from tonnage.runtime.marked_stack import with_marks
from tonnage.sources.compose.canonical import canonical, from_compose, hidden_by
from tonnage.sources.compose.checks import check_build, check_form
from tonnage.sources.compose.file_selection import select_files
from tonnage.sources.compose.files import HERE, FilesSeen, FilesWithin
from tonnage.sources.compose.loading import Loaded, load_files, telling_unset
from tonnage.sources.compose.nodes import ComposeNode, mapping_at, nearest, plain
from tonnage.sources.compose.to_stack import ComposeExtras, build_stack
from tonnage.sources.compose.yaml_text import read_yaml
from tonnage.sources.outside import is_shown, nothing_quoted_from_outside, project_root, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.stack import Stack
    from tonnage.sources.compose.canonical import Canonical
    from tonnage.sources.compose.file_selection import Selection
    from tonnage.sources.compose.files import Files


class StackRequest(Struct, frozen=True, kw_only=True):
    """Which stack to read, as the command line says it.

    Args:
        files: ``-f``; empty for COMPOSE_FILE, or the search upwards.
        directory: ``--project-directory``; empty for the directory of the first file.
        project_name: ``-p``; empty for COMPOSE_PROJECT_NAME, ``name:``, or the directory's name.
        profiles: ``--profile``; empty for COMPOSE_PROFILES.
        services: What the user named; the profiles of these are active too.
        env_files: ``--env-file``; empty for ``.env``.
        working_directory: Where the command was called.
        variables: The variables that the files may mean; None for all.
    """

    files: tuple[str, ...] = ()
    directory: str = ""
    project_name: str = ""
    profiles: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    working_directory: str = "/"
    variables: frozenset[str] | None = None


class ComposeConfig(Protocol):
    """Compose v2, as far as reading needs it."""

    def config(self, request: StackRequest) -> str:
        """Return what ``docker compose config --format json`` prints.

        Raises:
            UsageError: Compose refuses the files.
        """


def load_stack(
    request: StackRequest,
    *,
    environment: Mapping[str, str],
    compose: ComposeConfig | None,
    builds: bool = True,
    marks: bool = False,
    within: str = "",
    where: Files = HERE,
) -> Stack:
    """Read a stack.

    Args:
        compose: Compose v2; None to read with the built-in reader.
        builds: Check that contexts and Dockerfiles are there.
        within: A directory, outside of which nothing is read; empty for no such limit.
        marks: Also find what of it comes from the environment, for who asks servers.
        where: The machine that the files are on; Compose and that check know only this one.

    Raises:
        UsageError: There is no compose file, or it is wrong; the message names file and line.
    """
    where = FilesWithin(within) if within else where
    selection = select_files(
        files=request.files,
        directory=request.directory,
        profiles=request.profiles,
        env_files=request.env_files,
        working_directory=request.working_directory,
        environment=environment,
        where=where,
        marks=marks,
    )
    with nothing_quoted_from_outside(project_root(selection.directory)):
        if request.services:
            selection = _with_profiles_of(request.services, selection, request.project_name)
            request = replace(request, profiles=selection.profiles)
        stack = _read(selection, request) if compose is None else _read_with(compose, selection, request)
        if marks:
            stack = with_marks(stack, selection)
        for service in stack.services if builds else ():
            if service.build is not None:
                check_build(service.name, service.build, within=within)
        return stack


def require_services(stack: Stack, names: Sequence[str]) -> None:
    """Check that all these services are active in the stack.

    Raises:
        UsageError: One is not; the message names the nearest.
    """
    known = [service.name for service in stack.services]
    for name in names:
        if name in known:
            continue
        hidden = next((note for note in stack.notes if f"the service {name} is not active" in note), "")
        raise UsageError(
            f"there is no active service {name!r} in the stack {stack.name!r}",
            why=f"{hidden}." if hidden else "",
            todo="Activate one of its profiles with --profile." if hidden else nearest(name, known, kind="services"),
        )


def _with_profiles_of(services: Sequence[str], selection: Selection, project_name: str) -> Selection:
    """Return a selection in which the services that were named are active, as they are for Compose.

    Source: compose-go project.go, ``WithServicesEnabled``: the profiles of a service that is named become active.
    """
    written = mapping_at(_known_places(selection, project_name).tree, "services")
    profiles = list(selection.profiles)
    for name in services:
        if name in written:
            profiles += hidden_by(written[name], profiles)
    return replace(selection, profiles=tuple(dict.fromkeys(profiles)))


def _read(selection: Selection, request: StackRequest) -> Stack:
    loaded = load_files(selection, project_name=request.project_name)
    return _stack(canonical(loaded, directory=selection.directory, profiles=selection.profiles), selection, loaded)


def _read_with(compose: ComposeConfig, selection: Selection, request: StackRequest) -> Stack:
    """Read with Compose; what it refuses is refused by the built-in reader where it can, since that names the line."""
    known = _known_places(selection, request.project_name)
    followed = bool(known.tree.value)
    if followed:
        with contextlib.suppress(UsageError):
            # Also what only services read: it may mean further variables.
            canonical(known, directory=selection.directory, profiles=selection.profiles)
    try:
        printed = compose.config(replace(request, variables=selection.words if followed else None))
    except UsageError as error:
        files = FilesSeen(selection.where)
        _read(replace(selection, where=files), request)
        root = project_root(selection.directory)
        # Which file Compose speaks of is not known to be one of the project's.
        if not all(is_shown(path, root) for path in (*files.paths, f"{selection.directory}/.env")):
            error.why = "Its reason is not shown, because some of the files lie outside of the project."
        raise
    return _stack(from_compose(_parsed(printed)), selection, known)


def _stack(form: Canonical, selection: Selection, loaded: Loaded) -> Stack:
    origin = ComposeExtras(
        tree=loaded.tree,
        files=selection.files,
        directory=selection.directory,
        profiles=selection.profiles,
        notes=loaded.notes,
    )
    with telling_unset(loaded.notes):
        stack = build_stack(check_form(form, origin), origin)
    named = {
        str(entry.get("environment") or "")
        for section in ("secrets", "configs")
        for entry in (stack.shared.get(section) or {}).values()
    }
    values = tuple((name, unmarked(loaded.variables[name])) for name in sorted(named) if name in loaded.variables)
    return replace(stack, values=values) if values else stack


def _parsed(printed: str) -> Canonical:
    """Return what Compose printed; some versions print YAML where JSON was asked for.

    Source: docker/compose issue 11651 (version 2.25.0).
    """
    if printed.lstrip().startswith("{"):
        form = json.loads(printed)
    else:
        form = plain(read_yaml(printed, "docker compose config"))
    if not isinstance(form, dict) or "services" not in form:
        raise UsageError("Compose printed no services", todo="See what it prints:\n  docker compose config")
    return form


def _known_places(selection: Selection, project_name: str) -> Loaded:
    """Read the files besides Compose, which tells no places and leaves ``x-`` keys of services out of its JSON.

    What only Compose understands is noted and left to it.

    Source: docker/compose issue 11528 (open in 2026).
    """
    try:
        return load_files(selection, project_name=project_name, lenient=True)
    except UsageError as error:
        unquote(error, project_root(selection.directory))
        note = f"x-tonnage of services is not seen, because the built-in reader cannot follow the files: {error.what}"
        return Loaded(ComposeNode({}, Place(selection.files[0])), project_name, selection.variables, (note,))
