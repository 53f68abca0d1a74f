"""Where in a compose file a value of the process environment may become part of a request.

A file is read with marks on the variables of the environment (:mod:`tonnage.model.marks`). They stay on images and on
what a Dockerfile is filled with; what only chooses among files and stages that are written has none.
"""

from __future__ import annotations

from tonnage.model.marks import marked, unmarked
from tonnage.sources.compose.nodes import ComposeNode, mapping_at, with_entries

_OF_BUILD = ("args", "dockerfile_inline", "additional_contexts")


def for_requests(tree: ComposeNode) -> ComposeNode:
    """Return the tree of a file with marks on what may go into a request, and on nothing else."""
    bare = _bare(tree)
    if bare is tree:
        return tree
    services = mapping_at(tree, "services")
    kept = {name: _service(services[name], other) for name, other in mapping_at(bare, "services").items()}
    return _with(bare, "services", with_entries(bare.value["services"], kept)) if kept else bare


def with_marked_arguments(tree: ComposeNode) -> ComposeNode:
    """Return the tree of a file outside of the project, with marks on the values of its build arguments."""
    services = mapping_at(tree, "services")
    kept = {name: _with_arguments(service) for name, service in services.items()}
    return _with(tree, "services", with_entries(tree.value["services"], kept)) if kept else tree


def _with_arguments(service: ComposeNode) -> ComposeNode:
    build = mapping_at(service, "build")
    if "args" not in build:
        return service
    written = build["args"]
    if isinstance(written.value, dict):
        args = with_entries(written, {name: _marked(each) for name, each in written.value.items()})
    elif isinstance(written.value, list):
        args = ComposeNode([_marked(each, after="=") for each in written.value], written.place, written.rule)
    else:
        return service
    return _with(service, "build", _with(service.value["build"], "args", args))


def _marked(written: ComposeNode, after: str = "") -> ComposeNode:
    """Return a scalar with marks; in a text with a sign in it only on what stands behind the sign."""
    text = written.value if isinstance(written.value, str) else written.text
    named = text[: text.find(after) + 1] if after else ""
    value = marked(unmarked(text[len(named) :]))
    return ComposeNode(f"{named}{value}", written.place, written.rule) if text else written


def _service(written: ComposeNode, bare: ComposeNode) -> ComposeNode:
    if isinstance(written.value, dict) and "image" in written.value:
        bare = _with(bare, "image", written.value["image"])
    build = mapping_at(written, "build")
    for key in _OF_BUILD:
        if key in build:
            bare = _with(bare, "build", _with(bare.value["build"], key, build[key]))
    return bare


def _with(written: ComposeNode, key: str, entry: ComposeNode) -> ComposeNode:
    return with_entries(written, {**written.value, key: entry})


def _bare(written: ComposeNode) -> ComposeNode:
    """Return a tree without marks: the same object where there is none."""
    value = written.value
    if isinstance(value, str):
        text = unmarked(value)
        return written if text == value else ComposeNode(text, written.place, written.rule, written.text)
    if isinstance(value, dict):
        entries = {key: _bare(entry) for key, entry in value.items()}
        same = all(entries[key] is entry for key, entry in value.items())
        return written if same else with_entries(written, entries)
    if isinstance(value, list):
        bare = [_bare(entry) for entry in value]
        same = all(new is old for new, old in zip(bare, value, strict=True))
        return written if same else ComposeNode(bare, written.place, written.rule)
    return written
