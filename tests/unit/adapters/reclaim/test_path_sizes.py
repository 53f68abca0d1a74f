from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.host.linux_calls import open_within_mount
from tonnage.adapters.reclaim.path_sizes import is_well_enough, measure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tonnage.adapters.reclaim.path_sizes import Count

FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return three directories with 1, 2 and 3 files of 4099 bytes."""
    for number in (1, 2, 3):
        place = tmp_path / f"group-{number}"
        place.mkdir()
        for name in range(number):
            (place / f"file-{name}").write_bytes(b"x" * 4099)
    return tmp_path


def ranked(tree: Path) -> list[tuple[tuple[float, ...], Sequence[str]]]:
    return [((3 - number,), (str(tree / f"group-{number}"),)) for number in (1, 2, 3)]


def test_each_group_is_counted_with_its_directory(tree: Path) -> None:
    sizes = measure(ranked(tree), tree.stat().st_dev)
    assert sizes.measured == [2, 1, 0]
    assert [tally.inodes for tally in sizes.tallies] == [4, 3, 2]


def test_what_was_not_looked_into_in_time_is_told(tree: Path) -> None:
    sizes = measure(ranked(tree), tree.stat().st_dev, within_s=-1)
    assert [(tally.inodes, tally.unread) for tally in sizes.tallies] == [(1, 1)] * 3


def test_what_ranks_first_is_enough_whatever_was_counted_sooner(tree: Path) -> None:
    late = threading.Event()

    def look(count: Count, until_s: float) -> None:
        if count.waiting[0].endswith("group-3"):
            late.wait(5)
        else:
            late.set()
        count.look(until_s)

    sizes = measure(ranked(tree), tree.stat().st_dev, enough=lambda found: len(found) >= 1, look=look)
    assert sizes.measured == [2]


def test_a_large_directory_is_counted_in_parts_and_each_name_once(tmp_path: Path) -> None:
    for number in range(30):
        below = tmp_path / f"d{number}" / "e"
        below.mkdir(parents=True)
        for name in range(101):
            (below / str(name)).touch()
    sizes = measure([((), (str(tmp_path),))], tmp_path.stat().st_dev)
    assert sizes.tallies[0].inodes == 1 + 30 * (2 + 101)


def test_a_failure_while_it_is_counted_is_raised_where_it_is_waited_for(tree: Path) -> None:
    def look(_count: Count, _until_s: float) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure(ranked(tree), tree.stat().st_dev, look=look)


@pytest.mark.parametrize(
    ("sizes", "enough"),
    [
        ((), False),
        ((100,), False),
        ((60, 44), False),
        ((60, 40, 5), True),
        ((60, 59), False),
        ((130,), True),
    ],
)
def test_there_is_enough_when_there_is_a_little_to_choose_from_and_it_fits(
    sizes: tuple[int, ...],
    enough: bool,  # noqa: FBT001
) -> None:
    assert is_well_enough(sizes, 100) is enough


def test_a_directory_is_opened_and_a_link_or_a_mount_is_not(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("directory")
    holder = os.open(tmp_path, FLAGS)
    root = os.open("/", FLAGS)
    try:
        try:
            fd = open_within_mount("directory", FLAGS, holder)
        except NotImplementedError:
            pytest.skip("this kernel, or what guards it, does not know the call")
        assert os.path.samestat(os.fstat(fd), (tmp_path / "directory").stat())
        os.close(fd)
        with pytest.raises(OSError, match="link") as linked:
            open_within_mount("link", FLAGS, holder)
        assert linked.value.errno == errno.ELOOP
        with pytest.raises(OSError, match="proc") as mounted:
            open_within_mount("proc", FLAGS, root)
        assert mounted.value.errno == errno.EXDEV
    finally:
        os.close(holder)
        os.close(root)
