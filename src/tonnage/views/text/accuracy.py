"""How far forecasts were from what was measured: each instruction of a build, then each build as a whole.

Forecast and measured stand in columns of their own. A measured figure above the high forecast is marked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.deploy.run import Outcome
from tonnage.units import format_bytes
from tonnage.views.text.layout import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.run import InstructionOutcome, Run
    from tonnage.model.forecast.estimate import Estimate

_HEADS = ("run", "what", "figure", "forecast", "measured", "error", "")
_SMALL_BYTES = 100_000


class Comparison(Struct, frozen=True):
    """One forecast figure beside the measured one.

    Args:
        what: The instruction, or the step.
        figure: ``image``, ``disk`` or ``on top``.
    """

    run_id: int
    service: str
    what: str
    figure: str
    forecast: Estimate
    measured_bytes: int

    @property
    def error(self) -> float | None:
        """By which share of the measured figure the likely one was too high; None where that says nothing."""
        if not self.forecast.known or self.measured_bytes == 0:
            return None
        return (self.forecast.likely_bytes - self.measured_bytes) / abs(self.measured_bytes)

    @property
    def covered(self) -> bool:
        """Whether the measured figure is not above the high one."""
        return self.forecast.known and self.measured_bytes <= self.forecast.high_bytes


def comparisons(runs: Sequence[Run], instructions: Sequence[InstructionOutcome]) -> tuple[Comparison, ...]:
    """Return every forecast figure with the measured one, builds that the cache answered left out."""
    found: list[Comparison] = []
    for each in instructions:
        if each.cached:
            continue
        for figure, forecast, measured in (
            ("image", each.forecast_image, each.image_bytes),
            ("disk", each.forecast_disk, each.kept_bytes),
            ("on top", each.forecast_transient, each.transient_bytes),
        ):
            if measured is not None and forecast.known and _is_worth(forecast, measured):
                found.append(Comparison(each.run_id, each.service, each.text, figure, forecast, measured))
    for run in runs:
        for step in run.steps:
            if step.kind != "build" or step.outcome is not Outcome.DONE or not step.measured or step.undo:
                continue
            disk = step.measured[0]
            for figure, told, measured in (
                ("disk", step.forecast_kept, disk.kept_bytes),
                ("on top", step.forecast_transient, disk.transient_bytes),
            ):
                if told is not None and told.known:
                    found.append(Comparison(run.run_id, step.service, step.name, figure, told, measured))
    return tuple(found)


def accuracy_text(found: Sequence[Comparison], *, width: int = 80) -> str:
    """Write forecasts beside what was measured."""
    if not found:
        return "nothing was forecast and measured yet"
    rows = [_HEADS, *(_row(each, width) for each in found)]
    lines = columns(rows, right=(0, 3, 4, 5))
    errors = sorted(abs(each.error) for each in found if each.error is not None and each.forecast.grade != "unknown")
    covered = sum(each.covered for each in found)
    if errors:
        lines.append(f"half of the errors of known figures are below {errors[len(errors) // 2]:.1%}")
    lines.append(f"{covered} of {len(found)} measured figures are not above the high forecast")
    return "\n".join(lines)


def accuracy_form(found: Sequence[Comparison]) -> dict[str, object]:
    """Return forecasts beside what was measured."""
    return {
        "figures": [
            {
                "run_id": each.run_id,
                "service": each.service,
                "what": each.what,
                "figure": each.figure,
                "forecast": {
                    "low_bytes": each.forecast.low_bytes,
                    "likely_bytes": each.forecast.likely_bytes,
                    "high_bytes": each.forecast.high_bytes,
                    "grade": str(each.forecast.grade),
                },
                "measured_bytes": each.measured_bytes,
                "error": each.error,
                "covered": each.covered,
            }
            for each in found
        ]
    }


def _is_worth(forecast: Estimate, measured_bytes: int) -> bool:
    return max(forecast.likely_bytes, measured_bytes) >= _SMALL_BYTES


def _row(each: Comparison, width: int) -> tuple[str, ...]:
    room = max(20, width - 60)
    what = each.what if each.what.startswith(f"{each.service}.") else f"{each.service}: {each.what}"
    return (
        str(each.run_id),
        what if len(what) <= room else f"{what[: room - 3]}...",
        each.figure,
        f"{format_bytes(each.forecast.likely_bytes)} {each.forecast.grade}",
        format_bytes(each.measured_bytes),
        "-" if each.error is None else f"{each.error:+.1%}",
        "" if each.covered else "above the high forecast",
    )
