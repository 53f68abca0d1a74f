"""Files as they were at an earlier commit, from git. Nothing of the repository runs: blobs are read, and no filter is.

Source: git-cat-file(1), git-rev-parse(1); ``cat-file`` runs filters only with ``--filters`` and ``--textconv``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tonnage.adapters.process import run
from tonnage.errors import TonnageError, UsageError
from tonnage.escapes import visible_in_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WITHIN_S = 30.0
_MOST_BYTES = 4_000_000
_FLAGS = ("-c", "core.fsmonitor=false", "-c", "core.pager=cat")


def earlier_files(
    directory: str, commit: str, paths: Sequence[str], environment: Mapping[str, str]
) -> dict[str, str | None]:
    """Return what files held at a commit, by path; None for those that were not there.

    Args:
        directory: One of the repository.
        commit: As it was typed: a branch, a tag, a hash.
        paths: Absolute.

    Returns:
        Texts, of files of at most 4 MB.

    Raises:
        UsageError: There is no repository, or no such commit in it.
    """
    quiet = {**environment, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1"}

    def git(place: str, *arguments: str) -> str:
        done = run(["git", *_FLAGS, "-C", place, *arguments], environment=quiet, timeout_s=_WITHIN_S)
        return "" if done.exit_code else done.stdout.strip("\n")

    try:
        root = git(directory, "rev-parse", "--show-toplevel")
        named = git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    except TonnageError as error:
        raise UsageError("git cannot be asked for earlier files", why=str(error).splitlines()[0]) from error
    if not root:
        raise UsageError(
            f"{visible_in_line(directory)} is not in a git repository", todo="Leave --diff out, or run it there."
        )
    if not named:
        raise UsageError(
            f"there is no commit {visible_in_line(commit)} here",
            todo="Fetch it first, or name another one:\n  git fetch origin",
        )
    return {path: _blob(root, named.splitlines()[-1], path, quiet) for path in paths}


def _blob(root: str, commit: str, path: str, environment: Mapping[str, str]) -> str | None:
    inside = os.path.relpath(os.path.realpath(path), os.path.realpath(root))
    if inside.startswith(".."):
        return None
    name = f"{commit}:{inside}"
    try:
        size = run(["git", *_FLAGS, "-C", root, "cat-file", "-s", name], environment=environment, timeout_s=_WITHIN_S)
        if size.exit_code or int(size.stdout.strip() or 0) > _MOST_BYTES:
            return None
        found = run(
            ["git", *_FLAGS, "-C", root, "cat-file", "blob", name], environment=environment, timeout_s=_WITHIN_S
        )
    except (TonnageError, ValueError):
        return None
    return None if found.exit_code else found.stdout
