"""What ``cache_to`` costs: a directory of this machine keeps the compressed layers, elsewhere they are only sent.

A directory that was exported to before has most of them; what the engine has built already is taken for exported, but
in the high figure. Nothing is ever removed from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.forecast.estimate import (
    BLOB,
    EXPORTED,
    NOTHING,
    Estimate,
    Holding,
    InstructionForecast,
    total,
)
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.sized_effects import CacheExport


def in_time(step: InstructionForecast) -> InstructionForecast:
    """Return an instruction of a build that exports: all that is made of its layers is there before."""
    return replace(step, holdings=tuple(replace(each, late=False) for each in step.holdings))


def export_step(export: CacheExport, steps: Sequence[InstructionForecast]) -> tuple[InstructionForecast | None, str]:
    """Return what an export adds on this machine, None for nothing, and what is to be said of it."""
    blobs = [
        holding
        for step in steps
        for holding in step.holdings
        if holding.key.startswith(BLOB) and (export.whole or any(each.in_image for each in step.holdings))
    ]
    if not export.directory:
        sent = total(each.kept for each in blobs)
        told = f"up to {format_bytes(sent.high_bytes)}" if sent.known else "bytes that are not known"
        return None, f"cache_to {export.text}: {told} are sent, and nothing of them stays here"
    holdings = tuple(
        Holding(
            key=f"exported:{export.directory}:{each.key}",
            role=EXPORTED,
            kept=Estimate(0, 0, each.kept.high_bytes, each.kept.grade) if each.present else each.kept,
        )
        for each in blobs
    )
    return (
        InstructionForecast(
            stage="",
            line=0,
            text=f"export the build cache to {export.directory}",
            disk=total(each.kept for each in holdings) if holdings else NOTHING,
            holdings=holdings,
            key=f"export:{export.directory}:{steps[-1].key}",
            how="the compressed layers",
            role=EXPORTED,
        ),
        "",
    )
