"""The real Swarms: spoken to through a manager's engine, their nodes through engines of their own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tonnage.runtime.process_identity import Owner, has_died, this_process
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.flows.cluster.ports import SwarmAccess
    from tonnage.wiring.engines import DockerEngines
    from tonnage.wiring.machine import FoundPrograms
    from tonnage.wiring.ship import DockerShipEngines


class DockerSwarms:
    """Satisfies ``Swarms``."""

    def __init__(self, engines: DockerEngines, programs: FoundPrograms, ships: DockerShipEngines) -> None:
        self._engines = engines
        self._programs = programs
        self._ships = ships

    @contextlib.contextmanager
    def open(self, host: str) -> Iterator[SwarmAccess]:
        """Reach a Swarm through a manager."""
        from tonnage.adapters.swarm.changing import DockerSwarmActs  # noqa: PLC0415
        from tonnage.adapters.swarm.claims import StackClaim  # noqa: PLC0415
        from tonnage.adapters.swarm.reading import SwarmFacts  # noqa: PLC0415
        from tonnage.flows.cluster.ports import SwarmAccess  # noqa: PLC0415

        with self._engines.connection(host) as connection:
            acts = DockerSwarmActs(connection, self._programs.tools, self._engines.environment)
            claim = StackClaim(connection, _this_owner(), _is_gone)
            yield SwarmAccess(
                endpoint=connection.endpoint, facts=SwarmFacts(connection), acts=lambda: acts, claim=claim.held
            )  # fmt: skip

    def logged_in(self, host: str) -> bool:
        """Return whether the user has logged in to a registry."""
        return self._ships.logged_in(host)

    def ship(
        self,
        source: str,
        target: str,
        reference: str,
        *,
        names: Sequence[str],
        owner: str,
        reserve_bytes: int,
        tell: Callable[[str], None],
        cancel: Cancel,
        through: str = "",
    ) -> None:
        """Send an image from engine to engine, and prove that it is whole there."""
        from tonnage.flows.ship.one_image import ship_image  # noqa: PLC0415
        from tonnage.flows.ship.through import ship_image_through  # noqa: PLC0415

        if through:
            ship_image_through(
                self._ships,
                source,
                target,
                reference,
                names=names,
                through=through,
                keep_free_bytes=reserve_bytes,
                tell=tell,
                cancel=cancel,
            )
            return
        ship_image(
            self._ships,
            source,
            target,
            reference,
            names=names,
            owner=owner,
            keep_free_bytes=reserve_bytes,
            tell=tell,
            cancel=cancel,
        )


def _this_owner() -> dict[str, str]:
    owner = this_process()
    return {"pid": str(owner.pid), "host": owner.host, "birth": owner.birth}


def _is_gone(told: Mapping[str, str]) -> bool:
    pid = told_count(told.get("pid", ""))
    if pid is None or not told.get("host"):
        return False
    return has_died(Owner(pid=pid, host=told["host"], birth=told.get("birth", "")))
