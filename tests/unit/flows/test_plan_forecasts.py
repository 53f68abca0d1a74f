"""What a plan tells of forecasts that nobody can vouch for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.cli.simulated_ports import make_world

from tonnage.flows.plan_files import read_plan_file
from tonnage.flows.plan_forecasts import assumed_too_large
from tonnage.model.forecast.estimate import Estimate, Grade, InstructionForecast, ServiceForecast, exactly

if TYPE_CHECKING:
    from pathlib import Path

ASSUMED = Estimate(0, 1_920_000_017, 2_400_000_011, Grade.UNKNOWN)


def test_a_plan_that_may_not_fit_names_the_instruction_that_most_is_assumed_of(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    assert make_world(tmp_path).run("plan", "--out", str(file)) == 0
    plan = read_plan_file(str(file)).plan
    known = InstructionForecast(stage="0", line=2, text="RUN known", disk=exactly(9_000_000_019))
    unknown = InstructionForecast(stage="0", line=3, text="RUN ./unknown", disk=ASSUMED)
    forecasts = [ServiceForecast(service="web", steps=(known, unknown))]
    assert assumed_too_large(plan, forecasts) == ()

    low = Estimate(-7, plan.reserve_bytes - 1, plan.available_bytes, Grade.UNKNOWN)
    doubtful = replace(plan, steps=(replace(plan.steps[0], available_lowest=low), *plan.steps[1:]))
    [told] = assumed_too_large(doubtful, forecasts)
    assert "1.92 GB are assumed for web, line 3: RUN ./unknown. If it writes less" in told
    assert assumed_too_large(doubtful, [replace(forecasts[0], steps=(known,))]) == ()
