"""The tables of known keys against the JSON schema of the Compose specification."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tonnage.sources.compose.keys import COMPOSE_FILE
from tonnage.sources.compose.kinds import Worded
from tonnage.sources.compose.shapes import Distinct, Either, Fields, Listed, Mounted, Named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.sources.compose.scalars import Shape

SCHEMA = json.loads((files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
LEFT_TO_COMPOSE = {"jobs", "models", "pre_start", "provider"}


def groups_of(shape: Shape, path: str) -> dict[str, set[str]]:
    """Return the known keys of every mapping below a shape, by path."""
    if isinstance(shape, Mounted):
        return groups_of(shape.fields, path)
    if isinstance(shape, Worded):
        return groups_of(shape.shape, path)
    if isinstance(shape, Either):
        return groups_of(shape.mapping, path)
    if isinstance(shape, Named):
        return groups_of(shape.each, f"{path}.*")
    if isinstance(shape, Listed | Distinct):
        return groups_of(shape.each, f"{path}[]")
    if not isinstance(shape, Fields):
        return {}
    found = {path: set(shape.keys) | shape.unsupported}
    for key, entry in shape.keys.items():
        found |= groups_of(entry, f"{path}.{key}")
    return found


def parts_of(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a schema says of its properties and items, with the step of the path."""
    for key, entry in schema.get("properties", {}).items():
        if key not in LEFT_TO_COMPOSE:
            yield f".{key}", entry
    named = [entry for pattern, entry in schema.get("patternProperties", {}).items() if pattern != "^x-"]
    for entry in (*named, schema.get("additionalProperties")):
        if isinstance(entry, dict):
            yield ".*", entry
    if isinstance(schema.get("items"), dict):
        yield "[]", schema["items"]


def groups_in(schema: dict[str, Any], path: str) -> dict[str, set[str]]:
    """Return the properties of every object below a schema, by path."""
    if "$ref" in schema:
        return groups_in(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], path)
    found: dict[str, set[str]] = {}

    def add(groups: dict[str, set[str]]) -> None:
        for key, names in groups.items():
            found[key] = found.get(key, set()) | names

    for part in (*schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ())):
        add(groups_in(part, path))
    if "properties" in schema:
        add({path: set(schema["properties"])})
    for name, part in parts_of(schema):
        add(groups_in(part, f"{path}{name}"))
    return found


def test_every_key_of_the_specification_is_known_and_no_other() -> None:
    assert groups_of(COMPOSE_FILE, "") == groups_in(SCHEMA, "")
