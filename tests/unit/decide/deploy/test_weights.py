from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide.observed import service, stack

from tonnage.decide.deploy.remote_mounts import moved
from tonnage.decide.deploy.weights import chosen, path_here
from tonnage.errors import UsageError
from tonnage.model.stack import Mount, WeightsFile, WeightsSpec

if TYPE_CHECKING:
    from tonnage.model.stack import Service, Stack

OUTER = Mount(kind="bind", source="/data", target="/weights/", read_only=True)
INNER = Mount(kind="bind", source="/home/me/shop/small", target="/weights/small", read_only=True)
ONE = Mount(kind="bind", source="/home/me/shop/list.json", target="/weights/manifest.json", read_only=True)
NAMED = Mount(kind="volume", source="models", target="/models")
MEMORY = Mount(kind="tmpfs", source="", target="/memory")


def shop(*mounts: Mount) -> Stack:
    return replace(
        stack(replace(service(), mounts=mounts or (OUTER, INNER, ONE, NAMED, MEMORY))), directory="/home/me/shop"
    )


def here(shop: Stack, inside: str, *, local: bool = True) -> tuple[str, str]:
    return path_here(shop, shop.services[0], inside, local=local)


@pytest.mark.parametrize(
    ("inside", "path"),
    [
        ("/weights/a.onnx", "/data/a.onnx"),
        ("/weights/small/a.onnx", "/home/me/shop/small/a.onnx"),
        ("/weights/smaller/a.onnx", "/data/smaller/a.onnx"),
        ("/weights/manifest.json", "/home/me/shop/list.json"),
    ],
)
def test_the_nearest_mount_says_where_a_file_lies(inside: str, path: str) -> None:
    assert here(shop(), inside) == (path, "")


@pytest.mark.parametrize(
    ("inside", "why"), [("/models/a", "/models is the volume models"), ("/memory/a", "/memory is a tmpfs")]
)
def test_what_is_no_directory_of_this_machine_is_not_looked_at(inside: str, why: str) -> None:
    assert here(shop(), inside) == ("", why)


def test_what_another_engine_mounts_is_not_looked_at() -> None:
    path, why = here(shop(), "/weights/a.onnx", local=False)
    assert not path
    assert why.startswith("/data is where the engine is")


def test_of_a_stack_that_was_moved_what_is_sent_is_looked_at() -> None:
    there = moved(shop(), "/srv/shop")
    assert here(there, "/weights/small/a.onnx", local=False) == ("/home/me/shop/small/a.onnx", "")
    assert here(there, "/weights/manifest.json", local=False) == ("/home/me/shop/list.json", "")
    assert here(there, "/weights/a.onnx", local=True)[0] == ""


def test_a_project_directory_that_is_mounted_as_a_whole_is_found_after_a_move() -> None:
    whole = Mount(kind="bind", source="/home/me/shop", target="/shop")
    assert here(moved(shop(whole), "/srv/shop"), "/shop/w/a") == ("/home/me/shop/w/a", "")


def test_what_lies_in_no_mount_is_refused() -> None:
    with pytest.raises(UsageError, match="/elsewhere/a of web are in no mount"):
        here(shop(), "/elsewhere/a")


def test_what_another_container_mounts_is_not_known() -> None:
    borrowed = Mount(kind="volumes_from", source="loader", target="")
    assert here(shop(borrowed), "/weights/a") == ("", "it mounts what another container does")


def entry(model: str, backend: str) -> WeightsFile:
    return WeightsFile(file=f"{model}.{backend}", size_bytes=7, sha256="0" * 64, model=model, backend=backend)


def with_backend(backend: str) -> Service:
    return service(config={"environment": {"BACKEND": backend}})


MANIFEST = [entry("a", "onnx"), entry("a", "torch"), entry("b", "onnx"), entry("c", "")]


@pytest.mark.parametrize(
    ("backend", "spec", "names"),
    [
        ("onnx", WeightsSpec(), ["a.onnx", "b.onnx", "c."]),
        ("", WeightsSpec(), ["a.onnx", "a.torch", "b.onnx", "c."]),
        ("onnx", WeightsSpec(backend="torch"), ["a.torch", "c."]),
        ("onnx", WeightsSpec(models=("a", "c")), ["a.onnx", "c."]),
    ],
)
def test_a_service_needs_the_files_of_its_models_and_its_backend(
    backend: str, spec: WeightsSpec, names: list[str]
) -> None:
    assert [file.file for file in chosen(with_backend(backend), spec, MANIFEST, "m.json")] == names


def test_a_model_that_is_there_for_another_backend_only_is_refused() -> None:
    with pytest.raises(UsageError, match="no file of b for the backend torch"):
        chosen(with_backend("torch"), WeightsSpec(models=("a", "b")), MANIFEST, "m.json")
