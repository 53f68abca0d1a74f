"""What an image in containerd consists of, as its files on this machine tell."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.adapters.images.content_store import content_of
from tonnage.adapters.images.layers import chain_ids

if TYPE_CHECKING:
    from pathlib import Path

DIFFS, OTHERS = ("sha256:1", "sha256:2"), ("sha256:3", "sha256:2")


class Store:
    """containerd's root, filled by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "io.containerd.content.v1.content" / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        (self.blobs / digest).write_bytes(content)
        return f"sha256:{digest}"

    def put_json(self, **content: Any) -> str:  # noqa: ANN401 - JSON
        return self.put(json.dumps(content).encode())

    def manifest(self, *layers: bytes, diff_ids: tuple[str, ...] = DIFFS) -> str:
        config = self.put_json(rootfs={"diff_ids": diff_ids}, of=[len(layer) for layer in layers])
        return self.put_json(config={"digest": config}, layers=[{"digest": self.put(layer)} for layer in layers])

    def index(self, *manifests: str) -> str:
        return self.put_json(manifests=[{"digest": digest} for digest in manifests])

    def remove(self, digest: str) -> None:
        (self.blobs / digest.partition(":")[2]).unlink()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_every_platform_and_what_is_attached_belongs_to_the_image(store: Store) -> None:
    here, there = store.manifest(b"x" * 701, b"y" * 11), store.manifest(b"z" * 13, b"y" * 11, diff_ids=OTHERS)
    attached = store.manifest(b"told", diff_ids=())
    image = store.index(here, there, attached)
    found = content_of(str(store.root), image)
    assert found is not None
    assert sum(found.blobs.values()) == sum(path.stat().st_size for path in store.blobs.iterdir())
    told = {chain_id: found.blobs[digest] for chain_id, digest in found.layers.items()}
    assert told == dict(zip((*chain_ids(DIFFS), *chain_ids(OTHERS)), (701, 11, 13, 11), strict=True))


def test_an_image_without_an_index_has_its_manifest(store: Store) -> None:
    image = store.manifest(b"x" * 701, b"y" * 11)
    found = content_of(str(store.root), image)
    assert found is not None
    assert [found.blobs[found.layers[chain_id]] for chain_id in chain_ids(DIFFS)] == [701, 11]


def test_a_platform_that_was_not_pulled_takes_nothing(store: Store) -> None:
    here, there = store.manifest(b"x" * 701, b"y" * 11), store.manifest(b"z" * 13, b"w" * 17)
    image = store.index(here, there)
    store.remove(there)
    found = content_of(str(store.root), image)
    assert found is not None
    assert {701, 11} <= set(found.blobs.values())
    assert not {13, 17} & set(found.blobs.values())


def test_what_cannot_be_seen_is_not_known(store: Store) -> None:
    assert content_of(str(store.root), f"sha256:{'0' * 64}") is None
    assert content_of(str(store.root), store.put(b"no JSON")) is None
    assert content_of(str(store.root), "sha256:../../../../etc/passwd") is None
    assert content_of("/nowhere", store.index()) is None


def test_no_pipe_is_waited_for_and_no_index_of_itself_followed_for_ever(store: Store) -> None:
    os.mkfifo(store.blobs / ("f" * 64))
    assert content_of(str(store.root), f"sha256:{'f' * 64}") is None
    own = "sha256:" + "a" * 64
    (store.blobs / ("a" * 64)).write_text(json.dumps({"manifests": [{"digest": own}, {"digest": own}]}))
    found = content_of(str(store.root), own)
    assert found is not None
    assert set(found.blobs) == {own}


def test_a_manifest_that_is_named_many_times_is_read_once(store: Store) -> None:
    layer = store.put(b"x" * 701)
    large = store.put_json(layers=[{"digest": layer}], annotations={"of": "x" * 3_000_000})
    # Read each time, it would be sixty gigabytes.
    image = store.put_json(manifests=[{"digest": large}] * 20_000)
    found = content_of(str(store.root), image)
    assert found is not None
    assert set(found.blobs) == {image, large, layer}
