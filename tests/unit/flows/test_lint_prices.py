"""What a change saves at the worst moment, and what a change of the sources writes, from two forecasts."""

from __future__ import annotations

from tonnage.flows.lint.prices import ChangedText, change_price, lower_peak
from tonnage.model.forecast.estimate import NOTHING, Grade, InstructionForecast, ServiceForecast, assumed, exactly
from tonnage.model.reports.lint import LintedFile, LintedKind
from tonnage.model.stack import Service


def forecast(*steps: tuple[int, int, int]) -> ServiceForecast:
    """Return the forecast of a service: for each step its line, what it keeps, and what it needs besides."""
    made = tuple(
        InstructionForecast(stage="0", line=line, text="RUN x", disk=exactly(kept), transient=exactly(needed))
        for line, kept, needed in steps
    )
    kept = sum(each.disk.likely_bytes for each in made)
    needed = max(each.transient.likely_bytes for each in made)
    return ServiceForecast(service="web", steps=made, disk=exactly(kept), transient=exactly(needed))


def test_the_peak_is_lower_by_what_the_worst_moment_needs_less() -> None:
    saving = lower_peak([forecast((1, 7, 90), (3, 5_000, 2_853))], [forecast((1, 7, 90), (3, 5_000, 12))])
    assert saving is not None
    assert (saving.likely_bytes, saving.grade) == (2_763, Grade.EXACT)


def test_what_no_install_needs_is_not_told_of_it_and_makes_it_no_less_certain() -> None:
    base = InstructionForecast(stage="0", line=1, text="FROM a", disk=NOTHING, transient=assumed(500))
    before, after = forecast((3, 5_000, 2_853)), forecast((3, 5_000, 12))
    before = ServiceForecast(
        service="web", steps=(base, *before.steps), disk=before.disk, transient=before.transient + assumed(500)
    )
    after = ServiceForecast(
        service="web", steps=(base, *after.steps), disk=after.disk, transient=after.transient + assumed(500)
    )
    saving = lower_peak([before], [after])
    assert saving is not None
    assert saving.grade is Grade.EXACT


def test_a_change_writes_everything_from_its_line_on() -> None:
    file = LintedFile(path="/s/Dockerfile", shown="Dockerfile", kind=LintedKind.DOCKERFILE)
    change = [ChangedText(file=file, text="", services=(Service(name="web", image="web"),))]
    before, after = forecast((3, 10, 0), (4, 5_001, 0)), forecast((3, 4_990, 0), (4, 10, 0), (5, 31, 0))
    price = change_price([before], [after], (3, 4), change)
    assert price is not None
    assert (price.now.likely_bytes, price.then.likely_bytes) == (5_011, 41)
