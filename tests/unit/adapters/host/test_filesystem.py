"""Filesystems are measured as statvfs tells them; reserved blocks are not available, one device is one entry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.calls import calls_of

from tonnage.adapters.host.filesystem import local_filesystems, open_gauge, temporary_directory
from tonnage.errors import EngineLacksError, EngineUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL = "unix:///var/run/docker.sock"
FILLED = """\
set -e
mount -t tmpfs -o size=64k none "$1"
mkdir "$1/here"
head -c 1000000 /dev/zero > "$1/filling" 2> /dev/null || true
for each in /var/tmp /tmp; do mount --bind "$1" $each; done
"""
# The interpreter and the package may lie in what is mounted over.
ASKED = """\
import os, subprocess, sys
from tonnage.adapters.host.filesystem import temporary_directory
subprocess.run(["sh", "-c", sys.argv[2], "sh", sys.argv[1]], check=True)
os.chdir("/tmp/here")
print(temporary_directory({}))
"""
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def reserving(tmp_path: Path) -> Iterator[Path]:
    """An ext4 on a loop device that keeps a fifth of its blocks for root."""
    disk, where = tmp_path / "disk", tmp_path / "reserving"
    where.mkdir()
    with disk.open("wb") as file:
        file.truncate(67_108_864)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "20", str(disk)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(disk), str(where)], check=False, capture_output=True).returncode:
        pytest.skip("no loop device can be mounted here")
    yield where
    subprocess.run(["umount", str(where)], check=True)


def test_directories_on_one_filesystem_are_one_entry_with_all_roles(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (found,) = local_filesystems([("data-root", f"{tmp_path}/a"), ("temporary", f"{tmp_path}/b")])
    assert found.roles == ("data-root", "temporary")
    assert Path(found.mount).stat().st_dev == tmp_path.stat().st_dev
    assert Path(found.mount).is_mount()


@root_only
def test_a_filesystem_of_its_own_is_found_by_its_mount_and_counted_to_the_byte(small: Path) -> None:
    (small / "data").mkdir()
    (small / "data" / "file").write_bytes(bytes(1_000_003))
    found, other = local_filesystems([("data-root", f"{small}/data"), ("temporary", str(small.parent))])
    assert (found.mount, found.roles) == (str(small), ("data-root",))
    assert other.roles == ("temporary",)
    assert (found.size_bytes, found.inodes, found.available_inodes) == (8_388_608, 211, 208)
    assert found.available_bytes == 8_388_608 - 245 * 4096
    assert found.reserved_bytes == 0


@root_only
def test_bytes_that_are_kept_for_root_are_not_available(reserving: Path) -> None:
    (found,) = local_filesystems([("data-root", str(reserving))])
    shown = subprocess.run(
        ["df", "-B1", "--output=size,avail,itotal,iavail", str(reserving)], check=True, capture_output=True, text=True
    )
    assert [found.size_bytes, found.available_bytes, found.inodes, found.available_inodes] == [
        int(figure) for figure in shown.stdout.splitlines()[1].split()
    ]
    # A fifth for root, and what ext4 keeps for itself: at most 2 %.
    assert 0.2 * 67_108_864 <= found.reserved_bytes <= 0.221 * 67_108_864


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineLacksError, match="nosuch") as caught:
        local_filesystems([("data-root", f"{tmp_path}/nosuch")])
    assert caught.value.exit_code == 7


@root_only
def test_a_gauge_sees_every_block_go_and_come(small: Path) -> None:
    gauge = open_gauge(LOCAL, [str(small)])
    before = gauge.available()[str(small)]
    (small / "file").write_bytes(bytes(409_601))
    assert before - gauge.available()[str(small)] == 101 * 4096
    (small / "file").unlink()
    assert gauge.available()[str(small)] == before
    gauge.close()


@root_only
def test_a_gauge_reads_a_disk_without_a_free_byte(small: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (small / "all").write_bytes(bytes(8_388_609))
    assert open_gauge(LOCAL, [str(small)]).available() == {str(small): 0}


@root_only
def test_a_sample_is_next_to_no_work(small: Path) -> None:
    gauge = open_gauge(LOCAL, [str(small), str(small.parent)])
    assert calls_of(gauge.available) < 20


def test_a_gauge_of_a_filesystem_that_went_away_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachableError, match="gone"):
        open_gauge(LOCAL, [f"{tmp_path}/gone"]).available()


def test_there_is_no_gauge_through_tcp() -> None:
    with pytest.raises(EngineLacksError, match="cannot be read from here") as caught:
        open_gauge("tcp://example.org:2376", ["/"])
    assert "ssh://" in caught.value.todo


def test_variables_name_the_temporary_directory_first_in_their_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert temporary_directory({"TEMP": str(two), "TMPDIR": str(one)}) == str(one)
    assert temporary_directory({"TMPDIR": str(tmp_path / "none"), "TMP": str(two)}) == str(two)
    assert temporary_directory({}) == "/tmp"


@root_only
def test_the_temporary_directory_is_told_where_not_one_byte_can_be_written(tmp_path: Path) -> None:
    point = tmp_path / "full"
    point.mkdir()
    command = ["unshare", "--mount", sys.executable, "-c", ASKED, str(point), FILLED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.strip() == "/tmp", done.stderr
