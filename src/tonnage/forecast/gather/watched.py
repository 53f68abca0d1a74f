"""What forecasts look up, written down as they do: text files of contexts, and what requirements resolved to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct, field

from tonnage.errors import TonnageError

if TYPE_CHECKING:
    from tonnage.forecast.gather.lookups import BuildContext, Lookups
    from tonnage.forecast.gather.visible_files import TextFile
    from tonnage.model.forecast.python_lock import Lock, LockedRequest, ResolveRequest, Target
    from tonnage.model.stack import BuildSpec


class LookedUp(Struct):
    """What was looked up.

    Args:
        texts: Text files of contexts, by the path where each really lies.
        resolved: What was asked of the resolver, with its answers, in the order of the build.
        locked: What was taken from locks.
        failed: What was asked of the resolver without an answer.
    """

    texts: dict[str, str] = field(default_factory=dict)
    resolved: list[tuple[ResolveRequest, Lock]] = field(default_factory=list)
    locked: list[Lock] = field(default_factory=list)
    failed: list[TonnageError] = field(default_factory=list)


def watched(inner: Lookups, seen: LookedUp) -> Lookups:
    """Return lookups that write down what is looked up."""
    return cast("Lookups", _Watched(inner, seen))


class _Watched:
    def __init__(self, inner: Lookups, seen: LookedUp) -> None:
        self._inner = inner
        self._seen = seen

    def resolve(self, request: ResolveRequest, target: Target) -> Lock:
        try:
            found = self._inner.resolve(request, target)
        except TonnageError as error:
            self._seen.failed.append(error)
            raise
        self._seen.resolved.append((request, found))
        return found

    def locked(self, request: LockedRequest, target: Target) -> Lock:
        found = self._inner.locked(request, target)
        self._seen.locked.append(found)
        return found

    def context(self, spec: BuildSpec, directory: str = "") -> BuildContext:
        return cast("BuildContext", _WatchedContext(self._inner.context(spec, directory), self._seen))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is the inner one's
        return getattr(self._inner, name)


class _WatchedContext:
    def __init__(self, inner: BuildContext, seen: LookedUp) -> None:
        self._inner = inner
        self._seen = seen

    def text(self, path: str) -> TextFile | None:
        found = self._inner.text(path)
        if found is not None:
            self._seen.texts[found.place] = found.text
        return found

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        return getattr(self._inner, name)
