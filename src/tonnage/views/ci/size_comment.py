"""The comment on a pull request: how the forecast size of every service differs from the base branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes
from tonnage.views.ci.job_summary import figure, literal, table

if TYPE_CHECKING:
    from tonnage.model.reports.ci_job import Figures, JobForecast

_HEAD = ("service", "image, base", "image, here", "change", "disk, change")


def marker(stack: str) -> str:
    """Return what a comment of ours begins with, by which it is found again."""
    name = "".join(letter if letter.isalnum() or letter in "_." else "-" for letter in stack)
    return f"<!-- tonnage: sizes of {name} -->"


def size_comment(here: JobForecast, base: JobForecast | None) -> str:
    """Write the comment.

    Args:
        base: The forecast of the base branch; None when it has none.
    """
    parts = [marker(here.stack.name), f"### Forecast sizes of {literal(here.stack.name)}"]
    if base is None:
        parts.append("There is no forecast of the base branch to compare with.")
    earlier = {each.service: each for each in base.services} if base is not None else {}
    rows = []
    for each in here.services:
        before = earlier.pop(each.service, None)
        if before is None:
            told = "new" if base is not None else ""
            rows.append((literal(each.service), "", figure(each.image_bytes), told, told))
            continue
        rows.append(
            (
                literal(each.service),
                figure(before.image_bytes),
                figure(each.image_bytes),
                _change(before.image_bytes, each.image_bytes),
                _change(before.disk_bytes, each.disk_bytes),
            )
        )
    rows += [(literal(name), figure(gone.image_bytes), "", "gone", "gone") for name, gone in earlier.items()]
    if base is not None:
        rows.append(
            (
                "**stack**",
                figure(base.stack.image_bytes),
                figure(here.stack.image_bytes),
                _change(base.stack.image_bytes, here.stack.image_bytes),
                _change(base.stack.disk_bytes, here.stack.disk_bytes),
            )
        )
    parts += [
        table(_HEAD, rows),
        f"Peak of the stack, one service after the other: {figure(here.peak)}. Forecast from metadata.",
    ]
    return "\n\n".join(parts) + "\n"


def _change(before: Figures, now: Figures) -> str:
    if before.likely is None or now.likely is None:
        return "unknown"
    change_bytes = now.likely - before.likely
    return f"{'+' if change_bytes > 0 else ''}{format_bytes(change_bytes)}" if change_bytes else "none"
