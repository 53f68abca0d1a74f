from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.host.linux_calls import open_within_mount
from tonnage.adapters.reclaim.count_pool import CountingPool
from tonnage.adapters.reclaim.measure_order import is_well_enough
from tonnage.adapters.reclaim.path_sizes import measure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tonnage.adapters.reclaim.count_worker import Count, Task

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


def test_processes_count_what_this_one_counts_also_when_they_have_ended(tree: Path) -> None:
    device = tree.stat().st_dev
    here = measure(ranked(tree), device)
    with CountingPool(2) as crew:
        assert measure(ranked(tree), device, ask=crew.count) == here
    assert measure(ranked(tree), device, ask=crew.count) == here
    assert [tally.inodes for tally in here.tallies] == [4, 3, 2]


def test_what_ranks_first_is_enough_whatever_was_counted_sooner(tree: Path) -> None:
    device, late = tree.stat().st_dev, threading.Event()
    with CountingPool(1) as crew:

        def ask(task: Task) -> Count:
            if task[0][0].endswith("group-3"):
                late.wait(5)
            else:
                late.set()
            return crew.count(task)

        sizes = measure(ranked(tree), device, enough=lambda found: len(found) >= 1, ask=ask)
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
    def ask(_task: Task) -> Count:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure(ranked(tree), tree.stat().st_dev, ask=ask)


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
