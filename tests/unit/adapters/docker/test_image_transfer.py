from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import BUSYBOX, busybox_archive

from tonnage.adapters.docker.image_transfer import ImageStore, is_image_archive
from tonnage.errors import StepFailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.real_engine import RealEngine


def tar_of(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


def test_an_image_archive_is_told_from_a_root_filesystem(tmp_path: Path) -> None:
    assert is_image_archive(tar_of(tmp_path / "a", "4ee1/layer.tar", "manifest.json"))
    assert is_image_archive(tar_of(tmp_path / "b", "blobs/sha256/4ee1"))
    assert not is_image_archive(tar_of(tmp_path / "c", "./", "./.dockerenv", "./usr/bin/x"))


def test_what_is_no_image_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither an image archive nor a root filesystem"):
        is_image_archive(tar_of(tmp_path / "a", "holiday.jpeg"))
    (tmp_path / "b").write_bytes(b"no tar")
    with pytest.raises(UsageError, match="cannot be read as a tar file"):
        is_image_archive(tmp_path / "b")


@pytest.mark.engine
def test_an_image_goes_from_engine_to_engine(engine: RealEngine, engine_factory: Callable[[int], RealEngine]) -> None:
    other = engine_factory(536_870_923)
    engine.client.images.get(BUSYBOX).tag("example.org/tool", "1.7")
    source, target = ImageStore(engine.connection), ImageStore(other.connection)
    assert not target.has("example.org/tool:1.7")
    target.load("example.org/tool:1.7", source.stream("example.org/tool:1.7"))
    assert other.client.images.get("example.org/tool:1.7").id == engine.client.images.get(BUSYBOX).id


@pytest.mark.engine
def test_a_file_becomes_an_image_under_the_wanted_name(engine: RealEngine, tmp_path: Path) -> None:
    store = ImageStore(engine.connection)
    root = tmp_path / "root.tar"
    root.write_bytes(busybox_archive())
    store.take_file("root:7", root)
    assert engine.client.containers.run("root:7", ["echo", "afloat"], remove=True) == b"afloat\n"
    saved = tmp_path / "saved.tar"
    saved.write_bytes(b"".join(store.stream("root:7")))
    store.take_file("other/name:9", saved)
    assert engine.client.images.get("other/name:9").id == engine.client.images.get("root:7").id


@pytest.mark.engine
def test_a_file_that_the_engine_cannot_take_is_a_failed_step(engine: RealEngine, tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match="load the image broken:1"):
        ImageStore(engine.connection).take_file("broken:1", tar_of(tmp_path / "a", "manifest.json"))
