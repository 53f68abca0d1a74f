"""The real engines that images are sent from and to."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.interface import Gauge
    from tonnage.adapters.registry.repository import Repositories
    from tonnage.adapters.ship.source import EngineSource
    from tonnage.adapters.ship.target import EngineTarget
    from tonnage.wiring.engines import DockerEngines


class DockerShipEngines:
    """Satisfies ``ShipEngines``."""

    def __init__(self, engines: DockerEngines) -> None:
        self._engines = engines

    @contextlib.contextmanager
    def source(self, name: str) -> Iterator[EngineSource]:
        """Reach the engine that images are sent from."""
        from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415
        from tonnage.adapters.ship.source import EngineSource  # noqa: PLC0415

        with self._connection(name) as connection:
            source = EngineSource(connection, DockerFacts(connection))
            with contextlib.closing(source):
                yield source

    @contextlib.contextmanager
    def target(self, name: str) -> Iterator[EngineTarget]:
        """Reach the engine that images are sent to."""
        from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415
        from tonnage.adapters.ship.target import EngineTarget  # noqa: PLC0415

        with self._connection(name) as connection:
            yield EngineTarget(connection, DockerFacts(connection))

    @contextlib.contextmanager
    def registry(self, insecure: Sequence[str]) -> Iterator[Repositories]:
        """Reach the registry that images go through."""
        from tonnage.adapters.registry.repository import Repositories  # noqa: PLC0415
        from tonnage.adapters.web.client import Web  # noqa: PLC0415

        with Web(self._engines.environment) as web:
            yield Repositories(web, environment=self._engines.environment, insecure=insecure)

    def logged_in(self, host: str) -> bool:
        """Return whether the user has logged in to a registry."""
        from tonnage.adapters.registry.access import Credentials  # noqa: PLC0415

        return Credentials(self._engines.environment).knows(host)

    def gauge(self, endpoint: str, mounts: Sequence[str]) -> Gauge:
        """Open a gauge for filesystems of an engine's machine."""
        from tonnage.adapters.host.filesystem import open_gauge  # noqa: PLC0415

        return open_gauge(endpoint, mounts)

    def _connection(self, name: str) -> DockerConnection:
        if not name or "://" in name:
            return self._engines.connection(name)
        from tonnage.adapters.docker.connect import connect  # noqa: PLC0415

        # The variables of one engine do not hold for a context, as for the docker command with --context.
        kept = {key: value for key, value in self._engines.environment.items() if key != "DOCKER_HOST"}
        return connect({**kept, "DOCKER_CONTEXT": name})
