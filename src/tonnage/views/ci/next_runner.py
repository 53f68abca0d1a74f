"""What the next image of a runner would need: a sentence, Markdown for a job's summary, and a JSON-able mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.forecast.estimate import EngineKind
from tonnage.units import format_bytes
from tonnage.views.ci.markdown import SUMMARY_BYTES, LongTable, document, literal, word

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.known_engine import RunnerImage
    from tonnage.model.reports.ci_job import NextRunner

_ONLY_HERE = "A hosted runner begins with none of the images that only this machine has: a base has to be in a registry"
_HEAD = ("service", "peak here, forecast", "peak there, forecast")


def next_runner_sentence(found: NextRunner) -> str:
    """Say what the whole stack would need there."""
    here, there = found.whole.here, found.whole.there
    where = f"on {found.there.label} ({_engine(found.there)})"
    if there is None or not there.known:
        return f"what the stack would need {where} is not known{_why(found)}"
    more = ""
    if here is not None and here.known:
        difference = there.likely_bytes - here.likely_bytes
        more = f", {format_bytes(abs(difference))} {'more' if difference >= 0 else 'less'}"
        more += f" than on {found.here.label} ({_engine(found.here)})"
    short = there.high_bytes - found.runner_bytes
    room = (
        f"the {format_bytes(found.runner_bytes)} of a runner are enough"
        if short <= 0
        else f"up to {format_bytes(short)} would have to be freed on a runner of {format_bytes(found.runner_bytes)}"
    )
    return (
        f"{where} this stack, one service after the other, would need {format_bytes(there.likely_bytes)} at its worst"
        f" moment ({there.grade}){more}: {room}"
    )


def next_runner_text(found: NextRunner) -> str:
    """Write it for a job's summary."""
    sentence = next_runner_sentence(found)
    rows = ((literal(each.name), _figure(each.here), _figure(each.there)) for each in found.services)
    table = LongTable(head=_HEAD, rows=rows, count=len(found.services), things="services")
    above = [
        f"### The next image of this runner: {literal(found.there.label)}",
        f"{sentence[0].upper()}{sentence[1:]}.",
    ]
    below = [f"- {literal(name)} is not known: {literal(why)}" for name, why in found.left_out]
    return document(above, table, ["\n".join(below), _ONLY_HERE] if below else [], octets=SUMMARY_BYTES)


def next_runner_form(found: NextRunner) -> dict[str, object]:
    """Return it as a JSON-able mapping; bytes are null where they are not known."""
    return {
        "runner": found.here.label,
        "engine": found.here.engine.name,
        "next_runner": found.there.label,
        "next_engine": found.there.engine.name,
        "runner_bytes": found.runner_bytes,
        "peak_bytes": _bytes(found.whole.here),
        "next_peak_bytes": _bytes(found.whole.there),
        "services": [
            {"service": each.name, "peak_bytes": _bytes(each.here), "next_peak_bytes": _bytes(each.there)}
            for each in found.services
        ],
    }


def _why(found: NextRunner) -> str:
    """Say of the first service why."""
    if not found.left_out:
        return ""
    (name, why), *more = found.left_out
    others = f" (and {len(more)} further service{'s' if len(more) > 1 else ''})" if more else ""
    return f": {name}{others}: {why}. {_ONLY_HERE}"


def _engine(image: RunnerImage) -> str:
    store = "images in containerd" if image.engine.kind is EngineKind.CONTAINERD else "classic image store"
    return f"{image.engine.name.replace('docker-', 'Docker ')}, {store}"


def _figure(peak: Estimate | None) -> str:
    return "unknown" if peak is None or not peak.known else f"{format_bytes(peak.likely_bytes)} ({word(peak.grade)})"


def _bytes(peak: Estimate | None) -> int | None:
    return peak.likely_bytes if peak is not None and peak.known else None
