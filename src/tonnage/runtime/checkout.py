"""The checkout that a stack lies in: the directory with ``.git`` above its compose file, else that of the project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.sources.compose.file_selection import FILE_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.runtime.load_stack import StackRequest


def checkout_of(request: StackRequest, environment: Mapping[str, str]) -> str:
    """Return the directory outside of which nothing of an untrusted stack is read.

    Args:
        environment: Where ``COMPOSE_FILE`` may name the compose file.
    """
    here = Path(request.working_directory)
    separator = environment.get("COMPOSE_PATH_SEPARATOR") or ":"
    named = [*request.files, *filter(None, environment.get("COMPOSE_FILE", "").split(separator))]
    start = (here / named[0]).parent if named else here / request.directory
    start = start.resolve()
    ways = (start, *start.parents)
    checkout = next((each for each in ways if (each / ".git").exists()), None)
    if checkout is None and request.directory:
        checkout = (here / request.directory).resolve()
    if checkout is None:
        checkout = next((each for each in ways if any((each / name).is_file() for name in FILE_NAMES)), start)
    return str(checkout)
