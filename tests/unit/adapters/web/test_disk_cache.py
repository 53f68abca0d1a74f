from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.adapters.web.disk_cache import DiskCache

if TYPE_CHECKING:
    from pathlib import Path

NAME = "https://example.org/a?b=c"


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_003.0

    def __call__(self) -> float:
        return self.now_s


def test_what_is_kept_is_read_again_until_it_is_too_old(tmp_path: Path) -> None:
    clock = Clock()
    kept = DiskCache(tmp_path / "deep" / "cache", clock=clock)
    assert kept.read("head", NAME) is None
    assert kept.age_s("head", NAME) is None
    kept.keep("head", NAME, b"17")
    clock.now_s += 59
    assert kept.read("head", NAME, within_s=60) == b"17"
    assert kept.age_s("head", NAME) == 59
    clock.now_s += 2
    assert kept.read("head", NAME, within_s=60) is None
    assert kept.read("head", NAME) == b"17"
    kept.keep("head", NAME, b"19")
    assert kept.read("head", NAME, within_s=60) == b"19"


def test_kinds_have_names_of_their_own(tmp_path: Path) -> None:
    kept = DiskCache(tmp_path)
    kept.keep("head", NAME, b"17")
    assert kept.read("tag", NAME) is None


def test_a_clock_that_was_set_back_makes_nothing_fresh(tmp_path: Path) -> None:
    clock = Clock()
    kept = DiskCache(tmp_path, clock=clock)
    kept.keep("head", NAME, b"17")
    clock.now_s -= 3_600
    assert kept.read("head", NAME, within_s=60) is None
    assert kept.age_s("head", NAME) == 0


def test_a_place_that_cannot_be_written_only_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    kept = DiskCache(tmp_path / "file")
    kept.keep("head", NAME, b"17")
    assert kept.read("head", NAME) is None


def test_nothing_is_left_beside_what_is_kept(tmp_path: Path) -> None:
    kept = DiskCache(tmp_path)
    kept.keep("head", NAME, b"17")
    assert len(list((tmp_path / "head").iterdir())) == 1
