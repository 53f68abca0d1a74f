"""Where the built-in reader and Compose read the same files differently: each such value, with what both make of it.

Values that may be secrets are compared, and not told.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.sources.compose.canonical import Canonical

_IN_ORDER = frozenset({"command", "entrypoint", "test"})
_SECRET = frozenset({"environment", "args", "content"})
_MOST_SHOWN = 60
_NOTHING = "nothing"
_NOT_SHOWN = "a value that is not shown"


class Difference(Struct, frozen=True):
    """One value.

    Args:
        path: Its keys.
        compose: What Compose reads, as JSON in one line, shortened.
        own: What the built-in reader reads.
    """

    path: tuple[str, ...]
    compose: str
    own: str


def differences(compose: Canonical, own: Canonical) -> Iterator[Difference]:
    """Return where two canonical forms of the same files differ, one after the other.

    Lists are compared without their order, unless it means something. ``x-`` keys are left out.
    """
    return _compared(compose, own, (), secret=False)


def hidden(difference: Difference) -> Difference:
    """Return a difference whose values are not told."""
    told = [value if value == _NOTHING else _NOT_SHOWN for value in (difference.compose, difference.own)]
    return Difference(path=difference.path, compose=told[0], own=told[1])


def _compared(compose: object, own: object, path: tuple[str, ...], *, secret: bool) -> Iterator[Difference]:
    if isinstance(compose, dict) and isinstance(own, dict):
        names = {**compose, **own}
        for key in sorted(names):
            if not key.startswith("x-") or path == ("services",):
                yield from _compared(compose.get(key), own.get(key), (*path, key), secret=secret or key in _SECRET)
        return
    if _normal(compose, path) == _normal(own, path):
        return
    yield Difference(path=path, compose=_shown(compose, secret=secret), own=_shown(own, secret=secret))


def _normal(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON of any shape
    """Return a value as text that is the same for what means the same; None for what is as good as nothing."""
    if isinstance(value, dict):
        kept = {key: _normal(entry, (*path, key)) for key, entry in value.items() if not key.startswith("x-")}
        return {key: entry for key, entry in kept.items() if entry is not None} or None
    if isinstance(value, list):
        entries = [_normal(entry, path) for entry in value]
        ordered = path[-1:] and path[-1] in _IN_ORDER
        return (entries if ordered else sorted(entries, key=lambda entry: json.dumps(entry, sort_keys=True))) or None
    return value


def _shown(value: object, *, secret: bool) -> str:
    if value is None:
        return _NOTHING
    if secret:
        return _NOT_SHOWN
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."
