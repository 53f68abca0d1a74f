from __future__ import annotations

import pytest
from msgspec import structs

from tonnage.model.deploy.expected_build import ExpectedInstruction
from tonnage.model.deploy.run import MeasuredInstruction
from tonnage.model.forecast.estimate import NOTHING
from tonnage.model.inventory import Image, Layer
from tonnage.runtime.deploy.instruction_meter import InstructionMeter, instruction_text, with_layers


def expected(text: str, stage: str = "0") -> ExpectedInstruction:
    return ExpectedInstruction(
        stage=stage, line=1, text=text, key=f"made:{text}", learn_key="", image=NOTHING, disk=NOTHING, transient=NOTHING
    )


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ("[2/3] RUN make", "RUN make"),
        ("[build 2/3] RUN  make   all (cached)", "RUN make all"),
        ("RUN make", "RUN make"),
        ("[internal] load metadata", "[internal] load metadata"),
    ],
)
def test_the_instruction_is_found_in_what_builders_say(told: str, text: str) -> None:
    assert instruction_text(told) == text


def test_each_instruction_gets_what_the_disk_did_until_the_next_one() -> None:
    meter = InstructionMeter("/data")
    meter.sample({"/data": 9_000_011})
    meter.begin()
    meter.at("[1/2] RUN one")
    for available in (8_000_009, 5_000_011, 7_000_003):
        meter.sample({"/data": available, "/var": 1})
    meter.at("[2/2] RUN two")
    meter.sample({"/data": 6_500_003})

    one, two = meter.end((expected("RUN one"), expected("RUN two")))

    assert (one.kept_bytes, one.transient_bytes) == (9_000_011 - 7_000_003, 7_000_003 - 5_000_011)
    assert (two.kept_bytes, two.transient_bytes) == (500_000, 0)


def test_what_came_from_the_cache_is_told_by_both_builders() -> None:
    meter = InstructionMeter("/data")
    meter.sample({"/data": 9_000_011})
    meter.begin()
    meter.at("[1/2] RUN one (cached)")
    meter.at("[2/2] RUN two")
    meter.at("[2/2] RUN two (cached)")

    assert [each.cached for each in meter.end((expected("RUN one"), expected("RUN two")))] == [True, True]


def test_stages_that_may_run_at_the_same_time_are_not_told_apart() -> None:
    meter = InstructionMeter("/data")
    meter.sample({"/data": 9_000_011})
    meter.begin()
    meter.at("[a 1/1] RUN one")
    meter.sample({"/data": 7_000_003})

    [one, _] = meter.end((expected("RUN one", "a"), expected("RUN two", "b")))

    assert (one.kept_bytes, one.transient_bytes) == (None, None)


def test_an_instruction_that_was_never_named_has_no_figures() -> None:
    meter = InstructionMeter("/data")
    meter.begin()

    [one] = meter.end((expected("RUN one"),))

    assert (one.image_bytes, one.kept_bytes, one.transient_bytes) == (None, None, None)


class OneImage:
    """An engine of one image, whose layer lies there unpacked and compressed."""

    def __init__(self, blob_bytes: int) -> None:
        layer = Layer(chain_id="sha256:1", diff_id="sha256:1", size_bytes=9_001, blob_bytes=blob_bytes)
        self.image = Image(
            image_id="sha256:cafe", references=("shop/web:latest",), layers=(layer,), size_bytes=9_001 + blob_bytes,
            unique_bytes=0, shared_bytes=0,
        )  # fmt: skip

    def images(self) -> tuple[Image, ...]:
        return (self.image,)


@pytest.mark.parametrize("blob_bytes", [0, 2_003])
def test_a_layer_counts_as_the_engine_counts_it_with_what_it_is_unpacked_from(blob_bytes: int) -> None:
    instruction = structs.replace(expected("RUN make"), in_image=True, layers=1)

    [seen], image_id = with_layers([instruction], [MeasuredInstruction()], OneImage(blob_bytes), "shop/web")  # type: ignore[arg-type]

    assert (seen.image_bytes, seen.blob_bytes) == (9_001 + blob_bytes, blob_bytes or None)
    assert image_id == "sha256:cafe"
