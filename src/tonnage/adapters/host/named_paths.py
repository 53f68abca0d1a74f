"""What this machine has of paths that a log names, and what it is called. It reads no file of theirs."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tonnage.adapters.host.filesystem import local_filesystems
from tonnage.errors import TonnageError
from tonnage.model.reports.symptom import Here

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tonnage.model.inventory import Filesystem

_MOST = 20
_HOMES = frozenset({"home", "Users"})
NAMED = "named"
"""The role of a filesystem that a log names a path of."""
_RUNNERS = (
    ("GITHUB_ACTIONS", "the GitHub runner"),
    ("GITLAB_CI", "the GitLab runner"),
    ("JENKINS_URL", "the Jenkins agent"),
    ("TF_BUILD", "the Azure agent"),
    ("CIRCLECI", "the CircleCI machine"),
)


def look_at(paths: Sequence[str], environment: Mapping[str, str]) -> Here:
    """Return what this machine has of some paths: the first twenty are looked at.

    A path is of this machine where its first directory is here; below /home and /Users also the second one.
    """
    absent: set[str] = set()
    directories: dict[str, None] = {}
    for path in list(dict.fromkeys(paths))[:_MOST]:
        found = _nearest(path)
        if found:
            directories[found] = None
        else:
            absent.add(path)
    return Here(
        hostname=os.uname().nodename,
        runner=next((runner for variable, runner in _RUNNERS if environment.get(variable)), ""),
        absent=frozenset(absent),
        filesystems=tuple(_measured(directories)),
    )


def _nearest(path: str) -> str:
    """Return the longest beginning of a path that is a directory here; empty where it is not of this machine."""
    parts = PurePosixPath(path).parts
    least = 3 if len(parts) > 1 and parts[1] in _HOMES else 2
    for count in range(len(parts), least - 1, -1):
        directory = str(PurePosixPath(*parts[:count]))
        if os.path.isdir(directory):  # noqa: PTH112 - pathlib raises for what may not be looked at
            return directory
    # A file right below the root has no directory but the root.
    return "/" if len(parts) == least and os.path.lexists(path) else ""


def _measured(directories: Iterable[str]) -> Iterator[Filesystem]:
    for directory in directories:
        try:
            yield from local_filesystems([(NAMED, directory)])
        except TonnageError:
            continue
