"""Intent: wherever in a run the disk with the journal and with temporary files is full, the next run finishes.

Steps: deploy; leave so many pages of that disk, from none to more than a run writes; deploy a change; give the disk
back; deploy again.
State checked: exit codes, what answers, the journal, containers, temporary files.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.watching import page

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine
PORT = 18_111
PAGE_BYTES = 4096
UNEXPECTED = 1
LARGE_BYTES = 256 * 2**20
_STEP, _AT_ONCE, _MOST = 7, 5, 350


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a filesystem whose size can be changed."""
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={LARGE_BYTES},mode=0700", "tmpfs", mount], check=True)
    yield mount
    # Also when a command that did not end still has files there.
    subprocess.run(["umount", "--lazy", mount], check=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try a few positions; with ``--long`` fifty."""
    if "positions" in metafunc.fixturenames:
        at = range(0, _MOST, _STEP)
        some = [at[first : first + _AT_ONCE] for first in range(0, len(at), _AT_ONCE)]
        metafunc.parametrize("positions", some if metafunc.config.getoption("--long") else [(0, 60)], ids=str)


def leave(mount: Path, pages: int | None) -> None:
    """Leave so many pages of a disk; all that it may have for None."""
    told = os.statvfs(mount)
    used_bytes = (told.f_blocks - told.f_bfree) * told.f_frsize
    size_bytes = LARGE_BYTES if pages is None else max(PAGE_BYTES, used_bytes + pages * PAGE_BYTES)
    subprocess.run(["mount", "-o", f"remount,size={size_bytes}", mount], check=True)


def placed(project: Project, disk: Path) -> Project:
    """Have all that the command writes for itself on one disk."""
    return replace(project, state=disk / "state", temporary=disk / "temporary")


def test_a_run_on_a_full_disk_of_its_own_and_the_next_one_reach_what_is_wanted(
    project: Project, disk: Path, positions: Sequence[int]
) -> None:
    project = placed(project, disk)
    project.web("web", "web 0", ports=[f"{PORT}:8080"])
    project.deploy()
    for number, pages in enumerate(positions, 1):
        was = page(project.real.address, PORT)
        project.web("web", f"web {number}")
        leave(disk, pages)
        run = project.tonnage("deploy")
        answers = page(project.real.address, PORT)
        leave(disk, None)

        assert answers == (was if run.exit_code else f"web {number}"), (pages, run.stderr)
        assert run.exit_code != UNEXPECTED, (pages, run.stderr)
        follows(project, f"web {number}")


def test_a_first_run_on_a_full_disk_of_its_own_changes_nothing_or_is_done(project: Project, disk: Path) -> None:
    project = placed(project, disk)
    project.web("web", "web", ports=[f"{PORT}:8080"])
    for pages in (0, 8, 40):
        leave(disk, pages)
        run = project.tonnage("deploy")
        leave(disk, None)

        assert run.exit_code != UNEXPECTED, (pages, run.stderr)
        assert (not run.exit_code) == (len(project.engine.containers("web")) == 1), (pages, run.stderr)
        if not run.exit_code:
            break
    follows(project, "web")


def follows(project: Project, wanted: str) -> None:
    """Deploy on a disk with room, and look at all that is there then."""
    assert project.tonnage("report").exit_code == 0
    again = project.tonnage("deploy")
    assert again.exit_code == 0, again.stderr
    assert page(project.real.address, PORT) == wanted
    assert len(project.engine.containers("web")) == 1
    assert project.temporary is not None
    assert list(project.temporary.glob("tonnage*")) == []
    assert project.runs()[0].outcome is Outcome.DONE
