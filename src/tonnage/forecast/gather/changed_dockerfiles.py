"""Dockerfiles as they would be with a change: what else is looked up stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.stack import BuildSpec


def with_dockerfiles(inner: Lookups, texts: Mapping[tuple[str, str], str]) -> Lookups:
    """Return lookups that find these Dockerfiles.

    Args:
        texts: By context and name of the Dockerfile.
    """
    return cast("Lookups", _Changed(inner, texts)) if texts else inner


class _Changed:
    def __init__(self, inner: Lookups, texts: Mapping[tuple[str, str], str]) -> None:
        self._inner = inner
        self._texts = texts

    def dockerfile(self, spec: BuildSpec) -> str:
        return self._texts.get((spec.context, spec.dockerfile)) or self._inner.dockerfile(spec)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is the inner one's
        return getattr(self._inner, name)
