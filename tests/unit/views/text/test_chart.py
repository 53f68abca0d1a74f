"""The bytes of a plan as a chart: one bar for each step that moves something, and the reserve as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.views.samples import PLAN

from tonnage.decide.deploy.verdict import with_need
from tonnage.model.forecast.estimate import Estimate, Grade
from tonnage.views.text.chart import chart_lines
from tonnage.views.text.plan import plan_text

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan, Step

GB = 10**9


def step(name: str, kept: int, transient: int, before: int) -> Step:
    """Return a step with megabytes; at most it takes a tenth more."""

    def at_most(count: int) -> Estimate:
        return Estimate(count * 10**6, count * 10**6, max(count, count * 11 // 10) * 10**6, Grade.DECLARED)

    def left(taken: int) -> Estimate:
        high = max(taken, taken * 11 // 10)
        return Estimate(9 * GB - high * 10**6, 9 * GB - taken * 10**6, 9 * GB - taken * 10**6, Grade.DECLARED)

    return replace(
        PLAN.steps[0],
        name=name,
        kept=at_most(kept),
        transient=at_most(transient),
        available_lowest=left(before + max(0, kept) + transient),
        available_after=left(before + kept),
    )


def planned(*steps: Step) -> Plan:
    return with_need(replace(PLAN, available_bytes=9 * GB, reserve_bytes=GB, steps=steps))


THREE = planned(
    step("one.build", 3000, 2000, 0),
    step("one.prove", 0, 0, 3000),
    step("one.clean", -1000, 0, 3000),
    step("two.build", 2000, 500, 2000),
)


def test_each_step_that_moves_something_has_a_bar_up_to_the_line() -> None:
    assert chart_lines(THREE, width=60, ascii_only=True) == [
        "  bytes taken, step by step: likely #, at most .; the reserve begins at |",
        "  one.build      5.00 GB ####################..          |",
        "  one.clean      2.00 GB ########.                       |",
        "  two.build      4.50 GB ##################..            |",
    ]


def test_what_crosses_the_reserve_goes_past_the_line() -> None:
    lines = chart_lines(planned(step("one.build", 3000, 2000, 0), step("two.build", 5000, 3000, 3000)), width=60)
    assert "█┃█" in lines[2]
    assert "┃" in lines[1]
    assert all(len(line) <= 60 for line in lines[1:])


def test_there_is_no_chart_of_what_is_not_known_or_does_not_move_or_has_no_room() -> None:
    assert chart_lines(PLAN, width=80) == []
    assert chart_lines(planned(step("one.build", 3000, 2000, 0)), width=80) == []
    assert chart_lines(THREE, width=30) == []


def test_of_many_steps_those_that_need_most_are_drawn_in_their_order() -> None:
    many = planned(*(step(f"s{number}.build", 100 + number, 500 * (number % 2), 0) for number in range(40)))
    lines = chart_lines(many, width=80)[1:]
    assert len(lines) == 12
    assert [line.split(".")[0].strip() for line in lines] == sorted(
        (line.split(".")[0].strip() for line in lines), key=lambda name: int(name[1:])
    )


def test_a_plan_for_people_has_the_chart_and_its_stable_form_has_not() -> None:
    assert "bytes taken, step by step" in plan_text(THREE, width=80)
    assert "bytes taken" not in plan_text(THREE)
