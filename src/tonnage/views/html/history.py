"""What services were over the runs that the journal knows, and what was reclaimed. All figures were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.deploy.run import Outcome
from tonnage.units import format_bytes, format_moment, format_seconds
from tonnage.views.html.elements import cut, element, folded, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from xml.etree.ElementTree import Element

    from tonnage.model.deploy.run import Run, StepOutcome

_HIGH = 84
_FREEING = frozenset({"reclaim", "clean-cache", "remove-image"})


class _Visit(Struct, frozen=True, kw_only=True):
    """One service in one run."""

    run: Run
    outcome: Outcome
    kept_bytes: int
    needed_bytes: int
    seconds: float


def history(runs: Sequence[Run], *, most: int) -> list[Element]:
    """Draw what each service kept in each run, with the same as a table.

    Args:
        runs: The latest last.
        most: How many services, those of the last runs first.
    """
    newest = {step.service: run.run_id for run in runs for step in run.steps if step.service}
    if not newest:
        return []
    chosen = frozenset(sorted(newest, key=lambda service: (-newest[service], service))[:most])
    shown = _visits(runs, chosen).items()
    cards = [_card(service, found) for service, found in sorted(shown)]
    left = len(newest) - len(shown)
    note = element("p", f"{left} more services are left out.", class_="note") if left else None
    rows = [
        (
            f"{cut(service, 60)}, run {each.run.run_id}",
            format_moment(each.run.started_s),
            str(each.outcome),
            format_bytes(each.kept_bytes),
            format_bytes(each.needed_bytes),
            format_seconds(each.seconds),
        )
        for service, found in sorted(shown)
        for each in reversed(found)
    ]
    heads = ("service and run", "started", "result", "kept", "temporary", "duration")
    listed = table("Each service in each run, the latest first", heads, list(rows), figures=(3, 4, 5))
    made: list[Element | None] = [element("div", *cards, class_="history"), note, folded("Show as a table", listed)]
    return [each for each in made if each is not None]


def reclaimed(runs: Sequence[Run], *, most: int) -> list[Element]:
    """List what came free in runs, what gave most first."""
    found = [(run, step) for run in runs for step in run.steps if _freed(step) > 0]
    if not found:
        return []
    found.sort(key=lambda pair: -_freed(pair[1]))
    freed_bytes = sum(_freed(step) for _, step in found)
    rows = [
        (cut(step.name, 120), str(run.run_id), _expected(step), format_bytes(_freed(step)))
        for run, step in found[:most]
    ]
    left = f", the {most} largest of {len(found)}" if len(found) > most else ""
    said = f"{format_bytes(freed_bytes)} were freed in the runs shown here{left}"
    return [table(said, ("what", "run", "forecast", "measured"), list(rows), figures=(1, 2, 3))]


def _visits(runs: Iterable[Run], chosen: frozenset[str]) -> dict[str, list[_Visit]]:
    found: dict[str, list[_Visit]] = {}
    for run in runs:
        steps: dict[str, list[StepOutcome]] = {}
        for step in run.steps:
            if step.service in chosen:
                steps.setdefault(step.service, []).append(step)
        for service, of_service in steps.items():
            failed = [each.outcome for each in of_service if each.outcome is not Outcome.DONE and not each.undo]
            disks = [each.measured[0] for each in of_service if each.measured]
            found.setdefault(service, []).append(
                _Visit(
                    run=run,
                    outcome=failed[0] if failed else Outcome.DONE,
                    kept_bytes=sum(disk.kept_bytes for disk in disks),
                    needed_bytes=max((disk.transient_bytes for disk in disks), default=0),
                    seconds=sum(each.seconds for each in of_service),
                )
            )
    return found


def _card(service: str, visits: Sequence[_Visit]) -> Element:
    most = max(1, *(abs(each.kept_bytes) for each in visits))
    low = min(0, *(each.kept_bytes for each in visits))
    whole = max(0, *(each.kept_bytes for each in visits), 1) - low
    zero = _HIGH - _HIGH * -low / whole
    wide = 100 / max(len(visits), 6)
    last = visits[-1]
    bars = [element("line", x1=0, x2="100%", y1=f"{zero:.0f}", y2=f"{zero:.0f}", class_="zero")]
    for at, each in enumerate(visits):
        high = max(2.0, _HIGH * abs(each.kept_bytes) / whole)
        good = each.outcome is Outcome.DONE
        said = f"run {each.run.run_id}: {format_bytes(each.kept_bytes)}, {each.outcome}, {format_seconds(each.seconds)}"
        bars.append(
            element(
                "rect", element("title", said), x=f"{at * wide:.2f}%", width=f"{wide * 0.8:.2f}%",
                y=f"{zero - high if each.kept_bytes > 0 else zero:.1f}", height=f"{high:.1f}",
                class_="measured" if good else "bad",
            )
        )  # fmt: skip
    said = (
        f"{service}: {len(visits)} run{'s' if len(visits) > 1 else ''}, the last kept"
        f" {format_bytes(last.kept_bytes)} and took {format_seconds(last.seconds)};"
        f" the most in one was {format_bytes(most)}"
    )
    picture = element("svg", *bars, height=_HIGH, role="img", aria_label=said)
    return element("figure", element("strong", cut(service, 60)), picture, element("figcaption", said))


def _freed(step: StepOutcome) -> int:
    if step.kind not in _FREEING or not step.measured or step.measured[0].shared:
        return 0
    return max(0, -step.measured[0].kept_bytes)


def _expected(step: StepOutcome) -> str:
    return "unknown" if step.forecast_kept_bytes is None else format_bytes(-step.forecast_kept_bytes)
