"""Which bytes belong to which layer: only what follows for certain is said."""

from __future__ import annotations

from tonnage.adapters.images.content_store import ImageContent
from tonnage.adapters.images.layers import (
    EMPTY_DIFF_ID,
    HistoryEntry,
    agreed,
    chain_ids,
    layers,
    least_unique,
    told_unique,
    undecided,
    with_blobs,
    with_unique,
)
from tonnage.model.inventory import Image

A, B, C, D = ("sha256:" + letter * 64 for letter in "abcd")


def step(size_bytes: int, created_by: str = "RUN x # buildkit") -> HistoryEntry:
    return HistoryEntry(created_by, size_bytes)


def image(name: str, diff_ids: list[str], history: list[HistoryEntry], size_bytes: int) -> Image:
    return Image(
        image_id=name,
        references=(name,),
        layers=layers(diff_ids, history, size_bytes),
        size_bytes=size_bytes,
        unique_bytes=size_bytes,
        shared_bytes=0,
    )


def sizes(diff_ids: list[str], history: list[HistoryEntry], total_bytes: int = 10**9) -> list[int | None]:
    return [layer.size_bytes for layer in layers(diff_ids, history, total_bytes)]


def test_the_lowest_layer_is_its_own_chain_and_the_others_hash_what_is_below() -> None:
    # The two chain ids were computed with sha256sum over "PARENT DIFF", as the OCI specification writes the rule.
    assert chain_ids([A]) == (A,)
    assert chain_ids([A, B, C])[1:] == (
        "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c",
        "sha256:c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588",
    )


def test_the_same_layers_in_another_order_are_other_layers() -> None:
    assert not set(chain_ids([A, B])) & set(chain_ids([B, A]))


def test_steps_that_only_set_metadata_make_no_layer() -> None:
    history = [
        step(104_729),
        step(0, "ENV A=b"),
        step(0, '/bin/sh -c #(nop)  CMD ["x"]'),
        step(1_299_709),
        step(0, "LABEL l=1"),
    ]
    assert sizes([A, B], history) == [104_729, 1_299_709]


def test_an_empty_step_has_a_layer_when_there_are_as_many_layers_as_steps() -> None:
    assert sizes([A, B, C], [step(104_729), step(0), step(1_299_709)]) == [104_729, 0, 1_299_709]


def test_only_the_layers_that_two_steps_can_have_made_are_unknown() -> None:
    history = [step(7), step(0), step(11), step(0), step(0, "COPY x /y"), step(13)]
    assert sizes([A, B, C, A, B], history) == [7, None, None, 0, 13]


def test_a_layer_without_contents_has_no_bytes_whatever_the_history_says() -> None:
    assert sizes([A, EMPTY_DIFF_ID, B], [step(7), step(0), step(11), step(0)]) == [7, 0, None]


def test_nothing_is_known_of_an_image_without_history() -> None:
    assert sizes([A, B], []) == [None, None]


def test_nothing_is_known_when_the_layers_sum_up_to_more_than_the_image() -> None:
    assert sizes([A, B], [step(7), step(11)], total_bytes=17) == [None, None]


def test_fewer_layers_than_steps_with_bytes_tell_nothing() -> None:
    assert sizes([A], [step(7), step(11)]) == [None]


def test_images_teach_each_other_the_bytes_of_the_layers_they_share() -> None:
    silent = image("squashed", [A, B], [], 1000)
    telling = image("base", [A], [step(701)], 701)
    assert [layer.size_bytes for layer in agreed([silent, telling])[0].layers] == [701, None]


def test_bytes_that_another_image_has_too_are_shared() -> None:
    one = image("one", [A, B], [step(701), step(11)], 712)
    two = image("two", [A, C], [step(701), step(13)], 714)
    alone = image("alone", [B, A], [step(11), step(701)], 712)
    found = {each.image_id: (each.unique_bytes, each.shared_bytes) for each in with_unique([one, two, alone])}
    assert found == {"one": (11, 701), "two": (13, 701), "alone": (712, 0)}


def test_an_image_under_two_ids_has_nothing_of_its_own() -> None:
    one, same = (image(name, [A, B], [step(701), step(11)], 712) for name in ("one", "same"))
    assert [each.unique_bytes for each in with_unique([one, same])] == [0, 0]


def test_what_does_not_follow_is_named_and_taken_from_the_engine() -> None:
    one = image("one", [A, B], [], 712)
    two = image("two", [A, C], [], 714)
    assert undecided([one, two]) == {"one", "two"}
    assert undecided([one]) == frozenset()
    found = told_unique(with_unique([one, two]), {"one": 701, "gone": 3})
    assert [(each.unique_bytes, each.shared_bytes) for each in found] == [(11, 701), (714, 0)]


def in_containerd(name: str, *sizes_: tuple[str, int], total: int) -> Image:
    return image(name, [each for each, _ in sizes_], [step(size) for _, size in sizes_], total)


def test_what_is_compressed_is_shared_like_what_is_unpacked() -> None:
    one = in_containerd("one", (A, 701), (B, 11), total=701 + 11 + 300 + 5 + 17)
    two = in_containerd("two", (A, 701), (C, 13), total=701 + 13 + 300 + 6 + 19)
    seen = {
        "one": ImageContent({"a": 300, "b": 5, "index-1": 17}, dict(zip(one.chain, ("a", "b"), strict=True))),
        "two": ImageContent({"a": 300, "c": 6, "index-2": 19}, dict(zip(two.chain, ("a", "c"), strict=True))),
    }
    found = with_unique(with_blobs([one, two], seen, {}))
    assert [(each.unique_bytes, each.shared_bytes) for each in found] == [(33, 1001), (38, 1001)]
    assert [layer.blob_bytes for layer in found[0].layers] == [300, 5]


def test_one_blob_under_two_chains_and_one_of_another_platform_are_shared_by_their_digest() -> None:
    one = in_containerd("one", (A, 701), (B, 11), total=2000)
    two = in_containerd("two", (B, 11), total=1000)
    seen = {
        "one": ImageContent({"a": 300, "b": 5, "arm": 70}, dict(zip(one.chain, ("a", "b"), strict=True))),
        "two": ImageContent({"b": 5, "arm": 70}, {two.chain[0]: "b"}),
    }
    assert [each.shared_bytes for each in with_unique(with_blobs([one, two], seen, {}))] == [75, 75]


def test_blobs_that_cannot_be_seen_are_shared_out_over_the_layers_that_have_none_yet() -> None:
    base = in_containerd("base", (A, 700), total=1000)
    one = in_containerd("one", (A, 700), (B, 100), (C, 300), total=1600)
    found = with_unique(with_blobs([one, base], {}, {"base": 300, "one": 500}))
    assert [layer.blob_bytes for layer in found[0].layers] == [300, 50, 150]
    assert [(each.unique_bytes, each.shared_bytes) for each in found] == [(600, 1000), (0, 1000)]


def test_of_an_image_whose_shared_bytes_do_not_follow_only_what_is_surely_its_own_is_promised() -> None:
    one = image("one", [A, B], [], 712)
    two = image("two", [A, C], [], 714)
    three = in_containerd("three", (D, 5), total=5)
    found = least_unique(with_unique([one, two, three]))
    assert [each.unique_bytes for each in found] == [0, 0, 5]
