"""The checkout that a stack lies in: the repository that its compose file is in, else the directory of that file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.sources.compose.file_selection import FILE_NAMES
from tonnage.sources.outside import project_root

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
    if request.directory:
        return project_root(str(here / request.directory))
    start = (here / named[0]).parent if named else here
    ways = () if named else (start, *start.parents)
    holding = (each for each in ways if any((each / name).is_file() for name in FILE_NAMES))
    return project_root(str(next(holding, start)))
