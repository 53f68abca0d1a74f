"""Where blocks of image layers are not shared, the reason is that of the store or of the filesystem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.decide.observed import inventory

from tonnage.adapters.reclaim.duplicate_blocks import find_duplicate_blocks
from tonnage.model.inventory import CONTAINERD

if TYPE_CHECKING:
    from pathlib import Path


def test_snapshots_of_containerd_and_other_drivers_are_left_out(tmp_path: Path) -> None:
    engine = replace(inventory().engine, data_root=str(tmp_path))
    for store, driver in ((CONTAINERD, "overlayfs"), (CONTAINERD, "overlay2")):
        found = find_duplicate_blocks(replace(engine, image_store=store, storage_driver=driver))
        assert not found.groups
        assert "only its own database tells which of them containers write to" in found.obstacle
    found = find_duplicate_blocks(replace(engine, storage_driver="btrfs"))
    assert found.obstacle == "only layers of overlay2 are looked at"
