"""What sending images asks of the outside: both engines, each with its own type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from tonnage.adapters.interface import Gauge
    from tonnage.adapters.ship.interface import ShipRegistry, ShipSource, ShipTarget


class ShipEngines(Protocol):
    """Engines that images are sent from and to. ``Ports.ship_engines`` is the real one.

    An engine is named as ``--to`` names it: ``ssh://[user@]host[:port]``, ``unix:///path``, ``tcp://host:port``, the
    name of a docker context, or empty for the one that the docker command would use.
    """

    def source(self, name: str) -> AbstractContextManager[ShipSource]:
        """Reach the engine that images are sent from."""

    def target(self, name: str) -> AbstractContextManager[ShipTarget]:
        """Reach the engine that images are sent to."""

    def registry(self, insecure: Sequence[str]) -> AbstractContextManager[ShipRegistry]:
        """Reach the registry that images go through.

        Args:
            insecure: Registries that may be spoken to without TLS.
        """

    def logged_in(self, host: str) -> bool:
        """Return whether the user has logged in to a registry.

        Args:
            host: The registry as names of images have it.
        """

    def gauge(self, endpoint: str, mounts: Sequence[str]) -> Gauge:
        """Open a gauge for filesystems of an engine's machine."""
