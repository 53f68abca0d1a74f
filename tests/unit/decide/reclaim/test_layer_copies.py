"""The figures are those of Docker 28.5.2 with the image store of containerd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.decide.reclaim.layer_copies import bytes_on_disk
from tonnage.model.inventory import CacheRecord, Layer

if TYPE_CHECKING:
    from tonnage.model.inventory import Image

BASE, BIG, SMALL, ZEROS = (f"sha256:{each}" for each in ("base", "big", "small", "zeros"))
UNPACKED = {BASE: 2_011_136, BIG: 50_000_000, SMALL: 20_000_000, ZEROS: 10_000_000}


def image(number: int, size_bytes: int, *chain: str) -> Image:
    layers = tuple(Layer(chain_id=one, diff_id=one, size_bytes=UNPACKED[one]) for one in chain)
    return replace(observed.image(number, f"image{number}:1"), layers=layers, size_bytes=size_bytes)


def record(name: str, size_bytes: int, *parents: str) -> CacheRecord:
    return CacheRecord(
        record_id=name,
        kind="regular",
        description="",
        size_bytes=size_bytes,
        in_use=False,
        shared=True,
        parents=parents,
    )


IMAGES = (
    image(1, 3_095_957, BASE),
    image(2, 103_125_684, BASE, BIG),
    image(3, 143_133_166, BASE, BIG, SMALL),
    image(4, 13_136_842, BASE, ZEROS),
)
RECORDS = (
    record("base", 1_084_113),
    record("big", 100_031_492, "base"),
    record("small", 40_011_158, "big"),
    record("zeros", 10_042_653, "base"),
)


def test_a_layer_that_was_built_here_lies_there_three_times() -> None:
    found = bytes_on_disk(IMAGES, RECORDS)
    assert abs(found[BIG] - 150_051_844) < 50_000
    assert abs(found[SMALL] - 60_011_158) < 50_000


def test_what_compresses_well_takes_little_more_than_twice() -> None:
    assert abs(bytes_on_disk(IMAGES, RECORDS)[ZEROS] - 20_042_653) < 50_000


def test_without_a_record_a_layer_is_unpacked_once_beside_its_blob() -> None:
    found = bytes_on_disk(IMAGES, ())
    assert abs(found[BIG] - 100_029_727) < 50_000
    assert abs(found[BASE] - 3_095_957) < 50_000
    assert abs(found[ZEROS] - 10_040_885) < 50_000


def test_records_of_another_build_say_nothing() -> None:
    others = (record("base", 1_084_113), record("other", 7_000_000, "base"))
    assert bytes_on_disk(IMAGES, others) == bytes_on_disk(IMAGES, ())


def test_a_record_whose_base_the_engine_lists_no_more_is_still_a_copy() -> None:
    assert bytes_on_disk(IMAGES, RECORDS[1:])[BIG] == bytes_on_disk(IMAGES, RECORDS)[BIG]


def test_a_build_from_nothing_begins_with_a_layer_of_its_own() -> None:
    alone = image(5, 100_015_000, BIG)
    assert abs(bytes_on_disk([alone], [record("big", 100_031_492)])[BIG] - 150_051_844) < 50_000
