"""Services pin different versions of a heavy package, and so cannot share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.rule import StackFinding, StackRule
from tonnage.model.forecast.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.lint.rule import LintedService

NAME = "different-versions"
HEAVY = frozenset(
    {
        "torch", "torchvision", "torchaudio", "tensorflow", "jax", "jaxlib", "numpy", "scipy", "pandas", "pyarrow",
        "scikit-learn", "transformers", "onnxruntime", "onnxruntime-gpu", "opencv-python", "opencv-python-headless",
        "xgboost", "lightgbm", "spacy", "polars", "numba", "llvmlite", "vllm",
    }
)  # fmt: skip
"""Packages of which one copy more is worth a word."""


def _check(services: Sequence[LintedService]) -> Iterator[StackFinding]:
    for name in sorted(HEAVY):
        pinned = [(each, *each.pins[name]) for each in services if name in each.pins]
        versions = dict.fromkeys(version for _, version, _ in pinned)
        if len(versions) < 2:  # noqa: PLR2004 - one is the same everywhere
            continue
        first, usual, _ = pinned[0]
        told = set()
        for service, version, place in pinned[1:]:
            if version == usual or place in told:
                continue
            told.add(place)
            finding = Finding(
                rule=NAME,
                place=place,
                text=f"{service.name} has {name} {version}, and {first.name} has {usual}",
                why="Each version is stored separately, with its own dependencies.",
                todo="If both run with one of them, pin the same. What that saves:\n  tonnage plan --explain-sharing",
                services=(service.name,),
            )
            yield StackFinding(finding=finding, services=(first.name, service.name))


RULE = StackRule(
    name=NAME,
    title="services pin different versions of a heavy package",
    why="Wheels that services have in common are stored once, as long as they are the same version. `torch==2.3.1` here"
    " and `torch==2.3.0` there are two times 5 GB. `tonnage plan --explain-sharing` forecasts what an agreement"
    " saves. Only exact pins in requirement files are compared.",
    before="# web/requirements.txt: torch==2.3.1\n# worker/requirements.txt: torch==2.3.0",
    after="# web/requirements.txt: torch==2.3.1\n# worker/requirements.txt: torch==2.3.1",
    check=_check,
)
