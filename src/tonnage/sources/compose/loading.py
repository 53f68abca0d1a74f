"""Compose files to one merged tree: variables, long forms, ``extends``, ``include``, then file over file.

A file means what it does in its group: the files of the stack, or those that one entry of ``include`` names. Paths
stand on the directory of the group, names are those of its variables, and it is merged before another group sees it.

Source: compose-go, package loader.
"""

from __future__ import annotations

import contextlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.marks import marked, unmarked
from tonnage.model.stack import Place
from tonnage.sources.compose.consistency import check_parts
from tonnage.sources.compose.file_selection import add_included, kind_of, project_name_from, read_text
from tonnage.sources.compose.files import HERE
from tonnage.sources.compose.grounding import grounded
from tonnage.sources.compose.joining import joined
from tonnage.sources.compose.keys import COMPOSE_FILE, SERVICE
from tonnage.sources.compose.marked_values import for_requests, with_marked_arguments
from tonnage.sources.compose.merged import check_merged
from tonnage.sources.compose.nodes import (
    ComposeNode,
    MergeRule,
    count,
    documents,
    mapping_at,
    merge,
    nearest,
    place_of,
    plain,
    settled,
    wrong,
)
from tonnage.sources.compose.scalars import PathBase
from tonnage.sources.compose.short_syntax import check_entries, refuse_fetched
from tonnage.sources.compose.variables import interpolate
from tonnage.sources.compose.yaml_text import read_documents
from tonnage.sources.outside import is_shown, project_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tonnage.sources.compose.file_selection import Selection
    from tonnage.sources.compose.files import Files

_NAME = regex(r"[a-z0-9][a-z0-9_-]*")
_MOST_VALUES = 1_000_000
_MOST_INCLUDED, _MOST_GROUPS = 50, 1000
"""Deeper, and more, than any files that include each other."""


class _Budget(Struct):
    """How many values a stack may still take from files that are included and extended, each as often as it is."""

    left: int = _MOST_VALUES

    def spend(self, written: ComposeNode, place: Place) -> None:
        self.left -= count(written)
        if self.left < 0:
            raise UsageError(
                "with what it includes and extends this stack has too many values",
                why=f"What is included or extended stands for more than {_MOST_VALUES:,} of them.",
                todo="Include and extend each file fewer times.",
                place=str(place),
            )


class _LoadingGroup(Struct, frozen=True):
    """What one group of files is read with. All groups of a stack share ``notes``, ``parsed``, ``budget``, ``trees``.

    Args:
        marks: What is the environment's has marks, and so has what comes from outside of the project.
        typed: Files that the user named.
        included: The files that include this group, from the first one on.
        trees: Groups that were read: the same files in the same directory with the same variables are the same.
        filled: Files with variables put in.
        extended: Services with what they extend, by file, directory and name.
    """

    ground: PathBase
    variables: Mapping[str, str]
    notes: dict[str, None]
    parsed: dict[str, ComposeNode]
    where: Files
    root: str
    marks: bool = False
    typed: tuple[str, ...] = ()
    included: tuple[str, ...] = ()
    budget: _Budget = field(default_factory=_Budget)
    trees: dict[tuple[object, ...], ComposeNode] = field(default_factory=dict)
    filled: dict[str, tuple[ComposeNode, ...]] = field(default_factory=dict)
    extended: dict[tuple[str, str, str], ComposeNode] = field(default_factory=dict)

    def unset(self, name: str, place: Place) -> None:
        which = f"the variable {name}" if is_shown(place.file, self.root) else "a variable"
        note = f"{place}: {which} is not set; an empty text stands for it"
        self.notes.setdefault(note)


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
    source = _LoadingGroup(ground, variables, {}, parsed, where, project_root(selection.directory), marks, typed)
    with telling_unset(source.notes):
        tree = _group(selection.files, source)
        if not tree.value:
            raise UsageError(
                "the compose file is empty",
                todo="Write at least one service under 'services'.",
                place=selection.files[0],
            )
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
            if not name:
                raise UsageError(
                    "the name of the project is empty",
                    todo="Write one, or remove the key 'name' to have that of the directory.",
                    place=place,
                )
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


def _group(files: Sequence[str], source: _LoadingGroup, place: Place | None = None) -> ComposeNode:
    """Return the merged tree of a group of files, which nothing of another group changes any more."""
    tree = ComposeNode({}, Place(files[0], 1))
    for path in files:
        what = "the compose file" if place is None else "the included file"
        for document in _filled(path, source, place, what):
            tree = merge(tree, _document(path, document, source))
            if not source.ground.lenient:
                check_merged(tree, COMPOSE_FILE)
    tree = settled(tree)
    if not source.ground.lenient:
        check_parts(tree)
    return grounded(tree, source.ground, source.variables)


def _document(path: str, document: ComposeNode, source: _LoadingGroup) -> ComposeNode:
    """Return one document of a file in long form, with what it extends and includes."""
    tree = COMPOSE_FILE.read(document, "", source.ground)
    services = mapping_at(tree, "services")
    # A service of an earlier document has nothing to do with one of the same name.
    for name in services:
        source.extended.pop((path, source.ground.directory, name), None)
    extended = {name: _extended(path, name, services, source) for name in services}
    sections = dict(tree.value)
    if "services" in sections:
        sections["services"] = ComposeNode(extended, sections["services"].place, sections["services"].rule)
    include = sections.pop("include", None)
    found = ComposeNode({}, tree.place)
    for entry in (include.value if include is not None and include.rule is not MergeRule.RESET else None) or ():
        found = joined(found, _included(path, entry, source))
    return joined(found, ComposeNode(sections, tree.place), document)


def _filled(path: str, source: _LoadingGroup, place: Place | None, what: str) -> tuple[ComposeNode, ...]:
    """Return the documents of a file, with variables put in."""
    known = source.filled.get(path)
    if known is None:
        tree = source.parsed.get(path)
        if tree is None:
            text = read_text(path, what=what, place=place, where=source.where)
            tree = source.parsed[path] = read_documents(text, path)
        known = source.filled[path] = tuple(_with_variables(path, each, source, place) for each in documents(tree))
    return known


def _with_variables(path: str, document: ComposeNode, source: _LoadingGroup, place: Place | None) -> ComposeNode:
    if not isinstance(document.value, dict):
        raise wrong(document, "a document of a compose file", "a mapping")
    if place is not None:
        source.budget.spend(document, place)
    filled = interpolate(document, source.variables, source.unset)
    if source.marks and path not in source.typed and not is_shown(path, source.root):
        filled = with_marked_arguments(filled)
    return for_requests(filled)


def _extended(path: str, name: str, services: Mapping[str, ComposeNode], source: _LoadingGroup) -> ComposeNode:
    """Return a service merged over those that it extends.

    Of another file only these services are looked at: whatever else it holds is not of this stack.
    """
    ground, waiting = source.ground, dict[tuple[str, str, str], ComposeNode]()
    service: ComposeNode | None = services[name]
    key = (path, ground.directory, name)
    while key not in source.extended:
        assert service is not None  # noqa: S101 - what is not there was refused
        extends = service.value.get("extends") if isinstance(service.value, dict) else None
        waiting[key] = service
        if extends is None or extends.rule is MergeRule.RESET:
            break
        if extends.value is None:
            raise wrong(extends, f"services.{name}.extends", "the name of a service, or a mapping")
        wanted = plain(extends)
        file, name = wanted.get("file"), wanted["service"]
        if file:
            refuse_fetched(file, extends.place)
            path, ground = file, replace(source.ground, directory=str(PurePosixPath(file).parent))
            services = _raw_services(file, source, extends.place)
        key = (path, ground.directory, name)
        if key in waiting:
            names = " -> ".join(each for *_file, each in (*waiting, key))
            raise UsageError(
                f"services extend each other in a circle: {names}",
                todo="Remove one of these 'extends'.",
                place=str(extends.place),
            )
        if name not in services:
            raise UsageError(
                f"the service {next(reversed(waiting))[-1]!r} extends {name!r}, which is not in {path}",
                todo=nearest(name, services, kind="services") if is_shown(path, source.root) else "",
                place=str(place_of(extends, "service")),
            )
        service = services[name]
        if file or ground is not source.ground:
            service = SERVICE.read(service, f"services.{name}", ground)
    base = source.extended.get(key)
    for key, service in reversed(waiting.items()):
        base = service if base is None else _over(base, service, source.budget)
        source.extended[key] = base
    assert base is not None  # noqa: S101 - one was waiting, or was known
    return base


def _raw_services(file: str, source: _LoadingGroup, place: Place) -> Mapping[str, ComposeNode]:
    tree = ComposeNode({}, place)
    for document in _filled(file, source, place, "the extended file"):
        tree = merge(tree, document)
    check_entries(mapping_at(tree, "services"))
    return mapping_at(tree, "services")


def _over(base: ComposeNode, service: ComposeNode, budget: _Budget) -> ComposeNode:
    """Return a service merged over the one that it extends."""
    own = {key: value for key, value in service.value.items() if key != "extends"}
    merged = merge(base, ComposeNode(own, service.place, service.rule), ("services", ""))
    budget.spend(merged, service.place)
    return ComposeNode(merged.value, service.place, service.rule)


def _included(path: str, entry: ComposeNode, source: _LoadingGroup) -> ComposeNode:
    """Return the merged tree of one entry of ``include``."""
    wanted = plain(entry)
    paths = wanted.get("path")
    if not paths:
        if wanted.get("env_file"):
            _variables_of(entry, source.ground.directory, source)
        return ComposeNode({}, entry.place)
    for name in paths:
        refuse_fetched(name, entry.place)
    chain = (*source.included, path)
    again = next((name for name in paths if name in chain), "")
    if again:
        raise UsageError(
            f"files include each other in a circle: {' -> '.join((*chain, again))}",
            todo="Remove one of these entries of 'include'.",
            place=str(entry.place),
        )
    if len(chain) > _MOST_INCLUDED:
        raise UsageError(
            f"files include each other more than {_MOST_INCLUDED} deep",
            todo="Include them from one file.",
            place=str(entry.place),
        )
    directory = wanted.get("project_directory") or str(PurePosixPath(paths[0]).parent)
    variables = _variables_of(entry, directory, source)
    key = (*paths, directory, *sorted(variables.items()))
    known = source.trees.get(key)
    if known is None and len(source.trees) >= _MOST_GROUPS:
        raise UsageError(
            f"files are included more than {_MOST_GROUPS:,} times, each time with other variables or files",
            todo="Include each file once.",
            place=str(entry.place),
        )
    if known is None:
        # Of a directory that is not there Compose takes the one above.
        there = kind_of(directory, source.where) == "directory"
        ground = replace(source.ground, directory=directory if there else str(PurePosixPath(directory).parent))
        group = replace(source, ground=ground, variables=variables, included=chain, filled={}, extended={})
        known = source.trees[key] = _group(paths, group, entry.place)
    return known


def _variables_of(entry: ComposeNode, directory: str, source: _LoadingGroup) -> dict[str, str]:
    """Return the variables of an included file; its files of variables have to be there, whatever it includes."""
    variables = dict(source.variables)
    outside = source.root if source.marks else ""
    try:
        add_included(variables, directory, plain(entry).get("env_file") or (), source.where, marks_outside=outside)
    except UsageError as error:
        error.place = error.place or str(place_of(entry, "env_file"))
        raise
    return variables
