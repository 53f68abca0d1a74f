"""What a stack of services weighs together."""

from __future__ import annotations

from msgspec import Struct

from tonnage.model.forecast.estimate import (
    NOTHING,
    EngineKind,  # noqa: TC001 - a field of a struct
    Estimate,  # noqa: TC001 - as above
    ServiceForecast,  # noqa: TC001 - as above
)


class FilesystemForecast(Struct, frozen=True, kw_only=True):
    """What the whole stack does to one filesystem.

    Args:
        role: Which one: ``data-root``, ``containerd`` or ``temporary``.
        one_after_the_other: The peak when services are built one after the other.
        all_at_once: The peak when they are built at the same time.
    """

    role: str
    kept: Estimate = NOTHING
    one_after_the_other: Estimate = NOTHING
    all_at_once: Estimate = NOTHING


class StackForecast(Struct, frozen=True, kw_only=True):
    """What a stack will weigh, and what building it needs.

    Args:
        stack: The project name.
        services: One entry for each service, in the order in which they are built.
        image: Bytes of all distinct layers, as ``docker images`` counts them.
        disk: Bytes that the filesystems keep: shared layers once.
        transient: Bytes on top of them at the worst moment when services are built one after the other.
        filesystems: The same for each filesystem that is written, with both peaks.
        left_out: Services that are in none of these, and why.
    """

    stack: str
    engine: EngineKind
    services: tuple[ServiceForecast, ...]
    image: Estimate = NOTHING
    disk: Estimate = NOTHING
    transient: Estimate = NOTHING
    download: Estimate = NOTHING
    filesystems: tuple[FilesystemForecast, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
