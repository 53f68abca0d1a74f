"""Bring images to nodes: node by node in the order of the plan, as many nodes at once as it says.

A node that fails ends the delivery as soon as those at work are done: Swarm has been told nothing by then.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tonnage.adapters.interface import Unwatched
from tonnage.errors import StepFailedError, TonnageError
from tonnage.escapes import visible_in_line
from tonnage.runtime.signals import EitherSet
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.flows.cluster.observing import SeenCluster
    from tonnage.flows.cluster.ports import ClusterPorts
    from tonnage.model.cluster.rollout import ClusterPlan, ImageMove


def deliver(
    ports: ClusterPorts,
    seen: SeenCluster,
    plan: ClusterPlan,
    *,
    parallel: int,
    tell: Callable[[str], None],
    cancel: Cancel,
) -> None:
    """Bring every image of a plan to its node.

    Raises:
        CannotFitError: One does not fit there any more.
        StepFailedError: One did not arrive, or it was stopped.
        EngineUnreachableError: A node stopped answering.
    """
    by_node: dict[str, list[ImageMove]] = {}
    for move in plan.moves:
        # What Swarm pulls itself is on its own way.
        if move.host or not move.image.pulled:
            by_node.setdefault(move.node_id, []).append(move)
    failed = threading.Event()
    stop = EitherSet(cancel, failed)
    errors: list[TonnageError] = []

    def one_node(moves: Sequence[ImageMove]) -> None:
        try:
            for move in moves:
                if stop.is_set():
                    return
                _deliver(ports, seen, plan, move, tell, stop)
        except TonnageError as error:
            errors.append(error)
            failed.set()

    with ThreadPoolExecutor(max(1, parallel)) as pool:
        list(pool.map(one_node, by_node.values()))
    if errors:
        raise errors[0]
    if cancel.is_set():
        raise StepFailedError(f"the deploy of {plan.stack} was stopped", why="No service was changed.")


def _deliver(
    ports: ClusterPorts,
    seen: SeenCluster,
    plan: ClusterPlan,
    move: ImageMove,
    tell: Callable[[str], None],
    cancel: Cancel,
) -> None:
    where = visible_in_line(move.hostname)
    try:
        if move.image.pulled:
            tell(f"{where}: pulling {move.image.reference}")
            with ports.engines.open(move.host) as engine:
                engine.acts({}, None, ()).pull(move.image.reference, progress=Unwatched(), cancel=cancel)
            return
        disk = seen.node(move.node_id).image_disk
        moved = f", {format_bytes(move.moved.high_bytes)}" if move.moved.known else ""
        by_way = f" through {plan.through}" if plan.through else ""
        tell(f"{where}: sending {move.image.service}{moved}{by_way}")
        ports.swarms.ship(
            move.image.source,
            move.host,
            move.image.source_name,
            names=[move.image.reference],
            owner=plan.stack,
            through=plan.through,
            reserve_bytes=disk.reserve_bytes if disk else 0,
            tell=lambda text: tell(f"{where}: {text}"),
            cancel=cancel,
        )
    except TonnageError as error:
        error.what = f"{where}: {error.what}"
        error.why = "\n".join(filter(None, (error.why, "No service was changed.")))
        raise
