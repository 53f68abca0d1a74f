"""What builds in place of the engine, where the user selected that."""

from __future__ import annotations

from msgspec import Struct


class BuilderBeside(Struct, frozen=True, kw_only=True):
    """A builder of buildx that is selected, in a container of the engine: it keeps what it builds in a volume.

    Args:
        runs: Whether its container does; buildx starts it with the next build.
    """

    name: str
    container: str
    volume: str
    runs: bool = True
