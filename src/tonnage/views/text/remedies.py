"""Remedies as lines: what each saves, what comes of it, and how it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes
from tonnage.views.text.layout import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.fit import Remedy


def remedy_lines(remedies: Sequence[Remedy], width: int) -> list[str]:
    """Return what would make it fit, each with what it saves, what comes of it, and how it is done."""
    sizes = [f"-{format_bytes(each.saves_bytes)}" for each in remedies]
    most = max(map(len, sizes))
    lines = []
    for each, size in zip(remedies, sizes, strict=True):
        ends = f"{format_bytes(each.missing_bytes)} are missing still" if each.missing_bytes else "fits"
        how = ends if each.checked else f"{ends}, as far as the first forecast tells: it could not be forecast again"
        head = f"  {size.rjust(most)}  "
        parts = folded((f"{each.what}: {how}",), width and width - len(head))
        lines += [f"{head if not number else ' ' * len(head)}{line}" for number, line in enumerate(parts)]
        for line in each.todo:
            text = line.lstrip()
            inner = " " * (len(head) + 2 + len(line) - len(text))
            # What is to be copied is never folded.
            lines += [f"{inner}{text}"] if line.startswith(" ") else folded((text,), width, indent=inner)
    return lines
