"""A really small filesystem for the tests that measure one."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own in memory, of 8 MiB and 211 inodes."""
    where = tmp_path / "small disk"
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=211", "tmpfs", str(where)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield where
    subprocess.run(["umount", str(where)], check=True)
