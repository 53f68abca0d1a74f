"""Expected bytes on steps, and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.builders import instruction, start_first

from tonnage.decide.deploy.expectations import freed, reserve_bytes, why_not_fit, with_expectations
from tonnage.errors import UsageError
from tonnage.model.deploy.expected_build import ExpectedBuild
from tonnage.model.deploy.plan import Build, Push, Step
from tonnage.model.deploy.run import History
from tonnage.model.forecast.estimate import NOTHING, UNKNOWN, Estimate, Grade, exactly
from tonnage.model.forecast.learned import LearnedStep
from tonnage.model.inventory import Filesystem
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from tonnage.model.deploy.expected_build import ExpectedInstruction


def step(name: str, kept: Estimate, transient: Estimate = NOTHING, key: str = "") -> Step:
    return Step(
        name=name, action=Push(reference="x"), cause="c", changes="d", kept=kept, transient=transient, learn_key=key
    )


def learned(kept: int, transient: int) -> LearnedStep:
    def graded(count: int) -> Estimate:
        return Estimate(count - 7, count, count + 11, Grade.LEARNED)

    return LearnedStep(kept=graded(kept), transient=graded(transient), seconds=3.0, runs=2)


def test_available_falls_by_what_is_kept_and_lowest_by_the_transient_too() -> None:
    first, second = with_expectations(
        [step("a", exactly(101), exactly(53)), step("b", exactly(-31))], available_bytes=1009, history=History()
    )
    assert (first.available_after, first.available_lowest) == (exactly(908), exactly(855))
    assert (second.available_after, second.available_lowest) == (exactly(939), exactly(908))


def test_what_was_learned_stands_in_for_what_is_unknown() -> None:
    (only,) = with_expectations(
        [step("a", UNKNOWN, UNKNOWN, key="k")], available_bytes=1009, history=History(learned={"k": learned(101, 53)})
    )
    assert only.available_after == Estimate(1009 - 112, 1009 - 101, 1009 - 94, Grade.LEARNED)
    assert only.available_lowest == Estimate(1009 - 112 - 64, 1009 - 101 - 53, 1009 - 94 - 46, Grade.LEARNED)


def builds_of(*instructions: ExpectedInstruction) -> dict[str, ExpectedBuild]:
    bound = Estimate(0, 500, 500, Grade.UNKNOWN)
    return {"web": ExpectedBuild(kept=bound, transient=NOTHING, instructions=instructions)}


def expected(text: str, disk: Estimate) -> ExpectedInstruction:
    return replace(instruction("made:1"), text=text, disk=disk)


BUILD = Step(
    name="web.build",
    action=Build(spec=BuildSpec(context="."), reference="x", labels=()),
    cause="c",
    changes="d",
    service="web",
    kept=UNKNOWN,
    transient=UNKNOWN,
    learn_key="k",
)
MAKES = expected("RUN make", Estimate(0, 500_000_000, 500_000_000, Grade.UNKNOWN))


@pytest.mark.parametrize(
    ("ran", "new", "counts"),
    [
        pytest.param({"RUN make"}, MAKES, True, id="the same was carried out"),
        pytest.param(None, MAKES, True, id="it was not written down what was"),
        pytest.param(set(), MAKES, False, id="the builder had everything already"),
        pytest.param({"RUN true"}, MAKES, False, id="another one was"),
        pytest.param({"RUN true"}, expected("RUN make", exactly(3_000_000)), False, id="another one that weighs"),
        pytest.param({"RUN true"}, expected("RUN make", UNKNOWN), False, id="another one of which nothing is known"),
        pytest.param({"RUN true"}, expected("COPY a .", exactly(9_000)), True, id="another one that weighs nothing"),
    ],
)
def test_a_build_with_new_instructions_is_not_what_earlier_builds_were(
    ran: set[str] | None, new: ExpectedInstruction, *, counts: bool
) -> None:
    known = replace(learned(101, 53), ran=None if ran is None else frozenset(ran))
    (only,) = with_expectations(
        [BUILD], available_bytes=10**9, history=History(learned={"k": known}), builds=builds_of(new)
    )
    assert only.kept == (known.kept if counts else builds_of(new)["web"].kept)


@pytest.mark.parametrize(
    ("on_top", "counts"),
    [
        pytest.param(Estimate(0, 32_768, 1_000_000, Grade.DECLARED), True, id="what any builder needs"),
        pytest.param(
            Estimate(9_000_011, 9_032_779, 10_000_011, Grade.DECLARED, ((Grade.EXACT, 9_000_011),)), True, id="and more"
        ),
        pytest.param(Estimate(0, 9_000_011, 9_000_011, Grade.DECLARED), False, id="what nobody counted"),
    ],
)
def test_a_build_that_was_counted_is_not_what_earlier_builds_were(on_top: Estimate, *, counts: bool) -> None:
    build = ExpectedBuild(kept=exactly(61_000_001), transient=on_top, instructions=())
    (only,) = with_expectations(
        [BUILD], available_bytes=10**9, history=History(learned={"k": learned(101, 53)}), builds={"web": build}
    )
    assert only.kept == (build.kept if counts else learned(101, 53).kept)


def test_a_container_that_starts_never_frees_what_another_program_freed_meanwhile() -> None:
    start = replace(BUILD, action=start_first({}, "c"))
    (only,) = with_expectations([start], available_bytes=10**9, history=History(learned={"k": learned(-101, 53)}))
    assert (only.kept.low_bytes, only.kept.likely_bytes, only.kept.high_bytes) == (0, 0, 0)


def test_after_an_unknown_step_nothing_is_known() -> None:
    steps = with_expectations(
        [step("a", UNKNOWN, UNKNOWN), step("b", exactly(3))], available_bytes=1009, history=History()
    )
    assert [each.available_after.known for each in steps] == [False, False]


def test_freed_bytes_are_declared_and_allow_for_blocks() -> None:
    assert freed(1000) == Estimate(-1070, -1000, -1000, Grade.DECLARED)


def refusal(steps: list[Step], available: int, line: int) -> str:
    done = with_expectations(steps, available_bytes=available, history=History())
    refused = why_not_fit(done, available_bytes=available, reserve_bytes=line, filesystem="/var/lib")
    return f"{refused.what} {refused.why}" if refused else ""


def test_a_plan_that_begins_below_the_line_is_refused_with_what_is_missing() -> None:
    assert "/var/lib is already below the reserve" in refusal([step("a", UNKNOWN)], 907, 1009)
    assert "102 B are missing" in refusal([step("a", UNKNOWN)], 907, 1009)


def test_a_plan_without_steps_is_never_refused() -> None:
    assert refusal([], 0, 1009) == ""


def test_a_step_that_crosses_the_line_at_best_is_refused_by_name() -> None:
    text = refusal([step("web.build", exactly(101), exactly(53))], 1009, 900)
    assert "web.build cannot fit" in text
    assert "45 B are missing" in text


def test_a_refused_step_that_is_of_no_service_is_told_in_words() -> None:
    shared = replace(step("share.6a12f0", exactly(101), exactly(53)), cause="api, worker have 12 wheels in common")
    assert "share.6a12f0 is there because api, worker have 12 wheels in common. " in refusal([shared], 1009, 900)
    of_a_service = replace(step("web.build", exactly(101), exactly(53)), service="web")
    assert "is there because" not in refusal([of_a_service], 1009, 900)


def test_a_step_that_only_might_cross_the_line_is_let_through() -> None:
    assert refusal([step("web.build", Estimate(1, 900, 1000, Grade.LEARNED))], 1009, 900) == ""
    assert refusal([step("web.build", UNKNOWN, UNKNOWN)], 1009, 900) == ""


def disk(size_bytes: int) -> Filesystem:
    return Filesystem(mount="/data", roles=("data-root",), size_bytes=size_bytes, available_bytes=size_bytes // 3)


def test_the_default_is_five_percent_of_the_filesystem() -> None:
    assert reserve_bytes(disk(40_000_000_043), None) == 2_000_000_002


def test_the_default_is_never_less_than_one_gigabyte() -> None:
    assert reserve_bytes(disk(14_000_000_029), None) == 1_000_000_000


def test_the_default_is_never_more_than_ten_gigabytes() -> None:
    assert reserve_bytes(disk(4_000_000_000_039), None) == 10_000_000_000


def test_the_default_depends_on_the_size_and_not_on_what_is_available() -> None:
    full = Filesystem(mount="/data", roles=("data-root",), size_bytes=40_000_000_043, available_bytes=0)

    assert reserve_bytes(full, None) == 2_000_000_002


def test_what_the_user_says_wins_over_the_least_and_the_most() -> None:
    assert reserve_bytes(disk(14_000_000_029), 100_000_007) == 100_000_007
    assert reserve_bytes(disk(4_000_000_000_039), 700_000_000_001) == 700_000_000_001


def test_the_user_may_have_no_line_at_all() -> None:
    assert reserve_bytes(disk(14_000_000_029), 0) == 0


def test_a_line_as_large_as_the_filesystem_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match=r"keep-free is 14\.0 GB, but all of /data is only 14\.0 GB"):
        reserve_bytes(disk(14_000_000_029), 14_000_000_029)


def test_a_line_one_byte_below_the_filesystem_is_accepted() -> None:
    assert reserve_bytes(disk(14_000_000_029), 14_000_000_028) == 14_000_000_028


def test_a_negative_line_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="which is negative"):
        reserve_bytes(disk(14_000_000_029), -1)
