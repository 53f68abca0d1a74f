"""``builder.gc`` in an engine's configuration, ``daemon.json``: read, and put in. Pure.

Source: moby, ``daemon/config/builder.go``: names of keys are told apart without regard to case; what was called
``keepStorage`` before Docker 28 is ``reservedSpace`` since; sizes are 2-based whatever their unit is called.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.reclaim.garbage_collection import CollectionRule, CollectionSettings
from tonnage.units import parse_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SIZE = regex(r"(\d{1,18}(?:\.\d{1,18})?) ?([kmgtp]?)i?b?")
_POWERS = " kmgtp"
_AGES = ("unused-for", "until")


def collection_settings(text: str, place: str) -> CollectionSettings:
    """Read what an engine's configuration says of garbage collection.

    Args:
        place: The file, for messages.

    Raises:
        UsageError: It is no JSON object.
    """
    told = _of(_of(_object(text, place), "builder"), "gc")
    rules = _value(told, "policy")
    enabled = _value(told, "enabled")
    return CollectionSettings(
        enabled=enabled if isinstance(enabled, bool) else None,
        rules=tuple(_rule(each) for each in rules if isinstance(each, dict)) if isinstance(rules, list) else None,
        reserved_bytes=_size(told, "defaultReservedSpace") or _size(told, "defaultKeepStorage"),
        max_used_bytes=_size(told, "defaultMaxUsedSpace"),
        min_free_bytes=_size(told, "defaultMinFreeSpace"),
    )


def collection_block(settings: CollectionSettings, *, three_limits: bool) -> dict[str, object]:
    """Return ``builder.gc`` as it is written for an engine.

    Args:
        three_limits: The engine knows three limits; else only how much stays.
    """
    sizes = {"defaultKeepStorage": settings.reserved_bytes}
    if three_limits:
        sizes = {
            "defaultReservedSpace": settings.reserved_bytes,
            "defaultMaxUsedSpace": settings.max_used_bytes,
            "defaultMinFreeSpace": settings.min_free_bytes,
        }
    # Bytes mean the same to every version, whatever a GB is to it.
    return {"enabled": True, **{name: f"{size}B" for name, size in sizes.items()}}


def with_collection(text: str, block: Mapping[str, object], place: str) -> str:
    """Return an engine's configuration with this ``builder.gc`` in place of what stood there.

    Raises:
        UsageError: It is no JSON object.
    """
    whole = dict(_object(text, place))
    builder = _name(whole, "builder")
    inner = dict(_of(whole, "builder"))
    inner[_name(inner, "gc")] = block
    whole[builder] = inner
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _object(text: str, place: str) -> dict[str, Any]:
    try:
        told = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise UsageError("the engine's configuration is not JSON", why=f"{error}.", place=place) from None
    if not isinstance(told, dict):
        raise UsageError("the engine's configuration is not a JSON object", place=place)
    return told


def _name(told: Mapping[str, Any], key: str) -> str:
    """Return a key as it is spelt here already."""
    return next((each for each in told if each.lower() == key.lower()), key)


def _value(told: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - whatever somebody has written there
    return told.get(_name(told, key))


def _of(told: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = _value(told, key)
    return found if isinstance(found, dict) else {}


def _size(told: Mapping[str, Any], key: str) -> int:
    found = _value(told, key)
    match = _SIZE.fullmatch(found.lower()) if isinstance(found, str) else None
    return int(float(match[1]) * 1024 ** _POWERS.index(match[2] or " ")) if match else 0


def _rule(told: Mapping[str, Any]) -> CollectionRule:
    filters = _value(told, "filter")
    words = _words(filters if isinstance(filters, list) else [])
    ages = [value for name, value in words if name in _AGES]
    return CollectionRule(
        filters=tuple(f"{name}=={value}" for name, value in words if name not in _AGES),
        unused_s=int(_seconds(ages[0])) if ages else 0,
        reserved_bytes=_size(told, "reservedSpace") or _size(told, "keepStorage"),
        max_used_bytes=_size(told, "maxUsedSpace"),
        min_free_bytes=_size(told, "minFreeSpace"),
        every_kind=_value(told, "all") is True,
    )


def _words(filters: Sequence[object]) -> list[tuple[str, str]]:
    pairs = [each.partition("=")[::2] for each in filters if isinstance(each, str)]
    return [(name.strip().lower(), value.strip("= ")) for name, value in pairs]


def _seconds(age: str) -> float:
    try:
        return parse_seconds(age)
    except UsageError:
        return 0.0
