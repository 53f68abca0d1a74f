"""Intent: files of image layers with the same content are stored once, and every file stays what it was.

Steps: a filesystem that shares blocks, with layers as the engine lays them out; find, share, find again.
State checked: available bytes, contents, times, what containers have written, a mapping that is read all the while.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.reclaim.duplicate_blocks import find_duplicate_blocks, share_blocks
from tonnage.model.inventory import CLASSIC, Engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine
MIB = 1 << 20
NEVER = threading.Event()


@pytest.fixture(params=["xfs", "btrfs"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A data root on a filesystem of its own, with three layers of images and what a container writes."""
    kind: str = request.param
    program = shutil.which(f"mkfs.{kind}")
    if program is None:
        if kind == "xfs" and request.config.getoption("--require-engine"):
            pytest.fail("mkfs.xfs is not installed")
        pytest.skip(f"mkfs.{kind} is not installed")
    disk, place = tmp_path / "disk", tmp_path / "place"
    place.mkdir()
    with disk.open("wb") as made:
        made.truncate(400 * MIB)
    subprocess.run([program, "-q", "-f", disk], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", disk, place], check=True)
    try:
        for name in ("one", "two", "three"):
            known = place / "image/overlay2/layerdb/sha256" / name
            known.mkdir(parents=True)
            (known / "cache-id").write_text(name)
            (place / "overlay2" / name / "diff").mkdir(parents=True)
        (place / "overlay2/container/diff").mkdir(parents=True)
        yield place
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["umount", place], check=True)


def engine(root: Path) -> Engine:
    return Engine(
        endpoint="unix:///run/docker.sock",
        engine_id="e",
        version="28.5",
        api_version="1.51",
        data_root=str(root),
        storage_driver="overlay2",
        image_store=CLASSIC,
    )


def written(root: Path, name: str, content: bytes) -> Path:
    path = root / "overlay2" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def available_bytes(root: Path) -> int:
    told = os.statvfs(root)
    return told.f_bavail * told.f_frsize


def state(root: Path) -> dict[str, tuple[str, int, int, int]]:
    """Return content, times and rights of every file."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            told = path.stat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path)] = (digest, told.st_mtime_ns, told.st_ctime_ns, told.st_mode)
    return found


def test_each_content_is_stored_once_and_no_file_changes(root: Path) -> None:
    big = os.urandom(6 * MIB + 1234)
    first = written(root, "one/diff/venv/torch.so", big)
    written(root, "two/diff/opt/other/torch.so", big)
    written(root, "three/diff/torch.so", big)
    written(root, "three/diff/same-size.so", big[:-1] + b"x")
    own = written(root, "container/diff/torch.so", big)
    # Links of an image lead nowhere: neither to what lies elsewhere nor to what a container has written.
    (root / "overlay2/two/diff/link").symlink_to(own)
    (root / "overlay2/two/diff/up").symlink_to(root)
    # A second name of the same file gives nothing.
    (root / "overlay2/three/diff/again.so").hardlink_to(root / "overlay2/three/diff/torch.so")
    os.sync()
    before, state_before = available_bytes(root), state(root)

    found = find_duplicate_blocks(engine(root))
    assert not found.obstacle
    assert [len(group) for group in found.groups] == [3]
    assert 12 * MIB <= found.size_bytes <= 13 * MIB
    assert not any("container" in path for group in found.groups for path in group)

    ended = threading.Event()
    wrong: list[int] = []

    def read_all_the_while() -> None:
        with first.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            while not ended.is_set():
                wrong.extend(1 for at in range(0, len(big), 4096) if mapped[at] != big[at])

    reader = threading.Thread(target=read_all_the_while)
    reader.start()
    try:
        share_blocks(found, NEVER)
    finally:
        ended.set()
        reader.join()
    assert not wrong
    assert state(root) == state_before
    assert available_bytes(root) - before == pytest.approx(found.size_bytes, abs=MIB // 2)
    again = find_duplicate_blocks(engine(root))
    assert (again.groups, again.size_bytes) == ((), 0)


def test_a_file_that_changes_meanwhile_stays_as_it_is(root: Path) -> None:
    content = os.urandom(2 * MIB)
    written(root, "one/diff/a", content)
    written(root, "two/diff/a", content)
    found = find_duplicate_blocks(engine(root))
    changed = content[:MIB] + os.urandom(MIB)
    written(root, "two/diff/a", changed)
    share_blocks(found, NEVER)
    assert (root / "overlay2/one/diff/a").read_bytes() == content
    assert (root / "overlay2/two/diff/a").read_bytes() == changed


def test_what_was_put_in_the_place_of_a_directory_is_not_followed(root: Path, tmp_path: Path) -> None:
    content = os.urandom(MIB)
    written(root, "one/diff/d/a", content)
    written(root, "two/diff/d/a", content)
    found = find_duplicate_blocks(engine(root))
    shutil.rmtree(root / "overlay2/two/diff/d")
    (root / "overlay2/two/diff/d").symlink_to(tmp_path)
    (tmp_path / "a").write_bytes(content)
    os.sync()
    before = available_bytes(root)
    share_blocks(found, NEVER)
    assert available_bytes(root) == pytest.approx(before, abs=MIB // 4)
