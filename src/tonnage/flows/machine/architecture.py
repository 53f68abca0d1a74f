"""For which platform images are built."""

from __future__ import annotations

import platform as machine
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonnage.model.inventory import Inventory

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "i686": "386"}


def platform_of_engine(inventory: Inventory | None) -> str:
    """Return the platform of an engine; that of this machine without one."""
    name = inventory.engine.architecture if inventory else machine.machine()
    return f"linux/{_ARCHITECTURES.get(name, name)}"
