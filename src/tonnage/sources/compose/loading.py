"""Compose files to one merged tree: variables, long forms, ``extends``, ``include``, then file over file."""

from __future__ import annotations

import contextlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.marks import marked, unmarked
from tonnage.sources.compose.file_selection import add_dotenv, project_name_from, read_text
from tonnage.sources.compose.files import HERE
from tonnage.sources.compose.keys import COMPOSE_FILE
from tonnage.sources.compose.marked_values import for_requests, with_marked_arguments
from tonnage.sources.compose.nodes import (
    ComposeNode,
    MergeRule,
    documents,
    mapping_at,
    merge,
    nearest,
    place_of,
    plain,
    without_resets,
    wrong,
)
from tonnage.sources.compose.scalars import PathBase
from tonnage.sources.compose.variables import interpolate
from tonnage.sources.compose.yaml_text import read_documents
from tonnage.sources.outside import is_shown, project_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tonnage.model.stack import Place
    from tonnage.sources.compose.file_selection import Selection
    from tonnage.sources.compose.files import Files

_SECTIONS = ("services", "networks", "volumes", "secrets", "configs")
_NAME = regex(r"[a-z0-9][a-z0-9_-]*")


class _LoadingGroup(Struct, frozen=True):
    """What one group of files is read with. All groups of a stack share ``notes`` and ``parsed``.

    Args:
        marks: What is the environment's has marks, and so has what comes from outside of the project.
        typed: Files that the user named.
    """

    ground: PathBase
    variables: Mapping[str, str]
    notes: list[str]
    parsed: dict[str, ComposeNode]
    where: Files
    root: str
    marks: bool = False
    typed: tuple[str, ...] = ()
    included: tuple[str, ...] = ()
    files: dict[str, ComposeNode] = field(default_factory=dict)

    def unset(self, name: str, place: Place) -> None:
        which = f"the variable {name}" if is_shown(place.file, self.root) else "a variable"
        note = f"{place}: {which} is not set; an empty text stands for it"
        if note not in self.notes:
            self.notes.append(note)


class Loaded(Struct, frozen=True):
    """The merged tree of a stack.

    Args:
        tree: All files merged, in long form, nothing reset left in it.
        variables: What interpolation saw.
        notes: What people should know: variables that are not set.
        where: The machine that the files are on.
    """

    tree: ComposeNode
    name: str
    variables: Mapping[str, str]
    notes: tuple[str, ...]
    where: Files = HERE


def load_files(selection: Selection, *, project_name: str, lenient: bool = False) -> Loaded:
    """Read and merge the files of a stack.

    Args:
        project_name: What ``-p`` named; empty for COMPOSE_PROJECT_NAME, ``name:``, or the directory's name.

    Raises:
        UsageError: Anything in the files that cannot be read; it names file and line.
    """
    where = selection.where
    parsed = selection.parsed
    for path in selection.files:
        if path not in parsed:
            text = read_text(path, what="the compose file", where=where, piped=selection.typed)
            parsed[path] = read_documents(text, path)
    name = _project_name(selection, {path: parsed[path] for path in selection.files}, project_name)
    marks = selection.variables is selection.marked
    variables = {**selection.variables, "COMPOSE_PROJECT_NAME": name}
    if marks:
        written = _written_name(selection, [parsed[path] for path in selection.files])
        same = project_name_from(unmarked(written)) == name and unmarked(written) != written
        variables["COMPOSE_PROJECT_NAME"] = written if unmarked(written) == name else marked(name) if same else name
    ground = PathBase(selection.directory, variables.get("HOME", ""), lenient)
    typed = selection.files if selection.typed else ()
    source = _LoadingGroup(ground, variables, [], parsed, where, project_root(selection.directory), marks, typed)
    with telling_unset(source.notes):
        tree = without_resets(_group(selection.files, source))
    return Loaded(tree, name, variables, tuple(source.notes), where)


@contextlib.contextmanager
def telling_unset(notes: Iterable[str]) -> Iterator[None]:
    """Add to a complaint about a line which of its variables are not set: that is often the cause."""
    try:
        yield
    except UsageError as error:
        lead = f"{error.place}: the variable "
        told = [f"The variable {note.removeprefix(lead)}." for note in notes if error.place and note.startswith(lead)]
        error.why = "\n".join([*told, error.why] if error.why else told)
        raise


def _project_name(selection: Selection, raw: Mapping[str, ComposeNode], flag: str) -> str:
    name = flag or selection.variables.get("COMPOSE_PROJECT_NAME", "")
    place = ""
    if not name:
        written = _named(raw.values())
        if written is not None:
            name = str(interpolate(written, selection.variables, lambda _name, _place: None).value)
            place = str(written.place)
            # What may not stand in a name is left out; where nothing is left, it is refused as it was written.
            name = project_name_from(name) or name
    if not name:
        name = project_name_from(Path(selection.directory).name)
    if not _NAME.fullmatch(name):
        unnamed = f"the project has no name: nothing in that of its directory {selection.directory} may stand in one"
        raise UsageError(
            f"{name!r} cannot be a project name" if name else unnamed,
            why="It has to be of lower-case letters, digits, '-' and '_', and begin with a letter or digit.",
            todo="Choose a name with -p NAME, COMPOSE_PROJECT_NAME or the key 'name'.",
            place=place if name else "",
        )
    return name


def _named(trees: Iterable[ComposeNode]) -> ComposeNode | None:
    """Return the name that the last file writes that writes one."""
    found = None
    for each in [each for tree in trees for each in documents(tree)]:
        written = each.value.get("name") if isinstance(each.value, dict) else None
        if written is not None and isinstance(written.value, str) and written.value:
            found = written
    return found


def _written_name(selection: Selection, trees: Iterable[ComposeNode]) -> str:
    """Return the name that the files write, with variables put in; empty where none does."""
    named = _named(trees)
    if named is None:
        return ""
    return str(interpolate(named, selection.variables, lambda _name, _place: None).value)


def _group(files: Sequence[str], source: _LoadingGroup) -> ComposeNode:
    tree: ComposeNode | None = None
    for path in files:
        read = _file(path, source)
        tree = read if tree is None else merge(tree, read)
    if tree is None:
        raise UsageError("no compose file was named")
    if not tree.value:
        raise UsageError(
            "the compose file is empty", todo="Write at least one service under 'services'.", place=tree.place.file
        )
    return tree


def _file(path: str, source: _LoadingGroup, place: Place | None = None) -> ComposeNode:
    """Return one file in long form, with what it extends and includes."""
    tree = _long_form(path, source, place)
    services = mapping_at(tree, "services")
    extended = {name: _extended(path, name, services, source, ()) for name in services}
    sections = dict(tree.value)
    if "services" in sections:
        sections["services"] = ComposeNode(extended, sections["services"].place, sections["services"].rule)
    include = sections.pop("include", None)
    found = ComposeNode({}, tree.place)
    for entry in (include.value if include is not None and include.rule is not MergeRule.RESET else None) or ():
        found = _joined(found, _included(path, entry, source))
    return _joined(found, ComposeNode(sections, tree.place))


def _long_form(path: str, source: _LoadingGroup, place: Place | None) -> ComposeNode:
    known = source.files.get(path)
    if known is None:
        tree = source.parsed.get(path)
        if tree is None:
            text = read_text(path, what="the compose file", place=place, where=source.where)
            tree = source.parsed[path] = read_documents(text, path)
        known = ComposeNode({}, tree.place)
        for document in documents(tree):
            known = merge(known, _read_document(path, document, source))
        source.files[path] = known
    return known


def _read_document(path: str, document: ComposeNode, source: _LoadingGroup) -> ComposeNode:
    if not isinstance(document.value, dict):
        raise wrong(document, "a document of a compose file", "a mapping")
    filled = interpolate(document, source.variables, source.unset)
    if source.marks and path not in source.typed and not is_shown(path, source.root):
        filled = with_marked_arguments(filled)
    return COMPOSE_FILE.read(for_requests(filled), "", source.ground)


def _extended(
    path: str, name: str, services: Mapping[str, ComposeNode], source: _LoadingGroup, chain: tuple[tuple[str, str], ...]
) -> ComposeNode:
    """Return a service merged over the one that it extends."""
    service = services[name]
    extends = service.value.get("extends") if isinstance(service.value, dict) else None
    if extends is None or extends.value is None or extends.rule is MergeRule.RESET:
        return service
    chain = (*chain, (path, name))
    wanted = plain(extends)
    base_name, base_path = wanted["service"], wanted.get("file") or path
    if (base_path, base_name) in chain:
        names = " -> ".join(entry for _path, entry in (*chain, (base_path, base_name)))
        raise UsageError(f"services extend each other in a circle: {names}", place=str(extends.place))
    base_source, base_services = source, services
    if base_path != path:
        ground = replace(source.ground, directory=str(PurePosixPath(base_path).parent))
        base_source = replace(source, ground=ground, files={})
        base_services = mapping_at(_long_form(base_path, base_source, extends.place), "services")
    if base_name not in base_services:
        raise UsageError(
            f"the service {name!r} extends {base_name!r}, which is not in {base_path}",
            todo=nearest(base_name, base_services, kind="services") if is_shown(base_path, source.root) else "",
            place=str(place_of(extends, "service")),
        )
    base = _extended(base_path, base_name, base_services, base_source, chain)
    own = ComposeNode(
        {key: value for key, value in service.value.items() if key != "extends"}, service.place, service.rule
    )
    merged = merge(base, own, ("services", name))
    return ComposeNode(merged.value, service.place, service.rule)


def _included(path: str, entry: ComposeNode, source: _LoadingGroup) -> ComposeNode:
    """Return the merged tree of one entry of ``include``."""
    wanted = plain(entry)
    paths = wanted["path"]
    if not paths:
        raise UsageError("an entry of include names no path", place=str(entry.place))
    chain = (*source.included, path)
    if paths[0] in chain:
        raise UsageError(
            f"files include each other in a circle: {' -> '.join((*chain, paths[0]))}", place=str(entry.place)
        )
    directory = wanted.get("project_directory") or str(PurePosixPath(paths[0]).parent)
    variables = dict(source.variables)
    named = [name for name in wanted.get("env_file") or [] if name != "/dev/null"]
    add_dotenv(variables, directory, named, source.where, marks_outside=source.root if source.marks else "")
    for name in paths:
        read_text(name, what="the included file", place=entry.place, where=source.where)
    ground = replace(source.ground, directory=directory)
    return _group(paths, replace(source, ground=ground, variables=variables, included=chain, files={}))


def _joined(included: ComposeNode, tree: ComposeNode) -> ComposeNode:
    """Return a tree with the resources of included ones; the same name with another content is refused."""
    sections = dict(tree.value)
    for section in _SECTIONS:
        new, own = mapping_at(included, section), mapping_at(tree, section)
        for name in new:
            if name in own and plain(own[name]) != plain(new[name]):
                raise UsageError(
                    f"{section}.{name} is in this file and in an included one ({new[name].place})",
                    todo="Rename one of them, or change the included one in an override file.",
                    place=str(own[name].place),
                )
        if new:
            place = sections[section].place if section in sections else included.value[section].place
            sections[section] = ComposeNode({**new, **own}, place)
    return ComposeNode(sections, tree.place)
