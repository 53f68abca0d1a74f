"""JSON as text, always UTF-8: names of files and values of variables may be any bytes, JSON may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


def json_text(form: Mapping[str, object]) -> str:
    """Write a mapping as JSON in one line."""
    try:
        return msgspec.json.encode(form).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_shown(msgspec.to_builtins(form))).decode()


def _shown(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_shown(key): _shown(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_shown(entry) for entry in value]
    return value
