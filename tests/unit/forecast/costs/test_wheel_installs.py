from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tonnage.forecast.costs.installer_caches import UvPages
from tonnage.forecast.costs.wheel_installs import RATIOS, bytecode, installed
from tonnage.model.forecast.estimate import Grade
from tonnage.model.forecast.installs import CacheKind
from tonnage.model.forecast.python_lock import Lock, Other, Reading, Sdist, Target, Wheel, WheelContents

if TYPE_CHECKING:
    from tonnage.forecast.costs.wheel_installs import Installation
    from tonnage.model.forecast.estimate import Estimate

PY311 = Target(python="3.11")
CONTENT, BLOCKS, DIRECTORIES, FETCHED = 90_000_017, 91_004_928, 409_600, 30_000_011


def contents(name: str = "thing", **more: Any) -> WheelContents:  # noqa: ANN401 - the fields of WheelContents
    wheel = Wheel(name=name, version="1.0", filename=f"{name}.whl", url="https://example.org/a.whl", size_bytes=FETCHED)
    figures = {
        "files": 101, "directories": 13, "content_bytes": CONTENT, "block_bytes": BLOCKS,
        "directory_bytes": DIRECTORIES, "cacheable": True,
    }  # fmt: skip
    return WheelContents(**{"wheel": wheel, **figures, **more})


def cost(*wheels: WheelContents, target: Target = PY311, **way: Any) -> Installation:  # noqa: ANN401 - those of installed
    lock = Lock(target=target, wheels=tuple(each.wheel for each in wheels))
    return installed(lock, wheels, **{"uv": False, "compiles": False, **way})


def test_an_installed_wheel_compresses_as_its_files_do_and_its_bytecode_besides() -> None:
    modules = (400_009, 300_007)
    wheel = contents(packed_bytes=25_000_003, small_packed_bytes=150_001, python_file_bytes=modules)
    plain, compiled = (cost(wheel, compiles=each).pieces[0] for each in (False, True))

    assert plain.compressed.likely_bytes == pytest.approx(25_000_003, rel=0.01)
    assert plain.compressed.low_bytes < 25_000_003 < plain.compressed.high_bytes < FETCHED
    assert plain.compressed.grade is Grade.DECLARED
    assert 200_000 < compiled.compressed.likely_bytes - plain.compressed.likely_bytes < 500_000
    # Of what a wheel only stores it does not tell how far it compresses.
    stored = cost(contents(stored_bytes=CONTENT), compiles=False).pieces[0].compressed
    assert stored.low_bytes < CONTENT // 10 < CONTENT < stored.high_bytes


def test_pip_needs_every_archive_on_top_of_what_it_keeps() -> None:
    told = cost(contents(), contents("other"))
    assert told.image.likely_bytes == pytest.approx(2 * CONTENT, rel=1e-4)
    assert told.disk.likely_bytes == pytest.approx(2 * (BLOCKS + DIRECTORIES), rel=1e-3)
    assert told.transient.likely_bytes == pytest.approx(2 * FETCHED, rel=1e-3)
    assert told.download.likely_bytes == 2 * FETCHED
    assert told.disk.grade is Grade.EXACT


@pytest.mark.parametrize("cache", [CacheKind.IN_LAYER, CacheKind.NONE])
def test_a_cache_of_uv_has_directories_of_its_own_and_the_pages_that_its_version_keeps(cache: CacheKind) -> None:
    def beside(pages: UvPages) -> Estimate:
        told = cost(contents(), uv=True, cache=cache, pages=pages)
        return told.cache.disk if cache is CacheKind.IN_LAYER else told.transient

    assert DIRECTORIES < beside(UvPages.NONE).likely_bytes < DIRECTORIES + 50_000
    assert DIRECTORIES + 100_000 < beside(UvPages.SMALL).likely_bytes < beside(UvPages.SMALL).high_bytes < 2_000_000
    assert beside(UvPages.LARGE).high_bytes == beside(UvPages.UNKNOWN).high_bytes > 12_000_000
    grades = [beside(each).grade for each in UvPages]
    assert set(grades) == {Grade.DECLARED}


def test_uv_needs_no_more_than_notes_on_top_of_what_it_keeps() -> None:
    told = cost(contents(), uv=True)
    assert told.transient.likely_bytes < 1_000_000 + DIRECTORIES
    assert told.disk.likely_bytes == cost(contents()).disk.likely_bytes


@pytest.mark.parametrize(
    ("cache", "in_image", "on_disk"), [(CacheKind.IN_LAYER, FETCHED, FETCHED), (CacheKind.MOUNTED, 0, FETCHED)]
)
def test_pips_cache_keeps_every_archive(cache: CacheKind, in_image: int, on_disk: int) -> None:
    told = cost(contents(), cache=cache)
    assert told.cache.image.likely_bytes == pytest.approx(in_image, rel=0.01)
    assert told.cache.disk.likely_bytes == pytest.approx(on_disk, rel=0.01)
    assert told.transient.likely_bytes == pytest.approx(FETCHED, rel=1e-3)


def test_poetry_keeps_every_archive_whatever_its_server_says_and_installs_from_there() -> None:
    told = cost(contents(cacheable=False), cache=CacheKind.IN_LAYER, poetry=True)
    assert told.cache.image.likely_bytes == FETCHED
    assert told.cache.disk.likely_bytes == pytest.approx(FETCHED, rel=0.01)
    assert told.transient.high_bytes == 0


def test_what_a_server_does_not_let_pip_keep_is_not_in_its_cache() -> None:
    assert cost(contents(cacheable=False), cache=CacheKind.IN_LAYER).cache.disk.high_bytes == 0
    unsure = cost(contents(cacheable=None), cache=CacheKind.IN_LAYER).cache.disk
    assert unsure.low_bytes < FETCHED < unsure.high_bytes


@pytest.mark.parametrize(
    ("cache", "copies", "doubled"),
    [
        (CacheKind.IN_LAYER, False, False),
        (CacheKind.IN_LAYER, True, True),
        (CacheKind.MOUNTED, False, True),
        (CacheKind.MOUNTED, True, True),
    ],
)
def test_uvs_cache_holds_files_once_more_only_where_they_cannot_be_links(
    cache: CacheKind, *, copies: bool, doubled: bool
) -> None:
    told = cost(contents(), uv=True, cache=cache, copies=copies)
    assert (told.cache.disk.likely_bytes > BLOCKS) is doubled
    assert told.transient.likely_bytes == 0
    if cache is CacheKind.IN_LAYER and copies:
        assert told.image.likely_bytes == pytest.approx(2 * CONTENT, rel=0.01)
    if cache is CacheKind.MOUNTED:
        assert told.image.likely_bytes == pytest.approx(CONTENT, rel=1e-3)


def test_copies_without_a_cache_are_given_back() -> None:
    told = cost(contents(), uv=True, copies=True)
    assert told.cache.disk.high_bytes == 0
    assert told.transient.likely_bytes > BLOCKS


def test_bytecode_and_commands_are_added() -> None:
    python: dict[str, Any] = {
        "python_file_bytes": (0, 4_099, 1_000_003),
        "python_directories": 2,
        "bytecode_directory_bytes": 8_192,
    }
    plain, compiled = cost(contents(**python)), cost(contents(**python), compiles=True)
    assert compiled.image.likely_bytes - plain.image.likely_bytes == pytest.approx(1.31 * 1_004_102, rel=0.01)
    assert compiled.inodes - plain.inodes == 5
    assert cost(contents(console_scripts=3)).disk.likely_bytes - cost(contents()).disk.likely_bytes == 3 * 4_096


def test_exact_figures_have_a_narrow_margin_around_them() -> None:
    told = cost(contents())
    assert told.disk.low_bytes < told.disk.likely_bytes < told.disk.high_bytes < 1.01 * told.disk.low_bytes


def test_a_wheel_that_is_smaller_than_its_margin_takes_no_less_than_nothing() -> None:
    told = cost(contents(files=1, directories=1, content_bytes=11, block_bytes=4096, directory_bytes=0))
    assert 0 <= told.image.low_bytes < told.image.likely_bytes
    assert 0 <= told.disk.low_bytes < told.disk.likely_bytes


def test_a_wheel_that_was_not_read_is_a_ratio_and_unknown() -> None:
    told = cost(contents(reading=Reading.RATIO, reason="the server answers 403"))
    assert (told.disk.low_bytes, told.disk.likely_bytes, told.disk.high_bytes) == (FETCHED, 3 * FETCHED, 7 * FETCHED)
    assert told.disk.grade is Grade.UNKNOWN
    assert "403" in told.pieces[0].source


def test_what_is_built_from_source_has_a_bound_and_never_nothing() -> None:
    lock = Lock(
        target=PY311,
        sdists=(Sdist(name="built", version="2.0", size_bytes=1_009),),
        others=(Other(name="", requirement="git+https://git.example.org/x.git", reason="a checkout"),),
    )
    told = installed(lock, (), uv=False, compiles=True, assumed_bytes=77_000_003)
    assert told.disk.high_bytes == 2 * 77_000_003
    assert told.transient.high_bytes >= 2 * 77_000_003
    assert told.disk.grade is Grade.UNKNOWN
    assert {piece.name for piece in told.pieces} == {"built 2.0", "git+https://git.example.org/x.git"}


def test_the_heaviest_wheel_comes_first() -> None:
    told = cost(contents("light", block_bytes=4_096), contents("heavy", block_bytes=8_192_000))
    assert [piece.name for piece in told.pieces] == ["heavy 1.0", "light 1.0"]


def test_installing_nothing_costs_nothing() -> None:
    told = cost(cache=CacheKind.IN_LAYER)
    assert (told.disk.high_bytes, told.transient.high_bytes, told.image.high_bytes) == (0, 0, 0)


def test_newer_pythons_write_more_bytecode() -> None:
    sizes = [10_007] * 300
    told = {minor: bytecode("unmeasured", sizes, (3, minor)).image.likely_bytes for minor in (7, 8, 10, 11, 12, 13, 15)}
    assert told[7] == told[8] < told[10] < told[12] < told[11]
    assert told[13] == told[15]


def test_a_package_that_was_measured_has_a_narrower_margin_than_one_that_was_not() -> None:
    sizes = [100_003] * 200
    known, unknown = bytecode("sympy", sizes, (3, 11)), bytecode("unmeasured", sizes, (3, 11))
    assert known.image.high_bytes / known.image.low_bytes < 1.2 < unknown.image.high_bytes / unknown.image.low_bytes
    # Neither is counted; of the first, what may be off is a part of what is.
    assert known.image.grade is unknown.image.grade is Grade.DECLARED
    assert dict(known.image.parts)[Grade.EXACT] > known.image.high_bytes * 9 // 10
    assert not unknown.image.parts


def test_an_empty_file_still_has_bytecode() -> None:
    assert bytecode("x", [0], (3, 11)).disk.likely_bytes == 4_096


def test_every_measured_ratio_is_plausible() -> None:
    assert len(RATIOS) > 100
    assert all(0.1 < old < 4 and 0.1 < new < 4 for old, new in RATIOS.values())


def test_uv_fetches_what_a_wheel_needs_before_the_wheel() -> None:
    wheel = contents()
    asked = msgspec.structs.replace(wheel, wheel=msgspec.structs.replace(wheel.wheel, metadata_bytes=4_001))
    fetched_bytes = cost(wheel, uv=True).pieces[0].download.likely_bytes
    assert cost(asked, uv=True).pieces[0].download.likely_bytes == fetched_bytes + 4_001
    assert cost(asked, uv=False).pieces[0].download.likely_bytes == fetched_bytes


def test_bytecode_of_earlier_releases_is_that_of_theirs() -> None:
    # Of idna 3.7, 3.10 and 3.19 with Python 3.11: bytes of source and of bytecode, as measured.
    for released, source, compiled in (
        ("3.7", 303_984, 294_287),
        ("3.10", 337_359, 294_673),
        ("3.19", 325_223, 176_713),
    ):
        found = bytecode("idna", [source], (3, 11), released=released).image
        assert found.low_bytes <= compiled <= found.high_bytes, released
    assert bytecode("idna", [300_000], (3, 11), released="no version") == bytecode("idna", [300_000], (3, 11))
