"""The figures are those of Docker 28.5.2 with the image store of containerd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.decide.reclaim.choice import decide, decide_everything, freed_bytes, narrowed
from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.decide.reclaim.layer_copies import blobs, copies
from tonnage.model.inventory import CacheRecord, Layer
from tonnage.model.reclaim.candidate import CandidateId, CandidateKind, Roots

if TYPE_CHECKING:
    from tonnage.model.inventory import Image, Inventory

NEEDS = Roots(now_s=2_000_000_000.0)
MADE_BY = {
    "base": "",
    "copied": "COPY /s /s # buildkit",
    "run": "RUN |1 A=b /bin/sh -c head -c 15000000 /dev/urandom > /r; yes abcdefg | head -c 30000000 > /t # buildkit",
    "workdir": "WORKDIR /srv",
}
UNPACKED = {"base": 2_011_136, "copied": 20_004_864, "run": 45_023_232, "workdir": 8_192}
RUN = "mount / from exec /bin/sh -c head -c 15000000 /dev/urandom > /r; yes abcdefg | head -c 30000000 > /t"
CAME_FREE = {"run": 45_047_808, "copied": 20_025_344, "stage": 20_033_536, "workdir": 28_672}
"""What was measured when each record was removed."""


def image(number: int, size_bytes: int, *chain: str) -> Image:
    layers = tuple(Layer(chain_id=one, diff_id=one, size_bytes=UNPACKED[one], made_by=MADE_BY[one]) for one in chain)
    return replace(observed.image(number, f"image{number}:1"), layers=layers, size_bytes=size_bytes)


def record(name: str, size_bytes: int, description: str, *parents: str, shared: bool = False) -> CacheRecord:
    return CacheRecord(
        record_id=name,
        kind="regular",
        description=description,
        size_bytes=size_bytes,
        in_use=False,
        shared=shared,
        parents=parents,
    )


BASE = image(1, 3_095_957, "base")
BUILT = image(2, 103_218_349, "base", "copied", "run", "workdir")
RECORDS = (
    record("base", 1_084_113, "", shared=True),
    record("stage", 20_021_248, "mount / from exec /bin/sh -c head -c 20000000 /dev/urandom > /s", "base"),
    record("copied", 40_007_061, "[stage-1 2/6] COPY --from=one /s /s", "base"),
    record("run", 60_094_856, RUN, "copied"),
    record("workdir", 8_284, "[stage-1 4/6] WORKDIR /srv", "run"),
)


def in_containerd(*records: CacheRecord, images: tuple[Image, ...] = (BASE, BUILT)) -> Inventory:
    inventory = observed.inventory(images=images)
    engine = replace(inventory.engine, image_store="containerd", storage_driver="overlayfs")
    return replace(inventory, engine=engine, cache=records)


def test_records_are_known_by_their_instruction_and_their_bytes() -> None:
    found = copies(in_containerd(*RECORDS))
    assert {name: copy.chain_id for name, copy in found.items()} == {
        "copied": "copied",
        "run": "run",
        "workdir": "workdir",
    }
    assert {copy.image for copy in found.values()} == {"image2:1"}
    assert found["run"].blob_bytes == 60_094_856 - 45_023_232


def test_what_a_builder_beside_the_engine_keeps_is_its_own_throughout() -> None:
    records = tuple(replace(record, builder="cont") for record in RECORDS)
    assert not copies(in_containerd(*records))
    findings = engine_findings(in_containerd(*records), NEEDS)
    told = {each.candidate_id.key: each for each in findings.candidates if each.kind == "cache"}
    assert told["run"].unique_bytes == RECORDS[3].size_bytes
    assert told["run"].reason == "the builder cont keeps it for the next build"


def test_in_the_classic_store_there_are_no_copies() -> None:
    inventory = in_containerd(*RECORDS)
    assert not copies(replace(inventory, engine=replace(inventory.engine, image_store="classic")))


@pytest.mark.parametrize(
    "other",
    [
        replace(RECORDS[3], description="[stage-1 2/6] COPY --from=one /s /other"),
        replace(RECORDS[2], size_bytes=20_000_000),
        replace(RECORDS[2], size_bytes=41_000_000),
    ],
)
def test_another_instruction_or_other_bytes_are_no_copy(other: CacheRecord) -> None:
    unlike = replace(
        other, description="[stage-1 2/6] COPY --from=one /s /other" if other is RECORDS[3] else other.description
    )
    assert not copies(in_containerd(unlike))


def test_each_record_promises_what_came_free_with_it() -> None:
    findings = engine_findings(in_containerd(*RECORDS), NEEDS)
    gone: frozenset[CandidateId] = frozenset()
    for name in ("stage", "workdir", "run", "copied"):
        before = freed_bytes(findings.pieces, gone)
        gone |= {CandidateId(CandidateKind.CACHE, name)}
        assert freed_bytes(findings.pieces, gone) - before == pytest.approx(CAME_FREE[name], abs=25_000)


def test_copies_go_before_all_else_and_leave_images_whole() -> None:
    cheap = replace(image(3, 3_095_957, "base"), references=(), created_s=1.0)
    choice = decide(
        engine_findings(in_containerd(*RECORDS, images=(BASE, BUILT, cheap)), NEEDS),
        available_bytes=0,
        target_bytes=60_000_000,
    )
    assert {each.candidate_id.key for each in choice.chosen} == {"workdir", "run", "copied"}
    assert all("own copy of a layer of image2:1" in each.reason for each in choice.chosen)


def test_an_image_is_promised_with_its_blobs_once_the_copies_are_gone() -> None:
    findings = engine_findings(in_containerd(), NEEDS)
    [built] = [each for each in findings.candidates if each.name == "image2:1"]
    assert built.unique_bytes == pytest.approx(100_179_968, rel=0.01)


def test_everything_that_may_go_is_what_lies_there() -> None:
    found = decide_everything(engine_findings(in_containerd(*RECORDS), NEEDS), available_bytes=0)
    # Measured: 85.1 MB with the records, then 100.2 MB with the image.
    assert found.freed_bytes == pytest.approx(85_150_000 + 100_180_000 + 3_095_957, rel=0.01)


def test_blobs_of_layers_without_a_record_follow_from_what_the_image_takes() -> None:
    assert blobs([BASE], {})["base"] == 3_095_957 - 2_011_136


def test_a_blob_that_could_be_seen_is_known_better_than_by_its_record() -> None:
    layers = tuple(replace(layer, blob_bytes=700 + number) for number, layer in enumerate(BUILT.layers))
    seen = replace(BUILT, layers=layers, blobs={"sha256:index": 17})
    of = copies(in_containerd(*RECORDS))
    assert blobs((BASE, seen), of) == {"base": 700, "copied": 701, "run": 702, "workdir": 703}
    # Of about so many the record tells more.
    assert blobs((BASE, replace(seen, blobs={})), of)["run"] == 60_094_856 - 45_023_232


def test_an_image_that_was_built_here_gives_its_layers_also_while_the_cache_stays() -> None:
    found = narrowed(engine_findings(in_containerd(*RECORDS), NEEDS), only=("image",))
    choice = decide(found, available_bytes=0, target_bytes=10_000_000)
    assert [each.name for each in choice.chosen] == ["image2:1"]
    # Unpacked for images; the blobs stay with the records.
    assert choice.freed_bytes == pytest.approx(45_023_232 + 20_004_864, rel=0.01)


def with_blobs(*images: Image) -> tuple[Image, ...]:
    """Return the images with the bytes of their blobs, as where these can be seen."""
    blob_bytes = {"copied": 40_007_061 - 20_004_864, "run": 60_094_856 - 45_023_232, "workdir": 92}
    return tuple(
        replace(
            each,
            layers=tuple(replace(layer, blob_bytes=blob_bytes.get(layer.chain_id, 0)) for layer in each.layers),
            blobs={"sha256:blob": 1},
        )
        for each in images
    )


def test_where_blobs_can_be_seen_another_content_of_the_same_instruction_is_no_copy() -> None:
    images = with_blobs(BASE, BUILT)
    blocks = replace(RECORDS[2], record_id="blocks", size_bytes=RECORDS[2].size_bytes + 4096, created_s=2.0)
    bytes_more = replace(RECORDS[2], record_id="bytes", size_bytes=RECORDS[2].size_bytes + 7)
    never_exported = replace(RECORDS[2], record_id="never", size_bytes=30_000_128)
    found = copies(in_containerd(*RECORDS, blocks, bytes_more, never_exported, images=images))
    assert set(found) == {"run", "workdir", "blocks"}
    assert found["blocks"].size_bytes == UNPACKED["copied"] + 4096


def test_of_builds_that_wrote_as_many_other_bytes_the_last_one_is_what_the_image_has() -> None:
    # Docker 28.5: a file of as many other random bytes was copied anew, and what stands on it was run once more.
    images = with_blobs(BASE, BUILT)
    copied, run = replace(RECORDS[2], created_s=1.0), replace(RECORDS[3], created_s=2.0)
    again = replace(copied, record_id="copied-again", created_s=3.0)
    run_again = replace(run, record_id="run-again", parents=("copied-again",), created_s=4.0)
    found = copies(in_containerd(*RECORDS[:2], copied, run, again, run_again, RECORDS[4], images=images))
    assert set(found) == {"copied-again", "run-again", "workdir"}


def test_what_is_copied_onto_another_build_of_a_layer_is_the_same() -> None:
    chain = ("base", "run", "copied")
    images = with_blobs(BASE, image(3, 103_210_000, *chain))
    runs = [
        replace(RECORDS[3], record_id=f"run-{number}", parents=("base",), created_s=number) for number in (1.0, 2.0)
    ]
    copied = [
        replace(RECORDS[2], record_id=f"copied-{each.record_id}", parents=(each.record_id,), created_s=each.created_s)
        for each in runs
    ]
    found = copies(in_containerd(RECORDS[0], *runs, *copied, images=images))
    assert set(found) == {"run-2.0", "copied-run-1.0", "copied-run-2.0"}


def test_directories_of_the_builder_may_take_blocks_that_images_have_not() -> None:
    # An install of numpy and pandas by pip on Docker 28.5: 24,576 bytes more of 171 MB.
    layer = Layer(
        chain_id="pip",
        diff_id="pip",
        size_bytes=171_352_064,
        made_by="RUN /bin/sh -c pip install -r requirements.txt # buildkit",
        blob_bytes=47_175_028,
    )
    [base] = with_blobs(BASE)
    installed = replace(base, image_id="sha256:pip", layers=(*base.layers, layer))
    text = "mount / from exec /bin/sh -c pip install -r requirements.txt"
    records = (RECORDS[0], record("pip", 218_551_668, text, "base"))
    found = copies(in_containerd(*records, images=(base, installed)))
    assert (found["pip"].size_bytes, found["pip"].blob_bytes) == (171_376_640, 47_175_028)
    for more_bytes in (-24_576 - 4096, 100, 4_000_000):
        other = (RECORDS[0], record("pip", 218_551_668 + more_bytes, text, "base"))
        assert not copies(in_containerd(*other, images=(base, installed)))


def test_what_a_command_wrote_in_an_earlier_build_has_a_blob_of_its_own_and_copied_files_have_not() -> None:
    earlier = (
        record("earlier copied", 40_007_068, "[stage-1 2/6] COPY --from=one /s /s", "base"),
        record("earlier run", 60_094_856, RUN, "earlier copied"),
        record("earlier workdir", 8_284, "[stage-1 4/6] WORKDIR /srv", "earlier run"),
    )
    found = copies(in_containerd(*earlier, *RECORDS, images=with_blobs(BASE, BUILT)))
    assert set(found) == {"copied", "run", "workdir", "earlier workdir"}


def test_of_two_images_each_record_is_a_copy_of_the_layer_in_its_own_chain() -> None:
    other = {"copied 2": "copied", "run 2": "run"}
    layers = tuple(
        replace(layer, chain_id=one) for one, of in other.items() for layer in BUILT.layers if layer.chain_id == of
    )
    second = replace(image(3, 103_210_000), layers=(BASE.layers[0], *layers))
    records = (
        record("copied 2", RECORDS[2].size_bytes, RECORDS[2].description, "base"),
        record("run 2", RECORDS[3].size_bytes, RUN, "copied 2"),
    )
    copied = replace(RECORDS[2], size_bytes=RECORDS[2].size_bytes + 1)
    images = list(with_blobs(BASE, BUILT, second))
    images[1] = replace(
        images[1],
        layers=tuple(replace(one, blob_bytes=one.blob_bytes + (one.chain_id == "copied")) for one in images[1].layers),
    )
    images[2] = replace(
        images[2],
        layers=tuple(
            replace(one, blob_bytes={"copied 2": 20_002_197, "run 2": 15_071_624}.get(one.chain_id, 0))
            for one in images[2].layers
        ),
    )
    found = copies(in_containerd(RECORDS[0], copied, RECORDS[3], *records, images=tuple(images)))
    assert {name: each.chain_id for name, each in found.items()} == {
        "copied": "copied",
        "run": "run",
        **{one: one for one in other},
    }
