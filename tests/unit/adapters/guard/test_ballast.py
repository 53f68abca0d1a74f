from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.adapters.guard.ballast import NAME, ballast_bytes, drop_ballast, make_ballast
from tonnage.errors import CannotReclaimError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def small_disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Have every disk be small: nobody writes 256 MB for a test."""
    sizes = {"size": 400_000_000, "available": 40_000_000}

    class Told:
        def __init__(self, path: str) -> None:
            del path
            self.f_frsize, self.f_blocks, self.f_bavail = 4000, sizes["size"] // 4000, sizes["available"] // 4000

    monkeypatch.setattr(os, "statvfs", Told)
    return sizes


def test_it_holds_blocks_of_its_own_and_gives_them_back(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert ballast_bytes(root) == 0
    assert drop_ballast(root) == 0
    held = make_ballast(root)
    assert 4_000_000 <= held < 4_100_000
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert make_ballast(root) == ballast_bytes(root) == held
    assert drop_ballast(root) == held
    assert not list(tmp_path.iterdir())


def test_it_is_made_only_where_four_times_as_much_is_free_and_the_reserve_stays(
    tmp_path: Path, small_disk: dict[str, int]
) -> None:
    small_disk["available"] = 15_999_999
    assert make_ballast(str(tmp_path)) == 0
    small_disk["available"] = 16_000_000
    assert make_ballast(str(tmp_path), keeps_bytes=13_000_000) == 0
    assert not list(tmp_path.iterdir())
    assert make_ballast(str(tmp_path), keeps_bytes=11_000_000) > 0


def test_it_is_never_larger_than_256_mb(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_disk: dict[str, int]
) -> None:
    asked: list[int] = []

    def allocate(file: int, begin: int, length: int) -> None:
        del file, begin
        asked.append(length)
        raise OSError

    small_disk |= {"size": 10**14, "available": 10**13}
    monkeypatch.setattr(os, "posix_fallocate", allocate)
    assert make_ballast(str(tmp_path)) == 0
    assert asked == [256_000_000]
    assert not list(tmp_path.iterdir())


def test_a_sparse_file_is_no_ballast(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "posix_fallocate", lambda file, _begin, length: os.truncate(file, length))
    assert make_ballast(str(tmp_path)) == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["link", "second name", "directory"])
def test_what_is_somebody_elses_is_neither_counted_nor_removed(tmp_path: Path, what: str) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"x" * 10_000)
    place = tmp_path / NAME
    if what == "link":
        place.symlink_to(other)
    elif what == "second name":
        os.link(other, place)
    else:
        place.mkdir()
    assert ballast_bytes(str(tmp_path)) == 0
    assert make_ballast(str(tmp_path)) == 0
    assert drop_ballast(str(tmp_path)) == 0
    assert os.path.lexists(place)
    assert other.stat().st_size == 10_000


def test_one_that_cannot_be_removed_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_ballast(str(tmp_path))

    def refuse(_path: Any) -> None:  # noqa: ANN401 - as the call it stands for
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(CannotReclaimError):
        drop_ballast(str(tmp_path))
