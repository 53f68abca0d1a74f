from __future__ import annotations

import pytest

from tonnage.model.deploy.plan import ExpectedInstruction
from tonnage.model.forecast.estimate import NOTHING
from tonnage.runtime.deploy.instruction_meter import InstructionMeter, instruction_text


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
