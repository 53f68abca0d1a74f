from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.host.mount_table import read_mounts
from tonnage.adapters.reclaim.unseen_bytes import hidden_under_mounts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_bytes_that_a_mount_hides_are_found_without_touching_it(tmp_path: Path) -> None:
    disk, image = tmp_path / "disk", tmp_path / "image"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(24 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    try:
        point = disk / "mnt" / "data"
        point.mkdir(parents=True)
        (point / "forgotten").write_bytes(b"x" * 2_000_003)
        os.link(point / "forgotten", point / "twice")
        seen = disk / "docker"
        seen.mkdir()
        (seen / "layer").write_bytes(b"y" * 3_000_017)
        empty = disk / "empty"
        empty.mkdir()
        for place in (point, empty):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], check=True)
        try:
            before = read_mounts()
            [hidden] = hidden_under_mounts(str(disk))
            assert hidden.path == str(point)
            assert 2_000_003 <= hidden.size_bytes < 2_100_000
            assert read_mounts() == before
            assert not hidden_under_mounts(str(point))
            # An engine mounts its data root on itself: what lies there is seen.
            subprocess.run(["mount", "--bind", seen, seen], check=True)
            try:
                assert [each.path for each in hidden_under_mounts(str(disk))] == [str(point)]
            finally:
                subprocess.run(["umount", seen], check=True)
        finally:
            subprocess.run(["umount", point, empty], check=True)
    finally:
        subprocess.run(["umount", disk], check=True)
