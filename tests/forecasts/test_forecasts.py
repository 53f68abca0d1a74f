"""Whole forecasts as text. TONNAGE_UPDATE_GOLDENS=1 writes them anew; read the difference before you commit it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.forecasts.stacks import facts_of, forecast_of

from tonnage.model.forecast.estimate import EngineKind
from tonnage.views.text.forecast import explain_text, forecast_text

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate, InstructionForecast, ServiceForecast
    from tonnage.model.forecast.stack_forecast import StackForecast

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/facts.json"))
IDS = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_forecast_reads_as_it_did(case: Path, tmp_path: Path) -> None:
    whole, fittings = forecast_of(case, tmp_path)
    # Nothing is folded: how long the path of this directory is must not count.
    parts = [forecast_text(whole, fittings, width=0)]
    explained = facts_of(case).explain
    parts += [explain_text(each, width=0) for each in whole.services if each.service in explained]
    text = "\n\n".join(parts).replace(str(case), "CASE") + "\n"
    golden = case / "forecast.txt"
    if os.environ.get("TONNAGE_UPDATE_GOLDENS"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("case", CASES, ids=IDS)
@pytest.mark.parametrize("engine", list(EngineKind))
def test_every_figure_is_in_order_and_a_peak_is_not_below_what_stays(
    case: Path, engine: EngineKind, tmp_path: Path
) -> None:
    whole, _ = forecast_of(case, tmp_path, engine=engine.value)

    for each in figures(whole):
        assert each.low_bytes <= each.likely_bytes <= each.high_bytes
    for disk in whole.filesystems:
        for kept, one, every in zip(*map(three, (disk.kept, disk.one_after_the_other, disk.all_at_once)), strict=True):
            assert kept <= one <= every


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_stack_keeps_no_more_than_its_services_alone_and_no_less_than_the_largest(case: Path, tmp_path: Path) -> None:
    whole, _ = forecast_of(case, tmp_path)

    for figure in range(3):
        alone = [three(service.disk)[figure] for service in whole.services]
        assert max(alone) <= three(whole.disk)[figure] <= sum(alone)
        images = [three(service.image)[figure] for service in whole.services]
        assert max(images) <= three(whole.image)[figure] <= sum(images)


def figures(whole: StackForecast) -> list[Estimate]:
    services: list[StackForecast | ServiceForecast | InstructionForecast] = [whole, *whole.services]
    services += [step for service in whole.services for step in service.steps]
    found = [each for one in services for each in (one.image, one.disk, one.transient, one.download)]
    return [*found, *(piece.disk for s in whole.services for step in s.steps for piece in step.contributors)]


def three(estimate: Estimate) -> tuple[int, int, int]:
    return (estimate.low_bytes, estimate.likely_bytes, estimate.high_bytes)
