from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.simulator.shipping import SimulatedSource, image_of

from tonnage.decide.ship import names
from tonnage.decide.ship.missing import image_to_ship, parcels, to_count, unreadable, with_image
from tonnage.decide.ship.packing import Pace
from tonnage.model.ship import GZIP, ZSTD, LayersThere, StoredBlob

if TYPE_CHECKING:
    from tonnage.model.ship import ImageToShip

FIRST, SECOND, THIRD = b"a" * 50_000_003, b"b" * 40_000_001, b"c" * 7_000_003
NOTHING_THERE = LayersThere(store="classic", version="26", platform="linux/amd64")


def shipped(there: LayersThere, *layers: bytes) -> ImageToShip:
    image = image_of("web:1", layers)
    source = SimulatedSource({"web:1": list(layers)})
    return image_to_ship(image, source.counted(image, to_count(image, there)), there, ("web:1",))


def test_a_layer_is_there_only_on_top_of_the_same_layers_in_a_classic_store() -> None:
    chains = frozenset(layer.chain_id for layer in image_of("other", [SECOND, FIRST]).layers)
    ship = shipped(replace(NOTHING_THERE, chains=chains), FIRST, SECOND)
    assert [each.sent is not None for each in ship.layers] == [True, True]


def test_a_blob_is_used_in_containerd_wherever_it_stands_and_is_unpacked_once_more() -> None:
    other = image_of("other", [SECOND, FIRST])
    blobs = {diff_id: StoredBlob(f"sha256:{diff_id[7:][::-1]}", 11, GZIP) for diff_id in other.diff_ids}
    there = LayersThere(
        store="containerd", version="28", platform="linux/amd64", blobs=blobs,
        chains=frozenset(layer.chain_id for layer in other.layers),
    )  # fmt: skip
    ship = shipped(there, FIRST, SECOND)
    assert (ship.wire_bytes, ship.sent) == (0, ())
    assert ship.kept.low_bytes == len(FIRST) + len(SECOND)


def test_the_classic_store_needs_each_archive_on_top_of_what_it_unpacks() -> None:
    ship = shipped(NOTHING_THERE, FIRST, SECOND, THIRD)
    assert parcels(ship) == (2, 3)
    assert ship.kept.low_bytes == len(FIRST) + len(SECOND) + len(THIRD)
    assert ship.highest.low_bytes == 2 * (len(FIRST) + len(SECOND))


def test_containerd_keeps_each_layer_as_it_came_and_unpacked() -> None:
    ship = shipped(replace(NOTHING_THERE, store="containerd"), FIRST)
    assert ship.kept.low_bytes == ship.highest.low_bytes == 2 * len(FIRST)


def test_a_classic_store_before_docker_23_reads_no_zstd() -> None:
    ship = shipped(NOTHING_THERE, FIRST)
    [layer] = ship.layers
    packed = replace(ship, layers=(replace(layer, sent=StoredBlob("sha256:1", 5, ZSTD)),))
    assert [
        unreadable(each, replace(NOTHING_THERE, store=store, version=version))
        for each, store, version in (
            (packed, "classic", "20.10.24"), (packed, "classic", "26.1.5"), (packed, "containerd", "28.5.2"),
            (ship, "classic", "20.10.24"),
        )
    ] == [True, False, False, False]  # fmt: skip


def test_two_images_bring_a_layer_that_they_share_once() -> None:
    for store in ("classic", "containerd"):
        there = replace(NOTHING_THERE, store=store)
        after = with_image(there, shipped(there, FIRST, SECOND))
        assert shipped(after, FIRST, THIRD).wire_bytes == len(THIRD)


def test_bytes_are_compressed_only_where_that_is_sooner() -> None:
    slow, fast = Pace(), Pace()
    for pace, wire_s in ((slow, 0.5), (fast, 0.001)):
        pace.sent(1_000_000, wire_s)
        pace.packed(1_000_000, 400_000, 0.02)
    assert (slow.packs, fast.packs) == (True, False)
    slow.packed(1_000_000, 1_000_100, 0.02)
    for _ in range(20):
        slow.packed(1_000_000, 1_000_100, 0.02)
    assert not slow.packs


def test_names_of_ours_tell_their_stack() -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    made = [names.incoming("shop", digest), names.carrier("shop", digest, 3)]
    assert all(names.is_ours(name, "shop") and names.is_ours(name) for name in made)
    assert not any(names.is_ours(name, "sho") for name in made)
    assert not any(map(names.is_ours, ("web:latest", made[0] + "x", "localhost/tonnage-ship/a/b:latest")))
    assert names.is_ours(names.incoming("a--b__c", digest), "a--b__c")
