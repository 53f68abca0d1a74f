"""The comment on a pull request: how the forecast size of every service differs from the base branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes
from tonnage.views.ci.job_summary import BROKEN, MOST_BROKEN, broken_line, figure
from tonnage.views.ci.markdown import COMMENT_CHARACTERS, LongTable, document, literal

if TYPE_CHECKING:
    from tonnage.model.reports.ci_job import Figures, ForecastOfService, JobForecast

_LONGEST_NAME = 100
_HEAD = ("service", "image, base", "image, here", "change", "disk, change")


def marker(stack: str) -> str:
    """Return what a comment of ours begins with, by which it is found again."""
    name = "".join(letter if letter.isalnum() or letter in "_." else "-" for letter in stack[:_LONGEST_NAME])
    return f"<!-- tonnage: sizes of {name} -->"


def size_comment(here: JobForecast, base: JobForecast | None) -> str:
    """Write the comment.

    Args:
        base: The forecast of the base branch; None when it has none.
    """
    above = [marker(here.stack.name), f"### Forecast sizes of {literal(here.stack.name)}"]
    if base is None:
        above.append("There is no forecast of the base branch to compare with.")
    above += [broken_line(each) for each in here.broken[:MOST_BROKEN]]
    now = {each.service: each for each in here.services}
    earlier = {each.service: each for each in base.services} if base is not None else {}
    names = dict.fromkeys((*now, *earlier))
    rows = (_row(name, earlier.get(name), now.get(name), "new" if base is not None else "") for name in names)
    whole = []
    if base is not None:
        rest = " (without what cannot be built)" if here.broken else ""
        whole.append(
            (
                f"**stack**{rest}",
                figure(base.stack.image_bytes),
                figure(here.stack.image_bytes),
                "unknown" if here.broken else _change(base.stack.image_bytes, here.stack.image_bytes),
                "unknown" if here.broken else _change(base.stack.disk_bytes, here.stack.disk_bytes),
            )
        )
    services = LongTable(head=_HEAD, rows=rows, count=len(names), last=whole, things="services")
    below = [f"Peak of the stack, one service after the other: {figure(here.peak)}. Forecast from metadata."]
    return document(above, services, below, characters=COMMENT_CHARACTERS)


def _row(
    name: str, before: ForecastOfService | None, now: ForecastOfService | None, new: str
) -> tuple[str, str, str, str, str]:
    if now is not None and now.broken:
        return literal(name), "" if before is None else figure(before.image_bytes), BROKEN, BROKEN, BROKEN
    shown, was, is_now = (literal(name), *("" if each is None else figure(each.image_bytes) for each in (before, now)))
    if before is None or now is None:
        told = new if before is None else "gone"
        return shown, was, is_now, told, told
    changes = _change(before.image_bytes, now.image_bytes), _change(before.disk_bytes, now.disk_bytes)
    return shown, was, is_now, *changes


def _change(before: Figures, now: Figures) -> str:
    if before.likely is None or now.likely is None:
        return "unknown"
    change_bytes = now.likely - before.likely
    return f"{'+' if change_bytes > 0 else ''}{format_bytes(change_bytes)}" if change_bytes else "none"
