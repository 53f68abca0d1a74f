"""A stack with marks on what its images and builds hold of the process environment, and of files outside of it.

What was read by Compose is compared with what the built-in reader makes of the same files: where the two differ, all of
a service counts as the environment's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import UsageError
from tonnage.model.marks import marked, marked_parts, unmarked
from tonnage.sources.compose.canonical import canonical
from tonnage.sources.compose.loading import load_files
from tonnage.sources.compose.to_stack import ComposeExtras, build_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.model.stack import BuildSpec, Service, Stack
    from tonnage.sources.compose.file_selection import Selection


def with_marks(stack: Stack, selection: Selection) -> Stack:
    """Return a stack whose services know what of them comes from the environment.

    Args:
        selection: What it was read from, with marks.
    """
    read = _read(stack, selection)
    services = tuple(_with_marks(each, read.get(each.name), selection) for each in stack.services)
    return stack if services == stack.services else replace(stack, services=services)


def _read(stack: Stack, selection: Selection) -> Mapping[str, Service]:
    """Read the files once more; nothing where only Compose understands them."""
    try:
        loaded = load_files(replace(selection, variables=selection.marked), project_name=stack.name, lenient=True)
        form = canonical(loaded, profiles=selection.profiles)
        origin = ComposeExtras(tree=loaded.tree, files=selection.files, directory=selection.directory)
        return {each.name: each for each in build_stack(form, origin).services}
    except UsageError:
        return {}


def _with_marks(service: Service, read: Service | None, selection: Selection) -> Service:
    if read is None or _texts(_changed(read, unmarked)) != _texts(service):
        read = _changed(service, marked)
    values = {value for text in _texts(read) for value in marked_parts(text)}
    if not values:
        return service
    named = set(selection.marked.values())
    holding = [(name, value) for name, value in selection.marked.items() if value in values]
    # Several variables may have the same value: those that no file names are not meant.
    held = [each for each in holding if each[0] in selection.words] or holding
    held += [("a file outside of the project", value) for value in sorted(values - named)]
    return replace(service, marked=read, held=tuple(held))


def _texts(service: Service) -> list[str]:
    """Return what of a service may go into a request."""
    build = service.build
    if build is None:
        return [service.image]
    pairs = sorted((*build.args, *build.additional_contexts))
    return [service.image, build.dockerfile_inline, *(text for pair in pairs for text in pair)]


def _changed(service: Service, change: Callable[[str], str]) -> Service:
    build = None if service.build is None else _changed_build(service.build, change)
    return replace(service, image=change(service.image), build=build)


def _changed_build(build: BuildSpec, change: Callable[[str], str]) -> BuildSpec:
    return replace(
        build,
        dockerfile_inline=change(build.dockerfile_inline),
        args=tuple((name, change(value)) for name, value in build.args),
        additional_contexts=tuple((name, change(value)) for name, value in build.additional_contexts),
    )
