from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.lost_bytes import hidden_under_mounts, open_deleted
from tonnage.adapters.mount_table import read_mounts

if TYPE_CHECKING:
    from pathlib import Path


def test_a_deleted_file_that_is_still_open_is_told_with_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 3_000_017)
    script = "import sys; f = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        path.unlink()
        found = next(each for each in open_deleted(str(tmp_path)) if each.path == str(path))
    finally:
        holder.communicate("")
    assert holder.pid in {pid for _, pid in found.holders}
    assert found.size_bytes >= 3_000_017
    assert str(path) not in {each.path for each in open_deleted(str(tmp_path))}


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
        finally:
            subprocess.run(["umount", point, empty], check=True)
    finally:
        subprocess.run(["umount", disk], check=True)
