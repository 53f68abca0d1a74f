"""What a service asks of the nodes of a cluster, read from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tonnage.decide.ship.missing import declared_unpacked
from tonnage.model.cluster.node import MEMORY, NANO_CPUS
from tonnage.model.cluster.service import ClusterImage, ClusterLayer, ClusterMode, ClusterService
from tonnage.model.forecast.estimate import UNKNOWN, exactly
from tonnage.model.stack import SwitchOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.inventory import Image
    from tonnage.model.stack import ComposeMapping, Service, Stack

_BILLION = 10**9
_LOCAL = ("", "local")


def cluster_service(
    stack: Stack,
    service: Service,
    image: ClusterImage,
    *,
    changed: bool,
    previous: Sequence[str],
) -> ClusterService:
    """Return a service as it is to be placed.

    Args:
        image: What its tasks run.
        changed: Whether its tasks are replaced.
        previous: What a rollback of it needs, newest first.
    """
    config = service.config
    deploy = config.get("deploy") or {}
    placement, update = deploy.get("placement") or {}, deploy.get("update_config") or {}
    ports = [each for each in config.get("ports") or () if each.get("mode") == "host" and each.get("published")]
    mounts = config.get("volumes") or ()
    return ClusterService(
        name=service.name,
        image=image,
        mode=ClusterMode.GLOBAL if deploy.get("mode") == "global" else ClusterMode.REPLICATED,
        replicas=service.replicas,
        changed=changed,
        constraints=tuple(map(str, placement.get("constraints") or ())),
        spread=tuple(str(each["spread"]) for each in placement.get("preferences") or () if each.get("spread")),
        max_per_node=int(placement.get("max_replicas_per_node") or 0),
        reserved=_reserved((deploy.get("resources") or {}).get("reservations") or {}, config),
        host_ports=tuple((int(each["published"]), str(each.get("protocol") or "tcp")) for each in ports),
        volumes=tuple(
            name for each in mounts if each.get("type") == "volume" for name in _local_volume(stack, each.get("source"))
        ),
        binds=tuple(str(each["source"]) for each in mounts if each.get("type") == "bind"),
        failover=service.settings.failover,
        order=SwitchOrder.START_FIRST if update.get("order") == "start-first" else SwitchOrder.AUTO,
        parallelism=int(update["parallelism"]) if update.get("parallelism") is not None else 1,
        previous=tuple(previous),
        place=str(service.place or ""),
    )


def cluster_image(reference: str, image: Image, *, platforms: Sequence[str], in_registry: bool) -> ClusterImage:
    """Return an image as it is placed, from what the engine that has it tells."""
    layers = [
        ClusterLayer(
            chain_id=layer.chain_id,
            unpacked=UNKNOWN if layer.size_bytes is None else declared_unpacked(layer.size_bytes),
            compressed=exactly(layer.blob_bytes)
            if layer.blob_bytes
            # A blob that is not known is hardly more than what it unpacks to.
            else (UNKNOWN if layer.size_bytes is None else declared_unpacked(layer.size_bytes)),
        )
        for layer in image.layers
    ]
    return ClusterImage(
        reference=reference, layers=tuple(layers), platforms=tuple(platforms), in_registry=in_registry
    )  # fmt: skip


def bound_paths(stack: Stack) -> tuple[str, ...]:
    """Return the paths of nodes that services of a stack mount."""
    found = (
        str(each["source"])
        for service in stack.services
        for each in service.config.get("volumes") or ()
        if each.get("type") == "bind"
    )
    return tuple(dict.fromkeys(found))


def _reserved(told: ComposeMapping, config: ComposeMapping) -> dict[str, int]:
    memory = told.get("memory") or config.get("mem_reservation")
    found = {MEMORY: _whole(memory), NANO_CPUS: int(float(told.get("cpus") or 0) * _BILLION)}
    for each in told.get("generic_resources") or ():
        spec = each.get("discrete_resource_spec") or {}
        if spec.get("kind"):
            found[str(spec["kind"])] = int(spec.get("value") or 0)
    return {key: count for key, count in found.items() if count}


def _whole(told: Any) -> int:  # noqa: ANN401 - bytes as text or number, as Compose prints them
    return int(told) if str(told or "").isdecimal() else 0


def _local_volume(stack: Stack, source: str | None) -> tuple[str, ...]:
    """Return the name that the nodes know a volume by, if it lies on a node and nowhere else."""
    if not source:
        return ()
    entry = (stack.shared.get("volumes") or {}).get(source) or {}
    if entry.get("driver", "") not in _LOCAL or entry.get("driver_opts"):
        return ()
    return (str(entry.get("name") or f"{stack.name}_{source}"),)
