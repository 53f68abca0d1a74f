from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.adapters.private_engine.layout import remove_root, root_locked

if TYPE_CHECKING:
    from pathlib import Path


def test_the_directory_of_all_private_engines_goes_with_the_last_of_them(tmp_path: Path) -> None:
    root = tmp_path / "engines"
    with root_locked(root):
        remove_root(root)
    assert not root.exists()


def test_the_directory_stays_with_what_another_version_left_in_it(tmp_path: Path) -> None:
    root = tmp_path / "engines"
    with root_locked(root):
        (root / "left").touch()
        remove_root(root)
    with root_locked(root):
        assert sorted(path.name for path in root.iterdir()) == ["left", "lock"]
