"""Where temporary files go is told without writing any."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.host.temporary import temporary_directory

if TYPE_CHECKING:
    from pathlib import Path

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
from tonnage.adapters.host.temporary import temporary_directory
subprocess.run(["sh", "-c", sys.argv[2], "sh", sys.argv[1]], check=True)
os.chdir("/tmp/here")
print(temporary_directory({}))
"""


def test_variables_go_first_in_their_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert temporary_directory({"TEMP": str(two), "TMPDIR": str(one)}) == str(one)
    assert temporary_directory({"TMPDIR": str(tmp_path / "none"), "TMP": str(two)}) == str(two)
    assert temporary_directory({}) == "/tmp"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_it_is_told_where_not_one_byte_can_be_written(tmp_path: Path) -> None:
    point = tmp_path / "full"
    point.mkdir()
    command = ["unshare", "--mount", sys.executable, "-c", ASKED, str(point), FILLED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.strip() == "/tmp", done.stderr
