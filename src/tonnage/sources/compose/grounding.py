"""What only the group of a file can tell: the directory and the variables that something unsaid stands for.

Source: compose-go, package loader: default values, relative paths and the environment are put in group by group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.sources.compose.nodes import ComposeNode, PairList, mapping_at, with_entries
from tonnage.sources.compose.scalars import PathText

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.sources.compose.scalars import PathBase


def grounded(tree: ComposeNode, ground: PathBase, variables: Mapping[str, str]) -> ComposeNode:
    """Return the tree of a group in long form, with these put in.

    A build without a context has the directory, a volume may be bound to a place below it, and the names in a list of
    an environment are variables.
    """

    def service(written: ComposeNode) -> ComposeNode:
        return _with(_with(written, "build", context), "environment", environment)

    def context(build: ComposeNode) -> ComposeNode:
        if not isinstance(build.value, dict) or ("context" in build.value and build.value["context"].value is not None):
            return build
        return with_entries(build, {**build.value, "context": ComposeNode(ground.directory, build.place)})

    def environment(written: ComposeNode) -> ComposeNode:
        if not isinstance(written.value, PairList):
            return written
        unset = {key for key, entry in written.value.items() if entry.value is None and key in variables}
        told = {key: ComposeNode(variables[key], written.value[key].place) for key in unset}
        return with_entries(written, {**written.value, **told})

    def volume(written: ComposeNode) -> ComposeNode:
        fields = written.value if isinstance(written.value, dict) else {}
        options = mapping_at(written, "driver_opts")
        local = "driver" in fields and fields["driver"].value == "local"
        if not local or "o" not in options or options["o"].value != "bind" or "device" not in options:
            return written
        path = PathText(mounted=True).read(options["device"], "driver_opts.device", ground)
        return _with(written, "driver_opts", lambda entry: with_entries(entry, {**options, "device": path}))

    return _each(_each(tree, "services", service), "volumes", volume)


def _with(written: ComposeNode, key: str, change: Callable[[ComposeNode], ComposeNode]) -> ComposeNode:
    if not isinstance(written.value, dict) or key not in written.value:
        return written
    return with_entries(written, {**written.value, key: change(written.value[key])})


def _each(tree: ComposeNode, section: str, change: Callable[[ComposeNode], ComposeNode]) -> ComposeNode:
    entries = {name: change(entry) for name, entry in mapping_at(tree, section).items()}
    return _with(tree, section, lambda written: with_entries(written, entries)) if entries else tree
