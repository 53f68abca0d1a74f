"""Observing puts facts together and asks for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.inventory import CacheRecord, Container, Engine, Filesystem, Image, Inputs, Volume
from tonnage.model.network import Network
from tonnage.runtime.deploy.observe import observe

if TYPE_CHECKING:
    from tonnage.model.compose_labels import StackOrigin

ENGINE = Engine(
    engine_id="E",
    endpoint="unix:///x.sock",
    version="24.0.9",
    api_version="1.43",
    storage_driver="overlay2",
    image_store="classic",
    data_root="/var/lib/docker",
)
DISK = Filesystem(mount="/", roles=("data-root",), size_bytes=14_000_000_003, available_bytes=9_000_000_011)
IMAGE = Image(image_id="sha256:1", references=("a:1",), layers=(), size_bytes=701, unique_bytes=701, shared_bytes=0)
CONTAINER = Container(container_id="c", name="shop-api-1", image_id="sha256:1")
CACHE = CacheRecord(record_id="k", kind="regular", description="", size_bytes=13, in_use=False, shared=False)
VOLUME = Volume(name="shop_db")


class FixedFacts:
    """An engine that never changes."""

    def engine(self) -> Engine:
        return ENGINE

    def filesystems(self) -> tuple[Filesystem, ...]:
        return (DISK,)

    def images(self) -> tuple[Image, ...]:
        return (IMAGE,)

    def containers(self, project: str = "") -> tuple[Container, ...]:
        return () if project else (CONTAINER,)

    def container(self, name_or_id: str) -> Container | None:
        return CONTAINER if name_or_id == CONTAINER.name else None

    def cache(self) -> tuple[CacheRecord, ...]:
        return (CACHE,)

    def volumes(self) -> tuple[Volume, ...]:
        return (VOLUME,)

    def networks(self) -> tuple[Network, ...]:
        return (Network(name="bridge", network_id="4711"),)

    def config_hashes(self, origin: StackOrigin) -> dict[str, str]:
        raise NotImplementedError

    def pulled(self, within_s: float) -> tuple[str, ...]:
        raise NotImplementedError

    def logs(self, container: str, lines: int) -> str:
        return f"{container} {lines}"

    def http_status(self, container: Container, port: int, path: str, timeout_s: float) -> int | str:
        return f"{container.name} {port} {path} {timeout_s}"


def test_an_inventory_holds_everything_of_every_project() -> None:
    inputs = Inputs(service="api", digest="d")
    found = observe(FixedFacts(), [inputs])
    assert (found.engine, found.filesystems, found.images) == (ENGINE, (DISK,), (IMAGE,))
    assert (found.containers, found.cache, found.volumes, found.inputs) == (
        (CONTAINER,),
        (CACHE,),
        (VOLUME,),
        (inputs,),
    )
