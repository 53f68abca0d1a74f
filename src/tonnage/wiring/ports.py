"""The real ports: this machine's files, programs and engines, put together from the adapters.

What each needs is loaded when it is first used: most commands use few of them.
"""

from __future__ import annotations

import contextlib
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.flows.state import cache_directory
from tonnage.runtime.clock import SystemClock
from tonnage.wiring.engines import DockerEngines, PrivateEngines
from tonnage.wiring.machine import FoundPrograms, RealStackFiles, ThisMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from tonnage.adapters.host.checksums import Checksums
    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.requests import LookupScope
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.deploy.failure_call import FailureCall
    from tonnage.model.inventory import Image
    from tonnage.wiring.ship import DockerShipEngines
    from tonnage.wiring.swarms import DockerSwarms


class Ports:
    """All ports.

    Args:
        environment: The environment variables; None for those of this process.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.environment: Mapping[str, str] = os.environ if environment is None else environment
        self.clock = SystemClock()
        self.files = RealStackFiles()
        self.programs = FoundPrograms(self.environment)
        self.machine = ThisMachine(self.environment)
        self.engines = DockerEngines(self.environment, self.programs)
        self.rehearsals = PrivateEngines(self.engines)

    @property
    def working_directory(self) -> str:
        """The directory that the user is in."""
        return str(Path.cwd())

    @cached_property
    def weights(self) -> Checksums:
        """Files of weights."""
        from tonnage.adapters.host.checksums import Checksums  # noqa: PLC0415

        return Checksums(cache_directory(self.environment) / "checksums.json")

    @cached_property
    def ship_engines(self) -> DockerShipEngines:
        """Engines that images are sent from and to."""
        from tonnage.wiring.ship import DockerShipEngines  # noqa: PLC0415

        return DockerShipEngines(self.engines)

    @property
    def swarms(self) -> DockerSwarms:
        """Swarms."""
        from tonnage.wiring.swarms import DockerSwarms  # noqa: PLC0415

        return DockerSwarms(self.engines, self.programs, self.ship_engines)

    def lookups(
        self, facts: EngineFacts | None, images: Sequence[Image] = (), scope: LookupScope | None = None
    ) -> AbstractContextManager[Lookups]:
        """Open what forecasting reads."""
        from tonnage.flows.requests import LookupScope  # noqa: PLC0415
        from tonnage.wiring.forecast_lookups import open_lookups  # noqa: PLC0415

        return open_lookups(self.environment, facts, images, scope or LookupScope())

    def in_registries(
        self, facts: EngineFacts, names: Sequence[str], *, within_s: float | None = None
    ) -> frozenset[str]:
        """Return the names that their registries have."""
        from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415
        from tonnage.wiring.registries import ASKED_WITHIN_S, in_registries  # noqa: PLC0415

        if not isinstance(facts, DockerFacts):
            return frozenset()
        told = facts.registries()
        return in_registries(
            self.environment,
            names,
            mirrors=told.mirrors,
            insecure=told.insecure,
            within_s=ASKED_WITHIN_S if within_s is None else within_s,
        )

    @contextlib.contextmanager
    def served(self, host: str, port: int, answer: Callable[[str], tuple[str, str]]) -> Iterator[str]:
        """Answer requests on an address as long as the context lasts."""
        from tonnage.adapters.web.metrics_server import MetricsServer  # noqa: PLC0415

        with MetricsServer(host, port, answer) as server:
            yield server.address

    def call_on_failure(self, wanted: FailureCall, document: str) -> str:
        """Tell whom the user named of a deploy that failed; return why that went wrong, or nothing."""
        from tonnage.wiring.failure_calls import call  # noqa: PLC0415

        return call(wanted, document, self.environment)

    def install_command(self) -> str:
        """Return the command that installs this very Tonnage on another machine; empty when there is none."""
        from tonnage.adapters.host.installation import install_command  # noqa: PLC0415

        return install_command(self.environment)

    def write_comment(self, text: str, *, marker: str, repository: str, pull_request: int) -> bool:
        """Write a comment on a pull request; return whether it replaced the one with this marker."""
        from tonnage.adapters.github.pull_request_comments import write_comment  # noqa: PLC0415

        return write_comment(
            text, marker=marker, repository=repository, pull_request=pull_request, environment=self.environment
        )
