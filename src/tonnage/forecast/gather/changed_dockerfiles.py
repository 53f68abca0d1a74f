"""Dockerfiles and files of the context as they would be with a change: what else is looked up stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.forecast.gather.lookups import BuildContext, Lookups
    from tonnage.forecast.gather.visible_files import TextFile
    from tonnage.model.stack import BuildSpec


def with_dockerfiles(
    inner: Lookups, texts: Mapping[tuple[str, str], str], files: Mapping[str, str] | None = None
) -> Lookups:
    """Return lookups that find these Dockerfiles.

    Args:
        texts: By context and name of the Dockerfile.
        files: Text files of contexts, by the path where each really lies.
    """
    return cast("Lookups", _Changed(inner, texts, files or {})) if texts or files else inner


class _Changed:
    def __init__(self, inner: Lookups, texts: Mapping[tuple[str, str], str], files: Mapping[str, str]) -> None:
        self._inner = inner
        self._texts = texts
        self._files = files

    def dockerfile(self, spec: BuildSpec) -> str:
        return self._texts.get((spec.context, spec.dockerfile)) or self._inner.dockerfile(spec)

    def context(self, spec: BuildSpec, directory: str = "") -> BuildContext:
        found = self._inner.context(spec, directory)
        return cast("BuildContext", _ChangedContext(found, self._files)) if self._files else found

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is the inner one's
        return getattr(self._inner, name)


class _ChangedContext:
    def __init__(self, inner: BuildContext, files: Mapping[str, str]) -> None:
        self._inner = inner
        self._files = files

    def text(self, path: str) -> TextFile | None:
        found = self._inner.text(path)
        return replace(found, text=self._files[found.place]) if found and found.place in self._files else found

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        return getattr(self._inner, name)
