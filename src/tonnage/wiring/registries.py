"""Whether registries have an image: they are asked by its digest, all at once, and not waited for long."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tonnage.errors import CannotFetchError
from tonnage.flows.state import cache_directory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ASKED_WITHIN_S = 5.0
"""Whoever reclaims waits for space: a registry that has not answered by then has said nothing."""
_AT_ONCE = 8


def in_registries(
    environment: Mapping[str, str],
    names: Sequence[str],
    *,
    mirrors: Sequence[str] = (),
    insecure: Sequence[str] = (),
    within_s: float = ASKED_WITHIN_S,
) -> frozenset[str]:
    """Return the names with a digest that their registries have.

    Args:
        mirrors: Addresses that stand in for Docker's own index, as the engine was told.
        insecure: Registries that the engine was told to speak to without TLS.
        names: ``repository@sha256:...``. One of this machine without a port has no registry, and is not asked for.

    Returns:
        Those that a registry said it has, in time.
    """
    from tonnage.adapters.registry.images import ImageRegistry  # noqa: PLC0415 - only where something is asked
    from tonnage.adapters.web.client import Web  # noqa: PLC0415
    from tonnage.adapters.web.disk_cache import DiskCache  # noqa: PLC0415
    from tonnage.adapters.web.permission import AskedServers  # noqa: PLC0415

    waiting = [name for name in names if not name.startswith("localhost/")]
    if not waiting:
        return frozenset()
    found: set[str] = set()
    # Names of images were given by whoever made them: they lead where any other name may, and no further.
    allowed = AskedServers()
    with Web(environment, allowed=allowed, led=allowed.lead) as web:
        registry = ImageRegistry(
            web,
            DiskCache(cache_directory(environment) / "forecast"),
            environment=environment,
            mirrors=mirrors,
            insecure=insecure,
        )

        def ask() -> None:
            while waiting:
                try:
                    name = waiting.pop()
                    if registry.has(name):
                        found.add(name)
                except (CannotFetchError, IndexError):
                    continue

        # A thread that still waits for an answer must not keep the program from ending.
        threads = [threading.Thread(target=ask, daemon=True) for _ in range(min(_AT_ONCE, len(waiting)))]
        ends = time.monotonic() + within_s
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, ends - time.monotonic()))
        waiting.clear()
        return frozenset(found)
