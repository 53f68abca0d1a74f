"""A directory that is removed leads nowhere else, however often another process swaps what is in it for links."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from tonnage.adapters.reclaim.tree_removal import open_beneath, remove_below

if TYPE_CHECKING:
    from pathlib import Path

# Swaps directories for links, and back, as fast as it can, until its input ends.
ATTACKER = """
import contextlib, os, select, sys
tree, victims = sys.argv[1:]
print("begun", flush=True)
places = [f"{tree}/d{number % 4}/e{number}" for number in range(40)]
while not select.select([sys.stdin], [], [], 0)[0]:
    for number, place in enumerate(places):
        with contextlib.suppress(OSError):
            os.rename(place, f"{place}.aside")
            os.symlink(f"{victims}/v{number % 20}", place)
    for place in places:
        with contextlib.suppress(OSError):
            os.unlink(place)
        with contextlib.suppress(OSError):
            os.rename(f"{place}.aside", place)
"""
ROUNDS = 4


def remove(path: Path) -> None:
    above = open_beneath(str(path.parent))
    try:
        # What appears behind its back keeps a directory from going: that is said, and nothing else happens.
        remove_below(above, path.name, parent=str(path.parent), threads=3, cancel=threading.Event())
    finally:
        os.close(above)


def grow(tree: Path) -> None:
    for number in range(40):
        place = tree / f"d{number % 4}" / f"e{number}"
        place.mkdir(parents=True)
        for each in range(2):
            (place / f"file {each}").touch()


def test_a_loop_of_swaps_leaves_all_files_of_others(tmp_path: Path) -> None:
    tree, victims = tmp_path / "tree", tmp_path / "victims"
    for number in range(20):
        (victims / f"v{number}").mkdir(parents=True)
        for each in range(20):
            (victims / f"v{number}" / f"file {each}").touch()
    attacker = subprocess.Popen(
        [sys.executable, "-I", "-c", ATTACKER, str(tree), str(victims)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert attacker.stdout is not None
    assert attacker.stdout.readline() == "begun\n"
    try:
        for number in range(ROUNDS):
            grow(tmp_path / "next")
            if tree.exists():
                tree.rename(tmp_path / f"left {number}")
            (tmp_path / "next").rename(tree)
            remove(tree)
    finally:
        attacker.communicate("", timeout=60)

    assert sum(len(files) for _, _, files in os.walk(victims)) == 400
    # Whatever the attacker left, it goes as soon as nobody is at it any more.
    left = [each for each in tmp_path.iterdir() if each != victims]
    for path in left:
        remove(path)
    assert list(tmp_path.iterdir()) == [victims]
    assert sum(len(files) for _, _, files in os.walk(victims)) == 400
