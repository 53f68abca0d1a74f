"""Weights as a check before a deploy sees them: what has to be where on this machine, and what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.stack import WeightsFile


class NeededFile(Struct, frozen=True, kw_only=True):
    """One file that a service needs.

    Args:
        inside: Its path inside of the container.
        place: Where the compose file asks for it, as ``file:line``.
    """

    service: str
    inside: str
    path: str
    described: WeightsFile
    place: str


class SeenFile(Struct, frozen=True, kw_only=True):
    """One file as it was found.

    Args:
        size_bytes: Its length; None when it was not found or is no file.
        sha256: Its checksum; empty when it was not read, because its length is wrong already.
        trouble: Why it could not be looked at; empty when it could.
    """

    size_bytes: int | None = None
    sha256: str = ""
    trouble: str = ""
