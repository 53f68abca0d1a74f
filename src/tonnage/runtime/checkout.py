"""The checkout that a stack lies in: the repository that its compose file is in, else the directory of that file.

Which repository that is, its settings tell; no program of it is asked.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.small_files import SETTINGS, read_text
from tonnage.sources.compose.file_selection import FILE_NAMES
from tonnage.sources.outside import project_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tonnage.runtime.load_stack import StackRequest

_ORIGIN = regex(r"(?ms)^\s*\[remote \"origin\"\]\s*$(?:(?!^\s*\[).)*?^\s*url\s*=\s*(?P<url>\S+)")
_ADDRESS = regex(r"(?:[a-z+]+://)?(?:[^@/]*@)?(?P<host>[^/:]+)(?::[0-9]+(?=/))?[:/]+(?P<path>.+?)(?:\.git)?/*")


def origin_of(directory: str) -> str:
    """Return the identity of a directory of a repository, the same in every checkout; empty where it is in none.

    It is a hash: the address of a repository may hold a secret.
    """
    root = project_root(directory)
    try:
        found = _ORIGIN.search(read_text(Path(root, ".git", "config"), SETTINGS))
        inside = Path(directory).resolve().relative_to(root)
    except (OSError, RuntimeError, ValueError):
        return ""
    if found is None:
        return ""
    address = _ADDRESS.fullmatch(found["url"])
    told = f"{address['host'].lower()}/{address['path']}" if address else found["url"]
    return hashlib.sha256(f"{told}//{inside}".encode()).hexdigest()


def same_places(directory: str, origin: str, others: Iterable[str]) -> frozenset[str]:
    """Return those of other directories of this machine that are this one, or hold the same of the same repository."""
    found = set()
    for other in others:
        with contextlib.suppress(OSError):
            if Path(directory).samefile(other) or (origin and origin_of(other) == origin):
                found.add(other)
    return frozenset(found)


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
