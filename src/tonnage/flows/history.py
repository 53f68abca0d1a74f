"""What earlier runs taught, as planning and forecasting take it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tonnage.flows.directories import journal_path
from tonnage.model.deploy.history import History
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tonnage.flows.ports import Process


@contextlib.contextmanager
def opened_journal(environment: Mapping[str, str]) -> Iterator[Journal | None]:
    """Open the journal to be read, once for everything that is asked of it; nothing is created when there is none.

    Raises:
        TonnageError: It cannot be read.
    """
    journal = Journal.open_existing(journal_path(environment))
    with journal or contextlib.nullcontext():
        yield journal


def read_history(ports: Process, stack: str, engine_id: str) -> History:
    """Return what the journal knows of one stack on one engine."""
    with opened_journal(ports.environment) as journal:
        return journal.history(stack, engine_id) if journal is not None else History()
