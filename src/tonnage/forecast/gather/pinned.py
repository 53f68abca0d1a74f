"""What is installed where one more version is settled: what else is looked up stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.forecast.python_lock import Lock, ResolveRequest, Target


def with_pins(inner: Lookups, pins: Mapping[str, str]) -> Lookups:
    """Return lookups that resolve to these versions.

    Args:
        pins: The version by name; it stands in place of what a line says of it, else beside the lines.
    """
    return cast("Lookups", _Pinned(inner, pins)) if pins else inner


class _Pinned:
    def __init__(self, inner: Lookups, pins: Mapping[str, str]) -> None:
        self._inner = inner
        self._pins = pins

    def resolve(self, request: ResolveRequest, target: Target) -> Lock:
        lines = tuple(self._pinned(line) for line in request.requirements)
        limits = tuple(f"{name}=={version}" for name, version in self._pins.items())
        return self._inner.resolve(
            replace(request, requirements=lines, constraints=(*request.constraints, *limits)), target
        )

    def _pinned(self, line: str) -> str:
        try:
            read = Requirement(line)
        except InvalidRequirement:
            return line
        version = self._pins.get(canonicalize_name(read.name))
        if version is None or read.url:
            return line
        extras = f"[{','.join(sorted(read.extras))}]" if read.extras else ""
        return f"{read.name}{extras}=={version}{f'; {read.marker}' if read.marker else ''}"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is the inner one's
        return getattr(self._inner, name)
