"""What makes way for networks that are written otherwise by now."""

from __future__ import annotations

import msgspec


class RemoveNetworks(msgspec.Struct, frozen=True, tag="remove-networks", kw_only=True):
    """Stop the containers of services and remove networks that they are on; Compose makes both again.

    The containers stay, so that Compose finds their anonymous volumes when it replaces them.

    Args:
        networks: Names on the engine.
        services: Those whose containers are stopped, in this order.
    """

    project: str
    networks: tuple[str, ...]
    services: tuple[str, ...]
