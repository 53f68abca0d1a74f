"""Literals that planning tests share: one stack, and what an engine might hold of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.changes import compose_project, config_digest
from tonnage.decide.deploy.health import prove_action
from tonnage.model.deploy.plan import Version
from tonnage.model.inventory import Container, Engine, Filesystem, Image, Inventory, Layer
from tonnage.model.stack import BuildSpec, Service, Stack

if TYPE_CHECKING:
    from tonnage.model.inventory import Inputs

GB = 10**9


def service(name: str = "web", **changes: object) -> Service:
    fields: dict[str, object] = {
        "name": name,
        "image": f"shop-{name}",
        "config": {"environment": {"NAME": name}},
        "build": BuildSpec(context=f"/srv/shop/{name}", dockerfile=f"/srv/shop/{name}/Dockerfile"),
    }
    return Service(**(fields | changes))  # type: ignore[arg-type]


def stack(*services: Service) -> Stack:
    return Stack(name="shop", directory="/srv/shop", files=("/srv/shop/compose.yaml",), services=services)


def image(number: int, *references: str, inputs: str = "", unique_bytes: int = 104_729, of: str = "web") -> Image:
    labels = {"tonnage.stack": "shop", "tonnage.service": of, "tonnage.inputs": inputs} if inputs else {}
    layer = Layer(chain_id=f"chain-{number}", diff_id=f"diff-{number}", size_bytes=unique_bytes)
    return Image(
        image_id=f"sha256:{number:064x}",
        references=references,
        layers=(layer,),
        size_bytes=unique_bytes,
        unique_bytes=unique_bytes,
        shared_bytes=0,
        labels=labels,
    )


def container(
    of: Service, runs: Image, *, state: str = "running", config: str | None = None, **changes: object
) -> Container:
    fields: dict[str, object] = {
        "container_id": f"c-{of.name}",
        "name": f"shop-{of.name}-1",
        "image_id": runs.image_id,
        "project": "shop",
        "service": of.name,
        "number": 1,
        "state": state,
        "config_digest": config_digest(of) if config is None else config,
    }
    return Container(**(fields | changes))  # type: ignore[arg-type]


def inventory(
    *, images: tuple[Image, ...] = (), containers: tuple[Container, ...] = (), inputs: tuple[Inputs, ...] = ()
) -> Inventory:
    return Inventory(
        engine=Engine(
            engine_id="ENGINE",
            endpoint="unix:///run/e.sock",
            version="20.10.24",
            api_version="1.41",
            storage_driver="overlay2",
            image_store="classic",
            data_root="/var/lib/docker",
        ),
        filesystems=(Filesystem(mount="/", roles=("data-root",), size_bytes=19 * GB, available_bytes=7 * GB),),
        images=images,
        containers=containers,
        inputs=inputs,
    )


def version(of_stack: Stack, of: Service, runs: Image, inputs: str = "") -> Version:
    return Version(
        service=of.name,
        image_name=of.image,
        project=compose_project(of_stack, of),
        config_digest=config_digest(of),
        inputs_digest=inputs,
        prove=prove_action(of),
        image_id=runs.image_id,
    )
