"""What a stack's way to production is checked for, and what was found."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.deploy.run import Run


class ItemState(StrEnum):
    """How an item of the checklist is."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Item(Struct, frozen=True, kw_only=True):
    """One item: how it is, what was found, and what fixes it (commands stand alone on a line, indented)."""

    name: str
    state: ItemState
    found: str
    todo: str = ""


class FoundTorch(Struct, frozen=True, kw_only=True):
    """What a service would install of PyTorch.

    Args:
        cuda: Whether parts for CUDA come with it.
        device: Whether the service asks for a device.
        bytes_of_cuda: Forecast: what these parts weigh in the image.
        version: Of PyTorch.
        line: The line of the Dockerfile that installs it; 0 where it is not known.
        by_pip: Whether that line installs it with pip, or as pip does.
    """

    service: str
    cuda: bool
    device: bool
    bytes_of_cuda: int = 0
    version: str = ""
    line: int = 0
    by_pip: bool = False


class Evidence(Struct, frozen=True, kw_only=True):
    """What was looked at.

    Args:
        workflows: Text of each workflow of the repository, by file name.
        caches: Where Dockerfiles leave the cache of an installer; None where one could not be read.
        torch: What each service installs of PyTorch; None where that could not be resolved.
        runs: The last runs of the stack, newest first.
        disk_bytes: The size of the engine's disk; 0 where it is not known.
    """

    workflows: tuple[tuple[str, str], ...] = ()
    caches: tuple[str, ...] | None = None
    torch: tuple[FoundTorch, ...] | None = None
    runs: tuple[Run, ...] = ()
    documents: tuple[str, ...] = ()
    rehearsals: str = ""
    disk_bytes: int = 0
