"""Samples as text: Prometheus' format, and OpenMetrics. Every sample is a gauge: what is there now.

Source: Prometheus, exposition formats, text format 0.0.4; OpenMetrics 1.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.escapes import visible_in_line

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Sample(Struct, frozen=True):
    """One value, and what it is about.

    Args:
        labels: Names and values.
    """

    value: float
    labels: tuple[tuple[str, str], ...] = ()


class Family(Struct, frozen=True):
    """All samples of one name.

    Args:
        about: What it is, in one sentence.
    """

    name: str
    about: str
    samples: tuple[Sample, ...]


def exposition(families: Sequence[Family], *, openmetrics: bool = False) -> str:
    """Write families that have samples.

    Args:
        openmetrics: As OpenMetrics, which says where it ends.
    """
    lines = []
    for family in families:
        if family.samples:
            lines += [f"# HELP {family.name} {_escaped(family.about)}", f"# TYPE {family.name} gauge"]
            lines += [f"{family.name}{_labels(each)} {_number(each.value)}" for each in family.samples]
    return "\n".join((*lines, *(("# EOF",) if openmetrics else ()), ""))


def _labels(sample: Sample) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels)
    return f"{{{told}}}" if told else ""


def _escaped(text: str) -> str:
    return visible_in_line(text).replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(round(value, 3))
