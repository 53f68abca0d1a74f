"""Files of the machine behind ``ssh://``, read by the user's own ``ssh``: many at once, each only once.

Public: ``RemoteFiles(endpoint, paths) -> Files``. What that user may not read there cannot be read here.
"""

from __future__ import annotations

import base64
import binascii
import errno
import os
import shlex
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.host.presence import TABLES, listeners
from tonnage.adapters.ssh import client as ssh
from tonnage.errors import EngineUnreachableError
from tonnage.small_files import COMPOSE_FILE, too_large

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.small_files import FileKind

_MOST_BYTES = COMPOSE_FILE.most_bytes + 1
_MARK = "tonnage-file"
# Nearest to a path that is not there may be a directory that may not be entered: then it may be there all the same.
_SCRIPT = f"""
look() {{
    p=$1 q=$1
    while [ ! -e "$q" ] && [ -n "$q" ]; do q=${{q%/*}}; done
    if [ -d "$p" ]; then echo "{_MARK} directory"
    elif [ -f "$p" ] && [ -r "$p" ]; then
        printf '{_MARK} file '
        head -c {_MOST_BYTES} "$p" | base64 | tr -d '\\n'
        echo
    elif [ -e "$p" ]; then
        if [ -f "$p" ]; then echo "{_MARK} refused"; else echo "{_MARK} other"; fi
    elif [ -d "${{q:-/}}" ] && [ ! -x "${{q:-/}}" ]; then echo "{_MARK} refused"
    else echo "{_MARK} none"
    fi
}}
"""


_MISSING = f"""
look() {{
    p=$2 q=$2
    while [ ! -e "$q" ] && [ -n "$q" ]; do q=${{q%/*}}; done
    [ -e "$p" ] || [ ! -x "${{q:-/}}" ] || echo "{_MARK} $1"
}}
"""


def missing_there(endpoint: str, paths: Sequence[str]) -> frozenset[str]:
    """Return the paths where nothing is there. What that user may not look at counts as there.

    Raises:
        EngineUnreachableError: ssh failed.
    """
    if not paths:
        return frozenset()
    script = _MISSING + "".join(f"look {number} {shlex.quote(path)}\n" for number, path in enumerate(paths))
    done = ssh.run_there(endpoint, f"{script}exit 0\n")
    if done.exit_code:
        raise EngineUnreachableError(
            f"files of {endpoint} cannot be looked at", why=done.stderr.strip() or "Its shell did not tell them."
        )
    told = [line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith(f"{_MARK} ")]
    return frozenset(paths[int(number)] for number in told)


def listening_there(endpoint: str) -> tuple[tuple[str, int, str], ...]:
    """Return the ports on which programs of that machine listen, with address and protocol.

    What its kernel does not tell counts as free.

    Raises:
        EngineUnreachableError: ssh failed.
    """
    script = "".join(f"echo '{_MARK} {table}'; cat /proc/net/{table} 2>/dev/null\n" for table in TABLES)
    done = ssh.run_there(endpoint, f"{script}exit 0\n")
    if done.exit_code:
        raise EngineUnreachableError(
            f"ports of {endpoint} cannot be looked at", why=done.stderr.strip() or "Its shell did not tell them."
        )
    parts = [part.partition("\n") for part in done.stdout.split(f"{_MARK} ")[1:]]
    return listeners({table: text for table, _, text in parts if table in TABLES})


class _RemoteEntry(Struct, frozen=True):
    """What is under a path there."""

    kind: str
    content: bytes = b""


class RemoteFiles:
    """Satisfies ``Files``.

    Args:
        paths: What will be looked at for certain: it is read in one go.
    """

    def __init__(self, endpoint: str, paths: Iterable[str] = ()) -> None:
        self._endpoint = endpoint
        self._wanted = tuple(dict.fromkeys(paths))
        self._seen: dict[str, _RemoteEntry] = {}

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:  # noqa: ARG002 - no pipe leads there
        """Return what a file there holds.

        Raises:
            OSError: It is not there, cannot be read, or is larger than its kind may be.
            IsADirectoryError: It is a directory.
            EngineUnreachableError: ssh failed.
        """
        seen = self._look(path)
        if seen.kind == "directory":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if seen.kind != "file":
            number = errno.EINVAL if seen.kind else errno.ENOENT
            raise OSError(number, os.strerror(number), path)
        if len(seen.content) > what.most_bytes:
            raise too_large(path, what)
        return seen.content

    def kind(self, path: str) -> str:
        """Return what is there.

        Raises:
            PermissionError: It may not be looked at.
            EngineUnreachableError: ssh failed.
        """
        return self._look(path).kind

    def _look(self, path: str) -> _RemoteEntry:
        if path not in self._seen:
            self._ask((path, *self._wanted))
            self._wanted = ()
        seen = self._seen[path]
        if seen.kind == "refused":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return seen

    def _ask(self, paths: tuple[str, ...]) -> None:
        asked = tuple(dict.fromkeys(paths))
        script = _SCRIPT + "".join(f"look {shlex.quote(path)}\n" for path in asked)
        done = ssh.run_there(self._endpoint, script)
        # A shell's own greeting may come before.
        lines = [line.split(" ")[1:] for line in done.stdout.splitlines() if line.startswith(f"{_MARK} ")]
        if len(lines) != len(asked) or done.exit_code:
            raise EngineUnreachableError(
                f"files of {self._endpoint} cannot be read", why=done.stderr.strip() or "Its shell did not tell them."
            )
        self._seen |= {path: _seen(words) for path, words in zip(asked, lines, strict=True)}


def _seen(words: list[str]) -> _RemoteEntry:
    kind = "" if words[0] == "none" else words[0]
    try:
        return _RemoteEntry(kind, base64.b64decode(words[1], validate=True) if kind == "file" else b"")
    except (IndexError, binascii.Error):
        return _RemoteEntry("refused")
