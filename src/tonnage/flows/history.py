"""What earlier runs taught, as planning and forecasting take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.flows.directories import journal_path
from tonnage.model.deploy.history import History
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from tonnage.flows.ports import Process


def read_history(ports: Process, stack: str, engine_id: str) -> History:
    """Return what the journal knows; nothing is created when there is none.

    Args:
        ports: Where the journal is.
        stack: The project name.
        engine_id: The engine.

    Returns:
        The history; an empty one when there is no journal.
    """
    journal = Journal.open_existing(journal_path(ports.environment))
    if journal is None:
        return History()
    with journal:
        return journal.history(stack, engine_id)
