"""Recorded replies of Podman's Docker-compatible interface become the model; ``README.md`` tells how they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.adapters.docker import wire
from tonnage.adapters.docker.connect import spoken_version
from tonnage.adapters.images import layers
from tonnage.model.references import find_image

if TYPE_CHECKING:
    from tonnage.model.inventory import Image

HERE = Path(__file__).parent
PODMANS = ("podman-4.3", "podman-5.4")


def recorded(name: str, engine: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads((HERE / engine / f"{name}.json").read_text())


def images(engine: str) -> dict[str, Image]:
    listed, details, histories = (recorded(name, engine) for name in ("images", "image_details", "image_histories"))
    store = wire.info(recorded("info", engine)).image_store
    summaries = wire.image_summaries(listed)
    found = layers.agreed([wire.image(one, details[one.id], histories[one.id], store) for one in summaries])
    return {image.references[0]: image for image in layers.with_unique(found) if image.references}


@pytest.mark.parametrize("engine", PODMANS)
def test_podman_is_known_by_what_it_tells_of_itself(engine: str) -> None:
    told = wire.engine(wire.info(recorded("info", engine)), "unix:///x.sock", "1.41")
    assert (told.product, told.image_store, told.storage_driver) == ("Podman", "podman", "overlay")
    assert told.version.startswith(engine.removeprefix("podman-"))
    assert (told.data_root, told.swarm, told.rootless) == ("/var/lib/containers/storage", False, False)
    assert spoken_version(recorded("version", engine)) == "1.41"


@pytest.mark.parametrize("engine", PODMANS)
def test_podman_has_one_identity_although_it_tells_another_id_each_time(engine: str) -> None:
    info = recorded("info", engine)
    first = wire.engine(wire.info(info | {"ID": "e429aa29-b6e7"}), "unix:///x.sock", "1.41")
    second = wire.engine(wire.info(info | {"ID": "fd4cfd44-ec8e"}), "unix:///x.sock", "1.41")
    assert first.engine_id == second.engine_id
    elsewhere = wire.engine(wire.info(info | {"DockerRootDir": "/home/x/storage"}), "unix:///x.sock", "1.41")
    assert elsewhere.engine_id != first.engine_id


@pytest.mark.parametrize("engine", PODMANS)
def test_layers_of_podman_images_are_shared_by_chain_and_have_their_bytes(engine: str) -> None:
    found = images(engine)
    one, two = found["docker.io/library/s:1"], found["docker.io/library/s:2"]
    assert one.chain[:3] == two.chain[:3]
    assert len(one.chain) == len(two.chain) == 4
    assert 100_001 <= one.unique_bytes < 110_000
    assert 100_002 <= two.unique_bytes < 110_000
    assert set(one.references) == {"docker.io/library/s:1", "example.org/s:one"}


@pytest.mark.parametrize("engine", PODMANS)
def test_every_image_of_podman_has_a_digest_which_says_nothing_of_a_registry(engine: str) -> None:
    found = images(engine)
    assert all(image.digests for image in found.values())
    assert not any(image.pullable for image in found.values())


@pytest.mark.parametrize("engine", PODMANS)
def test_what_podman_pulled_is_told_by_id_or_by_name(engine: str) -> None:
    [pulled] = wire.pulled((HERE / engine / "events.jsonl").read_text())
    image = images(engine)["registry.example.org/pulled:1"]
    assert find_image([image], pulled) == image


@pytest.mark.parametrize("engine", PODMANS)
def test_containers_and_volumes_of_podman_are_what_they_are_on_other_engines(engine: str) -> None:
    replies = recorded("container_details", engine)
    found = {name: wire.container(reply) for name, reply in replies.items()}
    assert (found["dies"].state, found["dies"].exit_code) == ("exited", 3)
    assert (found["dies"].writable_bytes or 0) >= 30_011
    assert found["dies"].ended_s is not None
    sick = found["sick"]
    assert (sick.project, sick.service, sick.number, sick.one_off, sick.state) == ("shop", "api", 2, False, "running")
    assert found["web"].published == (("", 8017, "tcp"),)
    assert wire.reach(replies["host"]).address == "127.0.0.1"
    assert wire.reach(replies["web"]).address.startswith("10.88.")
    assert {one.container_id for one in found.values()} == set(wire.container_ids(recorded("containers", engine)))
    volumes = wire.volumes(*(recorded(name, engine) for name in ("volumes", "containers", "df")))
    assert {(one.name, one.project, one.in_use) for one in volumes} == {
        ("vol1", "", True),
        ("shop_db", "shop", False),
    }
    assert wire.cache(recorded("df", engine)) == ()


@pytest.mark.parametrize("engine", PODMANS)
def test_pods_are_told_by_podmans_own_interface(engine: str) -> None:
    pods = wire.pods(recorded("libpod_containers", engine))
    assert pods == {wire.container(recorded("container_details", engine)["in-pod"]).container_id: "backup"}


@pytest.mark.parametrize(
    ("driver", "status", "store"),
    [
        ("overlay2", [["Backing Filesystem", "extfs"]], "classic"),
        ("vfs", None, "classic"),
        ("overlayfs", [["driver-type", "io.containerd.snapshotter.v1"]], "containerd"),
        ("stargz", [["driver-type", "io.containerd.snapshotter.v1"]], "containerd"),
        ("future", [["Backing Filesystem", "extfs"]], "unknown"),
        ("", None, "unknown"),
    ],
)
def test_a_store_of_images_is_known_by_its_driver_or_not_at_all(driver: str, status: Any, store: str) -> None:  # noqa: ANN401 - JSON
    told = {"DockerRootDir": "/var/lib/docker", "Driver": driver, "DriverStatus": status}
    assert wire.info(told).image_store == store
