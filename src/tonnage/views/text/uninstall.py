"""What is ours and goes or stays, as text and as the documented form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.units import format_bytes
from tonnage.views.text.layout import columns, fits, folded, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.reports.traces import Trace, TraceKind, TraceOutcome, TraceReport

_LAST = "Then remove the program as it was installed, such as\n  pipx uninstall tonnage"
_SERVICES = "Running services and their volumes are not changed: Compose manages them."


def traces_text(report: TraceReport, *, width: int = 0) -> str:
    """Write what goes and what stays; ``width`` is that of the terminal, in characters, 0 for no limit."""
    goes, stays = report.removable, [each for each in report.traces if each.stays]
    where = f"on the engine at {report.endpoint} and on this machine" if report.endpoint else "on this machine"
    lines = [*folded([f"what Tonnage made {where}:"], width), *_rows(goes, width)]
    if not goes:
        lines = folded([f"Tonnage made nothing that is left {where}"], width)
    if report.freeable_bytes:
        lines += ["", f"the images give back about {format_bytes(report.freeable_bytes)}"]
    if stays:
        lines += ["", "kept:", *columns([(each.kind, each.name, each.stays) for each in stays], indent="  ")]
    ending = [line for said in (_SERVICES, *report.notes) for line in folded([said], width)]
    return joined([*lines, "", *ending])


def _rows(traces: Sequence[Trace], width: int) -> list[str]:
    """Return a line for each, or where these are too long two: what it is, and what is lost with it."""
    whole = columns([_row(each) for each in traces], right=(1,), indent="  ")
    if not width or fits(whole, width):
        return whole
    heads = columns([_row(each)[:3] for each in traces], right=(1,), indent="  ")
    return [
        line
        for head, each in zip(heads, traces, strict=True)
        for line in (head, *(folded([each.about], width, indent="      ") if each.about else ()))
    ]


def outcome_text(outcome: TraceOutcome) -> str:
    """Write what came of one removal, in one line."""
    named = f"{outcome.trace.kind} {outcome.trace.name}"
    return visible_in_line(f"kept     {named}: {outcome.error}" if outcome.error else f"removed  {named}")


def what_now_text(report: TraceReport) -> str:
    """Say what is still to be done."""
    if report.outcomes is None:
        return "nothing was removed; add --yes to remove what is shown" if report.removable else _LAST
    return _LAST


def uninstall_form(report: TraceReport) -> dict[str, object]:
    """Return what goes and what stays as a JSON-able mapping."""
    errors = {(each.trace.kind, each.trace.name): each.error for each in report.outcomes or ()}
    return {
        "endpoint": report.endpoint or None,
        "done": report.outcomes is not None,
        "freeable_bytes": report.freeable_bytes,
        "traces": [_form(each, errors, done=report.outcomes is not None) for each in report.traces],
        "notes": list(report.notes),
    }


def _row(trace: Trace) -> tuple[str, ...]:
    size = "" if trace.size_bytes is None else format_bytes(trace.size_bytes)
    return trace.kind, size, trace.name, trace.about


def _form(trace: Trace, errors: Mapping[tuple[TraceKind, str], str], *, done: bool) -> dict[str, object]:
    error = errors.get((trace.kind, trace.name), "")
    state = "stays" if trace.stays else "failed" if error else "removed" if done else "shown"
    return {
        "kind": str(trace.kind),
        "name": trace.name,
        "about": trace.about,
        "size_bytes": trace.size_bytes,
        "state": state,
        "reason": trace.stays or error,
    }
