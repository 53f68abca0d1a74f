"""What an engine's name, or a hosted runner's label, says of how it builds and keeps images. Pure.

Source: moby, ``determineImageStoreChoice``: since Docker 29 a fresh engine keeps images in containerd, one with a past
stays as it was. GitHub's runner-images of 2026-08: ``ubuntu-24.04`` (20260816) has Docker 28.0.4, ``ubuntu-26.04``
(20260817) Docker 29.4.2, installed fresh; ``ubuntu-slim`` has a client and no engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.forecast.known_engine import KnownEngine, RunnerImage

if TYPE_CHECKING:
    from collections.abc import Iterable

_DOCKER = regex(r"docker-(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?(?:-(classic|containerd))?")
_OLDEST = 20
_CONTAINERD_SINCE = 29
_NEWEST_OF_IT = 999
_VERSION = regex(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")
NEWEST = (9999, 0, 0)
"""What a version that says nothing is taken for."""
# Before it whether an image is unpacked into the store was not the client's to say.
_UNPACK_SINCE = (29, 0, 1)
_STORES = {"classic": EngineKind.BUILDKIT, "containerd": EngineKind.CONTAINERD}
_RUNNERS = {
    "ubuntu-22.04": ("docker-28.0.4", "ubuntu-24.04"),
    "ubuntu-24.04": ("docker-28.0.4", "ubuntu-26.04"),
    "ubuntu-latest": ("docker-28.0.4", "ubuntu-26.04"),
    "ubuntu-26.04": ("docker-29.4.2", ""),
}
_WITHOUT_ENGINE = "ubuntu-slim"


def version_of(text: str) -> tuple[int, int, int]:
    """Return the three numbers of an engine's version; what has none is taken for the newest."""
    found = _VERSION.match(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else NEWEST


def engine_named(text: str) -> KnownEngine:
    """Return the engine that a name means.

    Args:
        text: A kind such as ``containerd``, or Docker with a version: ``docker-28``, ``docker-29.4``; the store that a
            fresh one has may be said otherwise, as in ``docker-29-classic``.

    Raises:
        UsageError: It means none.
    """
    if text in set(EngineKind):
        return KnownEngine(name=text, kind=EngineKind(text))
    match = _DOCKER.fullmatch(text)
    if match is None or int(match[1]) < _OLDEST:
        raise UsageError(
            f"{text!r} names no engine that is known",
            todo=f"Write docker-28, docker-29 or the like, or one of: {', '.join(EngineKind)}.",
        )
    # Where a number is left out, the newest is meant.
    version = (int(match[1]), int(match[2] or _NEWEST_OF_IT), int(match[3] or _NEWEST_OF_IT))
    fresh = EngineKind.CONTAINERD if version[0] >= _CONTAINERD_SINCE else EngineKind.BUILDKIT
    return KnownEngine(name=text, kind=_STORES.get(match[4] or "", fresh), version=version)


def runner_image(labels: Iterable[str]) -> RunnerImage | None:
    """Return the image of the hosted runner that labels choose; None for a runner of one's own.

    Raises:
        UsageError: It has no engine.
    """
    for label in labels:
        if label == _WITHOUT_ENGINE:
            raise UsageError(
                f"--runner: {label} has no engine to build with",
                why="It runs in a container, with Docker's client only.",
                todo="Write the label of a whole machine:\n  --runner ubuntu-24.04",
            )
        if label in _RUNNERS:
            engine, successor = _RUNNERS[label]
            return RunnerImage(label=label, engine=engine_named(engine), successor=successor)
    return None


def pushes_packed(kind: EngineKind, version: tuple[int, int, int] | None) -> bool:
    """Return whether an engine pushes what it built without having unpacked it into its store.

    Source: moby 7242ccd7a0 (29.0.1), ``builder-next/exporter/wrapper.go``; Docker 28.5 ignores it. Untested on a
    real engine that does not: none could be had.
    """
    return kind is EngineKind.CONTAINERD and version is not None and _UNPACK_SINCE <= version < NEWEST
