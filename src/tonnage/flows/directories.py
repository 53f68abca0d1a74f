"""Where this user's Tonnage keeps what it remembers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def state_directory(environment: Mapping[str, str]) -> Path:
    """Return the directory of the journal."""
    chosen = environment.get("TONNAGE_STATE_DIR", "")
    if chosen:
        return Path(chosen)
    from platformdirs import user_state_path  # noqa: PLC0415 - not needed where the directory is chosen

    return user_state_path("tonnage", appauthor=False)


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Return the directory of what can be asked for again at any time; it may be removed at any time."""
    chosen = environment.get("TONNAGE_CACHE_DIR", "")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path  # noqa: PLC0415 - not needed where the directory is chosen

    return user_cache_path("tonnage", appauthor=False)


def state_place(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the role and a directory of the filesystem that the journal is written on."""
    directory = state_directory(environment).absolute()
    there = next((each for each in (directory, *directory.parents) if each.is_dir()), directory)
    return "state", str(there)


def journal_path(environment: Mapping[str, str]) -> Path:
    """Return the file of the journal."""
    return state_directory(environment) / "journal.sqlite"
