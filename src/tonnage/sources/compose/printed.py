"""What Compose v2 printed: its stack in the canonical form, and its settings of services.

Its JSON has no ``x-`` keys of services; they are taken from its YAML, of which nothing else is read: it may be long.

Source: docker/compose issue 11528 (open in 2026); ``MarshalJSON`` and ``MarshalYAML`` of compose-go, package types.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tonnage.errors import UsageError
from tonnage.sources.compose.canonical import map_texts
from tonnage.sources.compose.nodes import ComposeNode, mapping_at, plain, with_entries
from tonnage.sources.compose.x_tonnage import SETTINGS
from tonnage.sources.compose.yaml_text import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tonnage.sources.compose.canonical import Canonical

_NAME = "docker compose config"


def is_json(printed: str) -> bool:
    """Return whether this is JSON: some versions print YAML where JSON was asked for.

    Source: docker/compose issue 11651 (version 2.25.0).
    """
    return printed.lstrip().startswith("{")


def read_printed(printed: str) -> Canonical:
    """Return what Compose printed in the canonical form: a doubled dollar sign is one again, empty keys are gone.

    Source: docker/compose cmd/compose/config.go, which doubles the sign unless ``--no-interpolate`` is given.

    Raises:
        UsageError: There are no services in it.
    """
    form = json.loads(printed) if is_json(printed) else plain(read_yaml(printed, _NAME))
    if not isinstance(form, dict) or "services" not in form:
        raise UsageError("Compose printed no services", todo="See what it prints:\n  docker compose config")
    result: Canonical = _undoubled(form)
    services: Mapping[str, Canonical] = result.get("services") or {}
    result["services"] = {
        name: {key: value for key, value in service.items() if value is not None} for name, service in services.items()
    }
    for service in result["services"].values():
        limits = service.get("blkio_config") or {}
        for key, entries in limits.items():
            if isinstance(entries, list):
                # Its JSON has the names of its own fields there, which Compose itself refuses to read.
                limits[key] = [{name.lower(): value for name, value in each.items()} for each in entries]
    return result


def read_settings(printed: str, services: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``x-tonnage`` of each service that has it, from the YAML that Compose printed.

    Args:
        services: All services that are in it.

    Raises:
        UsageError: It is no YAML.
    """
    tree = read_yaml("\n".join(_settings_lines(printed)), _NAME)
    if {*map(_undoubled, mapping_at(tree, "services"))} != {*services}:  # A name that takes more than a line.
        tree = read_yaml(printed, _NAME)
    written = plain(tree)["services"] if services else {}
    return {
        _undoubled(name): _undoubled(service[SETTINGS])
        for name, service in written.items()
        if service is not None and SETTINGS in service
    }


def with_settings(tree: ComposeNode, top: Canonical, services: Mapping[str, Any] | None) -> ComposeNode:
    """Return a merged tree with the settings that Compose read; the tree tells where they are written.

    Args:
        top: The stack as Compose printed it; where it has no ``x-tonnage``, that of the tree stays.
        services: Those of services; None where those of the tree are the same.
    """
    sections = dict(tree.value)
    if SETTINGS in top:
        sections[SETTINGS] = _located(top[SETTINGS], sections.get(SETTINGS) or ComposeNode(None, tree.place))
    if services is not None:
        section = sections.get("services") or ComposeNode({}, tree.place)
        written = section.value if isinstance(section.value, dict) else {}
        entries = dict(written)
        for name in {**written, **services}:
            service = written.get(name) or ComposeNode({}, section.place)
            fields = {key: entry for key, entry in (service.value or {}).items() if key != SETTINGS}
            if name in services:
                near = (service.value or {}).get(SETTINGS) or ComposeNode(None, service.place)
                fields[SETTINGS] = _located(services[name], near)
            entries[name] = with_entries(service, fields)
        sections["services"] = ComposeNode(entries, section.place)
    return ComposeNode(sections, tree.place)


def with_label_files(form: Canonical, tree: ComposeNode) -> Canonical:
    """Return the stack with the files of labels that are written, whose labels Compose has printed already.

    Compose 2.40 counts their names to the configuration when it starts a service, and prints them nowhere.
    """
    services = dict(form["services"])
    for name, written in mapping_at(tree, "services").items():
        files = plain(written).get("label_file") if isinstance(written.value, dict) else None
        if name in services and files and isinstance(files, list):
            services[name] = {**services[name], "label_file": files}
    return {**form, "services": services}


def _settings_lines(printed: str) -> Iterator[str]:
    """Return the lines of the services' names and of their settings."""
    within = kept = False
    for line in printed.split("\n"):
        if line[:1].strip():
            within, kept = line == "services:", line == "services:"
        elif line.strip() and not line.startswith(" " * 5):
            kept = within and (line[2:3] != " " or line.startswith(f"    {SETTINGS}:"))
        if kept:
            yield line


def _undoubled(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    return map_texts(value, lambda text: text.replace("$$", "$"))


def _located(value: Any, near: ComposeNode) -> ComposeNode:  # noqa: ANN401 - JSON of any shape
    """Return a value with the places of what is written there, or of the nearest above it."""
    unknown = ComposeNode(None, near.place)
    if isinstance(value, dict):
        written = near.value if isinstance(near.value, dict) else {}
        # Compose prints keys sorted; these are in the order of writing again.
        keys = [*(key for key in written if key in value), *(key for key in value if key not in written)]
        return ComposeNode({key: _located(value[key], written.get(key, unknown)) for key in keys}, near.place)
    if isinstance(value, list):
        there = near.value if isinstance(near.value, list) else []
        listed = [*there, *[unknown] * len(value)][: len(value)]
        return ComposeNode([_located(*pair) for pair in zip(value, listed, strict=True)], near.place)
    return ComposeNode(value, near.place)
