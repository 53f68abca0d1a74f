from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.reclaim.unseen_bytes import OLD_S, orphan_layers

if TYPE_CHECKING:
    from pathlib import Path

NOW_S = 1_795_000_000.0
LAYER_BYTES = 1_000_003


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """A data root with layers that images, containers and the builder know, and one that nobody does."""
    layers = tmp_path / "image" / "overlay2" / "layerdb"
    (layers / "sha256" / "chain").mkdir(parents=True)
    (layers / "sha256" / "chain" / "cache-id").write_text("of-an-image")
    (layers / "mounts" / "container").mkdir(parents=True)
    (layers / "mounts" / "container" / "mount-id").write_text("of-a-container")
    (layers / "mounts" / "container" / "init-id").write_text("of-a-container-init")
    (tmp_path / "buildkit").mkdir()
    (tmp_path / "buildkit" / "snapshots.db").write_bytes(b"\x00\x17of-the-builder\x00\xff")
    names = ("of-an-image", "of-a-container", "of-a-container-init", "of-the-builder", "of-nobody", "young", "l")
    for name in names:
        inside = tmp_path / "overlay2" / name / "diff"
        inside.mkdir(parents=True)
        (inside / "file").write_bytes(b"x" * LAYER_BYTES)
        age_s = 1.0 if name == "young" else OLD_S + 1
        os.utime(tmp_path / "overlay2" / name, (NOW_S - age_s, NOW_S - age_s))
    return tmp_path


def test_only_layers_that_nothing_of_the_engine_names_are_told(data_root: Path) -> None:
    found = orphan_layers(str(data_root), now_s=NOW_S)
    assert found.paths == (f"{data_root}/overlay2/of-nobody",)
    assert LAYER_BYTES <= found.size_bytes < LAYER_BYTES + 50_000


def test_nothing_is_told_where_layers_are_kept_in_another_way(data_root: Path, tmp_path: Path) -> None:
    (data_root / "image" / "overlay2" / "layerdb").rename(tmp_path / "elsewhere")
    assert orphan_layers(str(data_root), now_s=NOW_S).paths == ()
    assert orphan_layers(str(tmp_path / "nothing"), now_s=NOW_S).paths == ()
