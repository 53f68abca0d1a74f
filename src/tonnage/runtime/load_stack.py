"""Reading a stack: with Compose v2 where it is there, else with the built-in reader. Both ways end in one converter."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from tonnage.errors import UsageError
from tonnage.escapes import visible_in_line
from tonnage.model.marks import unmarked
from tonnage.runtime.marked_stack import with_marks
from tonnage.small_files import VARIABLES
from tonnage.sources.compose.approximate_places import approximate_places
from tonnage.sources.compose.canonical import canonical, hidden_by
from tonnage.sources.compose.checks import check_build, check_form
from tonnage.sources.compose.consistency import check_project
from tonnage.sources.compose.differences import differences, hidden
from tonnage.sources.compose.file_selection import select_files
from tonnage.sources.compose.files import HERE, FilesSeen, FilesThatMayLack, FilesWithin
from tonnage.sources.compose.loading import Loaded, load_files, telling_unset
from tonnage.sources.compose.nodes import mapping_at, nearest, place_of, plain
from tonnage.sources.compose.printed import is_json, read_printed, read_settings, with_label_files, with_settings
from tonnage.sources.compose.since import read_with
from tonnage.sources.compose.to_stack import ComposeExtras, build_stack
from tonnage.sources.compose.x_tonnage import SETTINGS
from tonnage.sources.outside import is_shown, nothing_quoted_from_outside, project_root, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tonnage.model.stack import Place, Stack
    from tonnage.sources.compose.canonical import Canonical
    from tonnage.sources.compose.differences import Difference
    from tonnage.sources.compose.file_selection import Selection
    from tonnage.sources.compose.files import Files
    from tonnage.sources.compose.nodes import ComposeNode

_MOST_TOLD = 10


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

    @property
    def version(self) -> str:
        """Which version it is."""

    def config(self, request: StackRequest) -> str:
        """Return what ``docker compose config --format json`` prints.

        Raises:
            UsageError: Compose refuses the files.
        """

    def config_in_yaml(self, request: StackRequest) -> str:
        """Return what ``docker compose config`` prints, which has ``x-`` keys of services.

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
    runs: bool = True,
    within: str = "",
    where: Files = HERE,
) -> Stack:
    """Read a stack.

    Args:
        compose: Compose v2; None to read with the built-in reader.
        builds: Check that contexts and Dockerfiles are there.
        within: A directory, outside of which nothing is read; empty for no such limit.
        marks: Also find what of it comes from the environment, for who asks servers.
        runs: Its containers may be started: files of variables and labels that only they need have to be there.
        where: The machine that the files are on; Compose and that check know only this one.

    Raises:
        UsageError: There is no compose file, or it is wrong; the message names file and line.
    """
    where = FilesWithin(within) if within else where
    selection = _selected(request, environment=environment, where=where, marks=marks)
    with nothing_quoted_from_outside(project_root(selection.directory)):
        if request.services:
            selection = _with_profiles_of(request.services, selection, request, compose)
            request = replace(request, profiles=selection.profiles)
        where = FilesThatMayLack(selection.where, VARIABLES)
        stack = (
            _read_to_run(compose, selection, request) if runs else _read_to_build(compose, selection, request, where)
        )
        if where.missing:
            selection = replace(selection, where=where)
        if marks:
            stack = with_marks(stack, selection)
        for service in stack.services if builds else ():
            if service.build is not None:
                check_build(service.name, service.build, within=within)
        return stack


def _selected(request: StackRequest, *, environment: Mapping[str, str], where: Files, marks: bool) -> Selection:
    return select_files(
        files=request.files,
        directory=request.directory,
        profiles=request.profiles,
        env_files=request.env_files,
        working_directory=request.working_directory,
        environment=environment,
        where=where,
        marks=marks,
    )


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


def _with_profiles_of(
    services: Sequence[str], selection: Selection, request: StackRequest, compose: ComposeConfig | None
) -> Selection:
    """Return a selection in which the services that were named are active, as they are for Compose.

    Source: compose-go project.go, ``WithServicesEnabled``: the profiles of a service that is named become active.
    """
    known, reason = _known_places(selection, request.project_name)
    profiles = list(selection.profiles)
    if reason is not None and compose is not None:
        with contextlib.suppress(UsageError):  # It is told when the stack itself is read.
            form = read_printed(compose.config(replace(request, profiles=("*",))))
            for name in services:
                wanted = form["services"].get(name, {}).get("profiles") or ()
                profiles += () if {*wanted} & {*profiles} else wanted
    written = mapping_at(known.tree, "services")
    for name in services:
        if name in written:
            profiles += hidden_by(written[name], profiles)
    return replace(selection, profiles=tuple(dict.fromkeys(profiles)))


def _read_to_run(compose: ComposeConfig | None, selection: Selection, request: StackRequest) -> Stack:
    return _read(selection, request) if compose is None else _read_with(compose, selection, request)


def _read_to_build(
    compose: ComposeConfig | None, selection: Selection, request: StackRequest, files: FilesThatMayLack
) -> Stack:
    """Read a stack of which nothing is started, also without the files that only containers need.

    They often hold secrets, and are in no repository then. Compose wants them for everything.
    """
    if compose is not None:
        try:
            return _read_with(compose, selection, request)
        except UsageError:
            with contextlib.suppress(UsageError):
                _read(replace(selection, where=files), request)
            if not files.missing:
                raise
    stack = _read(replace(selection, where=files), request)
    return replace(stack, notes=(*stack.notes, *_notes_of(dict.fromkeys(files.missing), selection.directory)))


def _notes_of(missing: Iterable[str], directory: str) -> Iterator[str]:
    """Say which files of variables are missing; of very many the first ones."""
    names = [os.path.relpath(path, directory) for path in missing]
    for name in names[:_MOST_TOLD]:
        yield f"{visible_in_line(name)} does not exist, which containers need: a deploy would be refused"
    if len(names) > _MOST_TOLD:
        yield f"{len(names) - _MOST_TOLD:,} more files that containers need do not exist"


def _read(selection: Selection, request: StackRequest) -> Stack:
    loaded = load_files(selection, project_name=request.project_name)
    form = canonical(loaded, profiles=selection.profiles)
    check_project(form, loaded.tree)
    return _stack(form, selection, loaded)


def _read_with(compose: ComposeConfig, selection: Selection, request: StackRequest) -> Stack:
    """Read with Compose, which is right; the built-in reader tells where things are written.

    What Compose refuses is refused by the built-in reader where it can, since that names the line.
    """
    known, reason = _known_places(selection, request.project_name)
    own = None if reason is not None else _own_form(known, selection)
    if reason is None:
        request = replace(request, variables=selection.words)
    try:
        printed = compose.config(request)
    except UsageError as error:
        _refuse_newer(known.tree, compose.version, error.why)
        files = FilesSeen(selection.where)
        _read(replace(selection, where=files), request)
        root = project_root(selection.directory)
        # Which file Compose speaks of is not known to be one of the project's.
        if not all(is_shown(path, root) for path in (*files.paths, f"{selection.directory}/.env")):
            error.why = "Its reason is not shown, because some of the files are outside the project."
        raise
    form = read_printed(printed)
    settings = None
    # Who reads all else as Compose does, reads these as well.
    if own is None or (selection.mentions(SETTINGS) and next(differences(form, own), None) is not None):
        settings = _settings(compose, request, printed, form, reason)
    known = replace(known, tree=with_settings(known.tree, form, settings))
    return _stack(with_label_files(form, known.tree), selection, known)


def _refuse_newer(tree: ComposeNode, version: str, said: str) -> None:
    """Refuse keys of newer versions of Compose, of which it spoke."""
    written = plain(tree)
    for path, needed in read_with(written if isinstance(written, dict) else {}, version):
        if path[-1] in said:
            raise UsageError(
                f"{'.'.join(path)} needs Docker Compose {needed}",
                why=f"Compose {version} is installed, which does not know it.",
                todo=f"Install Compose {needed} or a newer one, or write it in another way.",
                place=str(place_of(tree, *path)),
            )


def _own_form(known: Loaded, selection: Selection) -> Canonical | None:
    """Return the canonical form of the built-in reader, which also reads what only services do; None for a refusal."""
    with contextlib.suppress(UsageError):
        return canonical(known, profiles=selection.profiles)
    return None


def _settings(
    compose: ComposeConfig, request: StackRequest, printed: str, form: Canonical, reason: UsageError | None
) -> dict[str, Any]:
    """Return the settings of services as Compose read them.

    Raises:
        UsageError: Nobody can tell them, so nothing goes on without them.
    """
    try:
        return read_settings(compose.config_in_yaml(request) if is_json(printed) else printed, form["services"])
    except UsageError as error:
        if reason is None:
            raise
        raise UsageError(
            f"what stands under {SETTINGS} cannot be read: {reason.what}",
            why=f"Compose does not print it ({error.what}), and the built-in reader cannot follow the files.",
            todo=reason.todo or "Write it in another way.",
            place=reason.place,
        ) from None


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
    return replace(stack, values=values, env_files=selection.env_files)


def differing(
    request: StackRequest, *, environment: Mapping[str, str], compose: ComposeConfig
) -> tuple[tuple[Place, Difference], ...]:
    """Return where Compose and the built-in reader read a stack differently.

    Raises:
        UsageError: One of them refuses the files.
    """
    selection = _selected(request, environment=environment, where=HERE, marks=False)
    root = project_root(selection.directory)
    with nothing_quoted_from_outside(root):
        loaded = load_files(selection, project_name=request.project_name)
        own = canonical(loaded, profiles=selection.profiles)
        form = read_printed(compose.config(replace(request, variables=selection.words)))
    found = []
    for each in differences(form, own):
        place = place_of(loaded.tree, *each.path)
        found.append((place, each if is_shown(place.file, root) else hidden(each)))
    return tuple(found)


def _known_places(selection: Selection, project_name: str) -> tuple[Loaded, UsageError | None]:
    """Read the files besides Compose, which tells no places; and return why that could not be done.

    What only Compose understands is noted and left to it.
    """
    try:
        return load_files(selection, project_name=project_name, lenient=True), None
    except UsageError as error:
        unquote(error, project_root(selection.directory))
        where = f" ({error.place})" if error.place else ""
        note = f"the built-in reader cannot follow the files, so lines are told as far as it can: {error.what}{where}"
        return Loaded(approximate_places(selection), project_name, selection.variables, (note,)), error
