"""Which build of PyTorch an index has, and which packages are parts of CUDA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.build_environment import CPU_INDEX
from tonnage.lazily import regex
from tonnage.model.reports.torch import TORCH_FAMILY, PackageChange, TorchBuild, TorchVariant

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL = regex(r"cpu|cu\d{2,3}|rocm\d[\d.]*|xpu")
_CUDA = ("nvidia-", "cuda-")
_TRITON = frozenset({"triton", "pytorch-triton", "pytorch-triton-rocm"})


def label_of(index_url: str) -> str:
    """Return the local version of what an index of PyTorch has, such as ``cu121``; empty for any other index."""
    last = index_url.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2]
    return last if _LABEL.fullmatch(last) else ""


def build_of(variant: TorchVariant, index_url: str = "") -> TorchBuild:
    """Return the build that is meant.

    Args:
        variant: ``cpu`` or ``cuda``.
        index_url: The index that was named; empty for the usual one.
    """
    if variant is TorchVariant.CPU:
        return TorchBuild(label="cpu", index_url=index_url or CPU_INDEX)
    return TorchBuild(label=label_of(index_url), index_url=index_url)


def is_cuda_part(name: str) -> bool:
    """Return whether a package, by its normalised name, comes with PyTorch for CUDA."""
    return name.startswith(_CUDA) or name in _TRITON


def public(version: str) -> str:
    """Return a version without its local part."""
    return version.partition("+")[0]


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[PackageChange, ...]:
    """Return how two resolutions differ, each as versions by normalised name."""
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, ""), after.get(name, "")
        if old == new:
            continue
        same = name in TORCH_FAMILY and public(old) == public(new)
        expected = same or (is_cuda_part(name) and not (old and new))
        found.append(PackageChange(name=name, before=old, after=new, expected=expected))
    return tuple(found)
