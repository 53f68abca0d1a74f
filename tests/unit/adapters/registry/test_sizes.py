from __future__ import annotations

import gzip

import pytest

from tonnage.adapters.images.layers import EMPTY_DIFF_ID
from tonnage.adapters.registry import sizes
from tonnage.adapters.registry.documents import Variant, chosen, platform_matches
from tonnage.adapters.registry.sizes import ArchiveSize
from tonnage.model.forecast.estimate import NOTHING

GIB = 1 << 30


def tail(size: int) -> bytes:
    return (size % (1 << 32)).to_bytes(4, "little")


def test_the_end_of_a_stream_tells_its_contents() -> None:
    stream = gzip.compress(bytes(1_000_003))
    found = sizes.from_gzip_tail(stream[-4:], len(stream))
    assert found is not None
    assert (found.low_bytes, found.likely_bytes, found.high_bytes) == (1_000_003,) * 3


def test_contents_of_more_than_four_gib_are_told_apart_by_the_compressed_size() -> None:
    found = sizes.from_gzip_tail(tail(5 * GIB), 2 * GIB)
    assert found is not None
    assert found.likely_bytes == 5 * GIB
    assert found.low_bytes < found.high_bytes


def test_a_stream_of_several_tells_nothing() -> None:
    assert sizes.from_gzip_tail(tail(40_000), 30_000_000) is None


def test_contents_that_cannot_be_compressed_have_not_gone_round() -> None:
    found = sizes.from_gzip_tail(tail(999_000), 1_000_003)
    assert found is not None
    assert found.likely_bytes == 999_000


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (b"\x28\xb5\x2f\xfd\x20\x07", 7),
        (b"\x28\xb5\x2f\xfd\x60\x00\x01", 512),
        (b"\x28\xb5\x2f\xfd\xa0\x10\x27\x00\x00", 10_000),
        (b"\x28\xb5\x2f\xfd\x80\x58\x10\x27\x00\x00", 10_000),
        (b"\x28\xb5\x2f\xfd\x00\x58\x01\x02", None),
        (b"\x1f\x8b\x08\x00\x00\x00", None),
        (b"\x28\xb5", None),
    ],
)
def test_a_frame_may_begin_with_the_size_of_its_contents(head: bytes, size: int | None) -> None:
    found = sizes.from_zstd_head(head)
    assert (found.likely_bytes if found else None) == size


def test_files_are_less_than_their_archive_and_more_on_a_disk() -> None:
    archive = ArchiveSize(*(171_722_240,) * 3, "")
    image, disk = sizes.image_bytes(archive, "sha256:1"), sizes.disk_bytes(archive, "sha256:1")
    # What the archive of a real root of 8,836 entries holds.
    assert image.low_bytes <= 165_072_444 <= image.high_bytes
    assert disk.low_bytes <= 186_585_088 <= disk.high_bytes
    assert abs(image.likely_bytes - 165_072_444) < 165_072_444 * 0.01
    assert abs(disk.likely_bytes - 186_585_088) < 186_585_088 * 0.01


def test_the_empty_layer_has_no_bytes() -> None:
    assert sizes.image_bytes(sizes.by_ratio(32), EMPTY_DIFF_ID) == NOTHING


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        ("linux/amd64", "amd64"),
        ("linux/amd64/v3", "amd64"),
        ("linux/arm64", "arm64"),
        ("linux/aarch64", "arm64"),
        ("linux/arm", "armv7"),
        ("linux/arm/v6", "armv6"),
        ("linux/arm/v8", "armv7"),
        ("linux/s390x", None),
        ("windows/amd64", None),
    ],
)
def test_a_platform_takes_what_it_can_run(wanted: str, taken: str | None) -> None:
    there = [
        Variant(digest="armv6", platform="linux/arm/v6"),
        Variant(digest="armv7", platform="linux/arm/v7"),
        Variant(digest="amd64", platform="linux/amd64"),
        Variant(digest="arm64", platform="linux/arm64/v8"),
    ]
    found = chosen(there, wanted)
    assert (found.digest if found else None) == taken


def test_an_image_without_a_variant_runs_where_its_architecture_does() -> None:
    assert platform_matches("linux/arm64", "linux/arm64/v8")
    assert not platform_matches("linux/arm64", "linux/amd64")
