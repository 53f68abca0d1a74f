"""What a file outside of a project says is not shown: a complaint names the file, the line, and what belongs there.

Compose reads such files for good reasons (``env_file``, ``include``, ``extends``, a Dockerfile), and a stranger's
project may name any file of the machine. The only place that decides what may be quoted.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.errors import TonnageError

_SUFFIXES = frozenset({".txt", ".in", ".pip", ".toml", ".lock"})
_REQUIREMENTS = regex(
    r"require|constrain|dependenc|overrid|packages|(?:^|[^a-z])(?:reqs?|deps|pip)(?:[^a-z]|$)"
    r"|^pyproject\.toml$|^pylock\.|^(?:uv|poetry|pdm|Pipfile)\.lock$"
)
NOT_SHOWN = "What it says is not shown, because the file is outside the project"


def project_root(directory: str) -> str:
    """Return the directory in which a project's files lie: that of its repository, else its own."""
    try:
        here = Path(directory).resolve()
        above = next((each for each in (here, *here.parents) if (each / ".git").exists()), here)
        # A whole home directory, or machine, that is kept in a repository is no project.
        return str(here if above in {Path.home(), Path("/")} else above)
    except (OSError, RuntimeError, ValueError):
        return directory


def is_shown(file: str, root: str) -> bool:
    """Return whether what a file says may be shown: it is a file, and really lies in the project.

    Args:
        root: The directory of the project; empty where there is none, as for a build that is asked for by itself.
    """
    if not root or not file.startswith("/"):
        return True
    try:
        real = Path(file).resolve()
        # What is not on this machine is a file in an image, and was written by the project.
        return (real.is_relative_to(root) and real.is_file()) or not real.exists()
    except (OSError, RuntimeError, ValueError):
        return False


def may_be_sent(file: str, root: str) -> bool:
    """Return whether what a file says may go to package indexes: it lies in the project, or is named as requirements.

    A build context may well lie beside a project that is in no repository, but whatever else lies there, such as a
    password, is no requirement.
    """
    if is_shown(file, root):
        return True
    try:
        real = Path(file).resolve()
    except (OSError, RuntimeError, ValueError):
        return False
    named = any(_REQUIREMENTS.search(name) is not None for name in (real.name, real.parent.name))
    return real.suffix in _SUFFIXES and named


@contextlib.contextmanager
def nothing_quoted_from_outside(root: str) -> Iterator[None]:
    """Take out of a complaint about a line what the line says, where its file lies outside of a project."""
    try:
        yield
    except UsageError as error:
        unquote(error, root)
        raise


def unquote(error: TonnageError, root: str) -> None:
    """Take out of a complaint about a line what the line says, where its file lies outside of a project."""
    file, _, line = error.place.rpartition(":")
    if not line.isdecimal():
        file = error.place
    if is_shown(file, root):
        return
    error.what = error.expected or "something else is expected here"
    error.args = (error.what,)
    error.why, error.todo, error.log = f"{NOT_SHOWN}.", "", ""
