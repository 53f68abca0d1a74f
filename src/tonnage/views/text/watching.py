"""What is there, again and again: on a terminal in place, elsewhere as one line for each filesystem and look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.text import Text

from tonnage.units import format_bytes
from tonnage.views.text.status import status_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Stack


class InPlace:
    """Shows each look in the place of the one before it.

    Args:
        services: Names of the services to tell about; empty for all.
    """

    def __init__(self, console: Console, *, stack: Stack, services: Sequence[str]) -> None:
        self._console = console
        self._stack = stack
        self._services = services
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last look on the screen."""
        self._live.stop()

    def show(self, inventory: Inventory, reserves: Mapping[str, int]) -> None:
        """Show one look."""
        text = status_text(
            inventory,
            reserves=reserves,
            stack=self._stack,
            services=self._services,
            width=self._console.width,
            ascii_only=not self._console.encoding.startswith("utf"),
        )
        self._live.update(Text(_within(text, self._console.height), no_wrap=True, overflow="ellipsis"), refresh=True)


def _within(text: str, height: int) -> str:
    """Leave the blank lines out where there is no room for them; the last row is the cursor's."""
    lines = text.splitlines()
    return text if len(lines) < height else "\n".join(line for line in lines if line)


def watch_lines(inventory: Inventory, reserves: Mapping[str, int]) -> list[str]:
    """Write one look for a log."""
    return [
        f"{disk.mount}: {format_bytes(disk.available_bytes)} available, reserve {format_bytes(reserves[disk.mount])},"
        f" headroom {format_bytes(disk.available_bytes - reserves[disk.mount])}"
        for disk in inventory.filesystems
    ]
