"""Which build of PyTorch services get, who brought it, and what another one changes."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.reports.lint import LintChange

TORCH_FAMILY = ("torch", "torchvision", "torchaudio")
"""The packages of which every build has a local version, such as ``2.3.1+cpu``."""


class TorchVariant(StrEnum):
    """Which PyTorch is wanted."""

    CPU = "cpu"
    CUDA = "cuda"
    AUTO = "auto"


class TorchBuild(Struct, frozen=True, kw_only=True):
    """One build of PyTorch.

    Args:
        label: The local version of its wheels, such as ``cpu`` or ``cu121``; empty for that of the usual index.
        index_url: The index that has it; empty for the usual one.
    """

    label: str
    index_url: str = ""


class PackageChange(Struct, frozen=True, kw_only=True):
    """A package that another resolution has in another version.

    Args:
        before: Its version; empty where it was not installed.
        after: Its version; empty where it is not installed any more.
        expected: It belongs to the change: a part of CUDA, or another build of the same version of PyTorch.
    """

    name: str
    before: str
    after: str
    expected: bool


class ServiceTorch(Struct, frozen=True, kw_only=True):
    """The PyTorch of one service.

    Args:
        wanted: The variant that it is to have.
        why: Why that one, where nobody named it; else empty.
        version: What it has now; empty where it installs none, or that is not known.
        brought_by: What torch comes along with, nearest first, and at last the file and line; empty where not known.
        cuda: Whether parts for CUDA come with it.
        cuda_bytes: What these parts weigh on the disk.
        line: The one line that makes the difference, and where it is written; empty where nothing is written.
        lines: Lines for people to write, where nothing is written for them.
        left: Why nothing is written; empty where something is.
        changes: How its resolution differs afterwards.
        saved: What it keeps less on the disk afterwards; None where that is not known.
        unchecked: Why the resolution afterwards is not known; empty where it is, or nothing is changed.
    """

    service: str
    wanted: TorchVariant
    why: str = ""
    version: str = ""
    brought_by: tuple[str, ...] = ()
    cuda: bool = False
    cuda_bytes: Estimate | None = None
    line: str = ""
    lines: tuple[str, ...] = ()
    left: str = ""
    changes: tuple[PackageChange, ...] = ()
    saved: Estimate | None = None
    unchecked: str = ""


class TorchReport(Struct, frozen=True, kw_only=True):
    """What was found, and what is changed.

    Args:
        services: Those that install PyTorch.
        changes: Files as they become; a new one has no text before.
        notes: What else people should know.
    """

    services: tuple[ServiceTorch, ...] = ()
    changes: tuple[LintChange, ...] = ()
    notes: tuple[str, ...] = ()
