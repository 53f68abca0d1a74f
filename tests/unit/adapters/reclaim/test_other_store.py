from __future__ import annotations

import json
from math import inf
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.adapters.reclaim.other_store import find_other_store

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.inventory import Engine

CONTAINER = "0" * 64


def engine(root: Path, store: str = "containerd") -> Engine:
    driver = "overlayfs" if store == "containerd" else "overlay2"
    return replace(observed.inventory().engine, data_root=str(root), image_store=store, storage_driver=driver)


@pytest.fixture
def switched(tmp_path: Path) -> Path:
    """The data root of an engine that was switched to containerd's store, with what the classic one has left."""
    for directory in (
        "overlay2/l",
        "overlay2/abc/diff",
        "image/overlay2/layerdb",
        "buildkit/content/blobs",
        "containers",
    ):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "overlay2" / "abc" / "diff" / "file").write_bytes(b"x" * 3_000_017)
    repositories = {"Repositories": {"a": {"a:1": "sha256:1", "a@sha256:2": "sha256:1"}, "b": {"b:2": "sha256:3"}}}
    (tmp_path / "image" / "overlay2" / "repositories.json").write_text(json.dumps(repositories))
    for name in ("metadata_v2.db", "snapshots.db", "cache.db", "history.db"):
        (tmp_path / "buildkit" / name).write_bytes(b"x")
    made(tmp_path, CONTAINER, "/now", "overlayfs")
    return tmp_path


def made(root: Path, container: str, name: str, driver: str) -> None:
    (root / "containers" / container).mkdir()
    (root / "containers" / container / "config.v2.json").write_text(json.dumps({"Name": name, "Driver": driver}))


def test_what_the_classic_store_has_left_is_told_with_its_bytes_and_its_images(switched: Path) -> None:
    found = find_other_store(engine(switched), within_s=inf)
    assert found is not None
    assert 3_000_017 <= found.size_bytes < 3_200_000
    assert found.images == ("a:1", "b:2")
    assert (found.containers, found.obstacle, found.counted) == ((), "", True)


def test_build_cache_goes_first_and_what_the_engine_uses_is_no_part_of_it(switched: Path) -> None:
    found = find_other_store(engine(switched), within_s=inf)
    assert found is not None
    assert [each.removeprefix(f"{switched}/") for each in found.paths] == [
        "buildkit/metadata_v2.db",
        "buildkit/snapshots.db",
        "buildkit/content",
        "image/overlay2",
        "overlay2",
    ]


@pytest.mark.parametrize("driver", ["overlay2", "fuse-overlayfs", ""])
def test_containers_that_were_made_in_another_store_are_told_by_name(switched: Path, driver: str) -> None:
    made(switched, "1" * 64, "/database", driver)
    found = find_other_store(engine(switched), within_s=inf)
    assert found is not None
    assert found.containers == ("database",)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"Name": 1}'])
def test_a_container_that_cannot_be_read_keeps_all_of_it(switched: Path, text: str | None) -> None:
    directory = switched / "containers" / ("2" * 64)
    directory.mkdir()
    if text is not None:
        (directory / "config.v2.json").write_text(text)
    found = find_other_store(engine(switched), within_s=inf)
    assert found is not None
    assert "containers" in found.obstacle


def test_a_link_in_its_place_keeps_all_of_it(switched: Path) -> None:
    (switched / "image" / "overlay2").rename(switched / "elsewhere")
    (switched / "image" / "overlay2").symlink_to(switched / "elsewhere")
    found = find_other_store(engine(switched), within_s=inf)
    assert found is not None
    assert "leads to another place" in found.obstacle


def test_an_engine_that_uses_the_classic_store_has_left_nothing(switched: Path) -> None:
    assert find_other_store(engine(switched, "classic"), within_s=inf) is None


def test_an_engine_that_never_had_another_store_has_left_nothing(tmp_path: Path) -> None:
    (tmp_path / "overlay2" / "l").mkdir(parents=True)
    assert find_other_store(engine(tmp_path), within_s=inf) is None
    assert find_other_store(engine(tmp_path / "nothing"), within_s=inf) is None
