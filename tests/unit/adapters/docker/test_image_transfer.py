from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from tests.answering import Answer, answering
from tests.real_engine import BUSYBOX, busybox_archive

from tonnage.adapters.docker.connect import connect
from tonnage.adapters.docker.image_transfer import ImageStore, is_image_archive
from tonnage.errors import StepFailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.answering import Answering, Asked
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


# Of Docker 28.5 and 26.1 with the store of containerd, to an archive without the layers of its base.
UNPACKING = (
    'apply layer error for "docker.io/library/app:1": failed to extract layer sha256:7fde6a22: NotFound: failed to get'
    " reader from content store: content digest sha256:029329db: not found"
)
IN_THE_STREAM = ({"stream": "Loaded image: app:1\n"}, {"stream": f"Error unpacking image app:1: {UNPACKING}\n"})
AS_AN_ERROR = ({"error": "failed to unpack loaded image: content digest sha256:00dc6275: not found"},)
NOT_A_WORD = ({"stream": "Loaded image: app:1\n"},)
ABSENT = [{"Id": "sha256:b7af", "RepoTags": ["app:1"], "Manifests": [{"Kind": "image", "Available": False}]}]
WHOLE = [{"Id": "sha256:b7af", "RepoTags": ["app:1"], "Manifests": [{"Kind": "image", "Available": True}]}]


def engine_that_loads(served: Answering, said: tuple[Any, ...], before: list[Any], after: list[Any]) -> ImageStore:
    def images(asked: Asked) -> Answer:
        return Answer(body=json.dumps(after if "manifests=1" in asked.path else before).encode())

    version = json.dumps({"ApiVersion": "1.51", "MinAPIVersion": "1.24", "Os": "linux"}).encode()
    lines = "".join(f"{json.dumps(each)}\n" for each in said).encode()
    served.routes |= {
        "/version": Answer(body=version),
        "/v1.51/images/json": images,
        "/v1.51/images/load": Answer(body=lines),
        "/v1.51/images/app:1/json": Answer(body=b'{"Id": "sha256:b7af"}'),
        "/v1.51/images/app:1": Answer(body=b"[]"),
        "/v1.51/images/sha256:01d/tag": Answer(201),
    }
    return ImageStore(connect({}, f"tcp://{served.host}"))


@pytest.mark.parametrize("said", [IN_THE_STREAM, AS_AN_ERROR, NOT_A_WORD])
def test_an_image_that_lacks_layers_is_a_failed_step_and_leaves_no_name(said: tuple[Any, ...]) -> None:
    with answering() as served:
        store = engine_that_loads(served, said, [], ABSENT)
        with pytest.raises(StepFailedError, match="could not load the image app:1") as caught:
            store.load("app:1", io.BytesIO(b"an archive"))
        assert "DELETE /v1.51/images/app:1" in served.paths()
    assert ("not found" in caught.value.why) is (said is not NOT_A_WORD)


def test_a_name_that_a_broken_image_took_leads_back_to_where_it_led() -> None:
    before = [{"Id": "sha256:01d", "RepoTags": ["app:1"]}]
    with answering() as served:
        store = engine_that_loads(served, IN_THE_STREAM, before, ABSENT)
        with pytest.raises(StepFailedError):
            store.load("app:1", io.BytesIO(b"an archive"))
        asked = served.paths()
    assert "POST /v1.51/images/sha256:01d/tag?repo=app&tag=1" in asked
    assert not any(each.startswith("DELETE") for each in asked)


def test_a_whole_image_is_loaded_without_a_further_word() -> None:
    with answering() as served:
        engine_that_loads(served, NOT_A_WORD, [], WHOLE).load("app:1", io.BytesIO(b"an archive"))
        assert not any(each.startswith(("DELETE", "POST /v1.51/images/sha256")) for each in served.paths())


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


@pytest.mark.each_engine
@pytest.mark.engine
def test_an_archive_without_a_layer_leaves_no_image(engine: RealEngine, tmp_path: Path) -> None:
    store = ImageStore(engine.connection)
    with tarfile.open(tmp_path / "root.tar", "w") as root:
        entry = tarfile.TarInfo("bin/x")
        entry.size = 30_011
        root.addfile(entry, io.BytesIO(bytes(range(256)) * 118))
    store.take_file("whole:1", tmp_path / "root.tar")
    saved = tmp_path / "saved.tar"
    saved.write_bytes(b"".join(store.stream("whole:1")))
    engine.client.images.remove("whole:1")
    with tarfile.open(saved) as archive, tarfile.open(tmp_path / "part.tar", "w") as part:
        members = [each for each in archive.getmembers() if each.isfile()]
        largest = max(members, key=lambda member: member.size)
        for member in members:
            if member is not largest:
                part.addfile(member, archive.extractfile(member))
    with pytest.raises(StepFailedError, match="load the image whole:1"):
        store.take_file("whole:1", tmp_path / "part.tar")
    assert not store.has("whole:1")
