"""Several views of the same events, such as lines for people and a file for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    from tonnage.model.deploy.event import Event

    class View(Protocol):
        """Shows events."""

        def show(self, event: Event) -> None:
            """Show one event."""


class SeveralViews:
    """Hands each event to every view, in their order."""

    def __init__(self, *views: View) -> None:
        self._views = views

    def show(self, event: Event) -> None:
        """Show one event."""
        for view in self._views:
            view.show(event)
