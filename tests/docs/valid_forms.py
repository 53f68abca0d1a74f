"""Compares what is printed with ``docs/schemas``, and finds fields that no schema has."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
from tests.docs.schemas import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Mapping

RENEW = "add the field to tonnage.views.json.shapes and docs/json.md, then: python -m tests.docs.schemas"


def complaints(form: Mapping[str, object]) -> list[str]:
    """Return what is wrong with a printed document or event; nothing where it is as documented."""
    form = json.loads(msgspec.json.encode(form))
    if not {"event", "document"} & set(form):
        # It is somebody else's form, such as SARIF.
        return []
    if "event" in form:
        found = _event_validator(str(form["event"])).iter_errors(form)
    else:
        found = _validator(str(form["document"])).iter_errors(form)
    return [f"{'.'.join(map(str, each.absolute_path))}: {each.message[:300]} ({RENEW})" for each in found]


def validate(form: Mapping[str, object]) -> None:
    """Fail where a printed document or event is not as documented."""
    assert complaints(form) == []


@cache
def _validator(name: str) -> Any:  # noqa: ANN401 - jsonschema has no types
    schema = json.loads((DIRECTORY / f"{name}.json").read_text())
    return jsonschema.Draft202012Validator(_closed(schema))


@cache
def _event_validator(name: str) -> Any:  # noqa: ANN401 - jsonschema has no types
    schema = json.loads((DIRECTORY / "events.json").read_text())
    [line] = [each for each in schema["oneOf"] if each["properties"]["event"]["const"] == name]
    return jsonschema.Draft202012Validator(_closed({**line, "$defs": schema["$defs"]}))


def _closed(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a schema that forbids every field that it does not name."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(each) for key, each in schema.items()}
    return {**made, "additionalProperties": False} if "properties" in schema else made
