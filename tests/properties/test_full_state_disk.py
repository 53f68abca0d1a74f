"""The disk of our own files is full at every position of a run: nothing is half changed, and the next run finishes.

The filesystem is a real one in memory that has room for so many pages and not one more, so that every write of the
journal, of locks and of caches is at some point the first that fails.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.small_disk import SmallDisk
from tests.unit.cli.simulated_ports import BETTER, SICK, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.simulator.recipe import Recipe
    from tests.unit.cli.simulated_ports import World

# A new journal takes some pages before it lets a run begin, and then has room for a whole run of its own.
BEFORE_A_RUN = 10
WELL_ENOUGH = 30
FEW = (0, 1, 5, 10, 16, 17, 18, 19, 20, 25, 40)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("needs root for a filesystem of its own")
    try:
        made = SmallDisk(tmp_path / "state")
    except subprocess.CalledProcessError:
        pytest.skip("no filesystem can be mounted here")
    yield made
    made.close()


def what_runs(world: World) -> list[tuple[str, str]]:
    return sorted((each.service, each.image_id) for each in world.simulator.facts.containers("hello") if each.alive)


def is_readable(journal: Path) -> bool:
    if not journal.exists():
        return True
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as opened:
        return bool(opened.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def goes_through(world: World, disk: SmallDisk, pages: int, recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> int:
    """Deploy with so many pages left, then with enough; return the first exit code."""
    before = what_runs(world)
    world.recipe(recipe)
    disk.leave(pages)
    capsys.readouterr()
    code = world.run("deploy")
    said = capsys.readouterr().err
    assert code in {0, 3, 5}, said
    if code == 3:
        # Not begun, and why.
        assert "There is no space left on its disk." in said
    assert (what_runs(world) != before) == (code == 0)
    assert code == 3 or (code == 0) == (recipe is BETTER)
    assert is_readable(disk.place / "journal.sqlite")
    assert not [each.name for each in disk.place.iterdir() if ".tonnage-" in each.name]
    disk.empty()
    world.recipe(BETTER)
    assert world.run("deploy") == 0
    return code


@pytest.mark.parametrize("recipe", [BETTER, SICK], ids=["good", "bad"])
@pytest.mark.parametrize("pages", FEW[:3])
def test_a_run_of_a_known_stack_finishes_wherever_the_disk_is_full(
    tmp_path: Path, disk: SmallDisk, pages: int, recipe: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world(tmp_path)
    assert world.run("deploy") == 0
    # The journal keeps room for that.
    assert goes_through(world, disk, pages, recipe, capsys) != 3


@pytest.mark.parametrize(("pages", "recipe"), [(each, SICK if each % 2 else BETTER) for each in FEW])
def test_a_new_journal_is_made_whole_or_the_run_is_not_begun(
    tmp_path: Path, disk: SmallDisk, pages: int, recipe: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    world = make_world(elsewhere)
    assert world.run("deploy") == 0
    world.ports.environment = {**world.ports.environment, "TONNAGE_STATE_DIR": str(disk.place)}
    code = goes_through(world, disk, pages, recipe, capsys)
    assert code == 3 or pages > BEFORE_A_RUN
    assert code != 3 or pages < WELL_ENOUGH


@pytest.mark.long("three hundred positions: a minute")
@pytest.mark.parametrize("pages", range(1, 300, 2))
def test_a_new_journal_is_made_whole_at_every_position(
    tmp_path: Path, disk: SmallDisk, pages: int, capsys: pytest.CaptureFixture[str]
) -> None:
    test_a_new_journal_is_made_whole_or_the_run_is_not_begun(tmp_path, disk, pages, SICK, capsys)
