"""Where this user's Tonnage keeps what it remembers, and what earlier runs taught."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import DamagedJournalError, TonnageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tonnage.flows.ports import Process
    from tonnage.model.deploy.policy import Setting
    from tonnage.model.deploy.run import History, Pruned, Run
    from tonnage.model.stack import Stack
    from tonnage.runtime.journal.writer import Journal


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Return the directory of what can be asked for again at any time; it may be removed at any time.

    Raises:
        UsageError: Another user owns it, or may write to it: what it says would be believed.
    """
    from platformdirs import user_cache_path  # noqa: PLC0415 - not needed by help

    from tonnage.own_files import check_private_directory  # noqa: PLC0415

    directory = Path(environment.get("TONNAGE_CACHE_DIR") or user_cache_path("tonnage", appauthor=False))
    check_private_directory(directory, instead="Or set TONNAGE_CACHE_DIR to a directory of your own.")
    return directory


def state_place(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the role ``state`` and the directory of the journal, or the nearest one above it that is there already."""
    return "state", _there(journal_path(environment).parent.absolute())


def cache_places(stack: Stack, working_directory: str) -> tuple[tuple[str, str], ...]:
    """Return where the builds of a stack export their cache on this machine, as role and directory."""
    from tonnage.model.forecast.estimate import EXPORTED  # noqa: PLC0415 - not needed by help
    from tonnage.sources.cache_entries import cache_entries  # noqa: PLC0415

    specs = [service.build for service in stack.services if service.build is not None]
    entries = [entry for spec in specs for entry in cache_entries(spec.cache_to) if entry.directory]
    return tuple((EXPORTED, _there(Path(working_directory, each.directory))) for each in entries)


def _there(directory: Path) -> str:
    """Return a directory, or the nearest one above it that is there already."""
    return str(next((each for each in (directory, *directory.parents) if each.is_dir()), directory))


def with_places(settings: Sequence[Setting], environment: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return settings in which the directories that are the default stand with their paths."""
    from msgspec.structs import replace  # noqa: PLC0415 - not needed by help
    from platformdirs import user_cache_path  # noqa: PLC0415

    places = {
        "state-dir": str(journal_path(environment).parent),
        "cache-dir": environment.get("TONNAGE_CACHE_DIR") or str(user_cache_path("tonnage", appauthor=False)),
    }
    return tuple(replace(each, value=places.get(each.key, each.value)) for each in settings)


def journal_path(environment: Mapping[str, str]) -> Path:
    """Return the file of the journal, which need not exist."""
    from platformdirs import user_state_path  # noqa: PLC0415 - not needed by help

    directory = environment.get("TONNAGE_STATE_DIR") or user_state_path("tonnage", appauthor=False)
    return Path(directory, "journal.sqlite")


@contextlib.contextmanager
def opened_journal(environment: Mapping[str, str]) -> Iterator[Journal | None]:
    """Open the journal to be read, once for everything that is asked of it.

    Yields:
        The journal; None when there is none. Nothing is created then.

    Raises:
        TonnageError: It cannot be read.
    """
    from tonnage.runtime.journal.writer import Journal  # noqa: PLC0415 - not needed by help

    journal = Journal.open_existing(journal_path(environment))
    with journal or contextlib.nullcontext():
        yield journal


@contextlib.contextmanager
def journal_to_write(
    environment: Mapping[str, str], stack: str, engine_id: str, tell: Callable[[str], None]
) -> Iterator[Journal]:
    """Open the journal for a run; one that is damaged is set aside, and a new one begun.

    Args:
        tell: Is told so.

    Raises:
        TonnageError: It cannot be created or written.
    """
    from tonnage.runtime.journal.set_aside import set_aside  # noqa: PLC0415 - not needed by help
    from tonnage.runtime.journal.writer import Journal  # noqa: PLC0415

    path = journal_path(environment)
    with contextlib.ExitStack() as opened:
        try:
            journal = opened.enter_context(Journal(path))
            # What the run depends on is looked at while nothing has happened yet.
            journal.history(stack, engine_id)
        except DamagedJournalError:
            opened.close()
            tell(set_aside(path))
            journal = opened.enter_context(Journal(path))
        yield journal


def read_history(ports: Process, stack: str, engine_id: str) -> History:
    """Return what the journal knows of one stack on one engine; nothing when there is no journal."""
    from tonnage.model.deploy.run import History  # noqa: PLC0415 - not needed by help

    with opened_journal(ports.environment) as journal:
        return journal.history(stack, engine_id) if journal is not None else History()


def pruned_journal(ports: Process) -> tuple[str, Pruned | None]:
    """Take out of the journal what is too old to be kept.

    Returns:
        Its file, and what was done; None where there is none.

    Raises:
        TonnageError: It cannot be read or written.
    """
    from tonnage.runtime.journal.writer import Journal  # noqa: PLC0415 - not needed by help

    path = journal_path(ports.environment)
    with opened_journal(ports.environment) as there:
        if there is None:
            return str(path), None
    with Journal(path) as journal:
        return str(path), journal.prune()


def runs_if_readable(ports: Process, most: int, stack: str) -> tuple[Run, ...]:
    """Return the last runs of a stack, the newest first; none where the journal cannot be read."""
    with contextlib.suppress(TonnageError), opened_journal(ports.environment) as journal:
        return journal.runs(most, stack) if journal is not None else ()
    return ()
