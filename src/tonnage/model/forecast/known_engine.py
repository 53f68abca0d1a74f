"""Engines that are known by name, so that a forecast needs none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import EngineKind


class KnownEngine(Struct, frozen=True, kw_only=True):
    """One engine.

    Args:
        name: As it is typed and told, such as ``docker-29``.
        version: Its three numbers; None where the name says only of what kind it is.
    """

    name: str
    kind: EngineKind
    version: tuple[int, int, int] | None = None


class RunnerImage(Struct, frozen=True, kw_only=True):
    """The image of a hosted runner.

    Args:
        label: The label that chooses it.
        successor: The label of the image after it; empty where there is none yet.
    """

    label: str
    engine: KnownEngine
    successor: str = ""
