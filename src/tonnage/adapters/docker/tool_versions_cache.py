"""What programs said of themselves earlier, so that they need not be started again for each command.

An answer holds for as long as nothing that could change it has changed: the program's file, every plugin beside it,
the docker configuration. It is forgotten after a day all the same, and one that the program lacks something after
minutes, because plugins may come from places that are not looked at here. Whatever is wrong with the file, the
program is simply asked.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tonnage.own_files import private_directory, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HOLDS_S = 86_400.0
_LACKING_HOLDS_S = 300.0
_KEPT = 64
# Source: `cli-plugins/manager` of docker/cli 28.2, and where Docker Desktop and Homebrew put theirs.
_PLUGIN_PLACES = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/opt/homebrew/lib/docker/cli-plugins",
    "/Applications/Docker.app/Contents/Resources/cli-plugins",
)


class ToolVersionsCache:
    """Answers of programs, in one small file.

    Args:
        path: The file; it and its directory need not exist.
        environment: The environment that the programs are started with.
    """

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self._lock = Lock()
        self._answers = _read(path)
        self._plugins = _plugins(environment)

    def answer(self, arguments: Sequence[str]) -> str | None:
        """Return what a program said to these arguments, nothing when it failed; None when it is to be asked."""
        kept = self._answers.get(self._key(arguments))
        if kept is None:
            return None
        when, told = kept
        # A clock that was set back makes answers of the future: those are asked for again as well.
        return told if 0 <= time.time() - when < (_HOLDS_S if told else _LACKING_HOLDS_S) else None

    def keep(self, arguments: Sequence[str], told: str) -> None:
        """Remember what a program said; where the file cannot be written, it is asked again next time.

        Args:
            told: What it said; nothing when it failed.
        """
        with self._lock, contextlib.suppress(OSError):
            self._answers[self._key(arguments)] = (time.time(), told)
            newest = sorted(self._answers.items(), key=lambda item: item[1][0])[-_KEPT:]
            private_directory(self._path.parent)
            write_whole(self._path, json.dumps(dict(newest)).encode())

    def _key(self, arguments: Sequence[str]) -> str:
        return json.dumps([*arguments, _identity(Path(arguments[0])), *self._plugins])


def _read(path: Path) -> dict[str, tuple[float, str]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): (float(when), str(told)) for key, (when, told) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _plugins(environment: Mapping[str, str]) -> list[str]:
    """Return the identity of everything that decides which plugins the docker program has."""
    configuration = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME", "/"), ".docker"))
    found = [_identity(configuration / "config.json")]
    for place in (configuration / "cli-plugins", *map(Path, _PLUGIN_PLACES)):
        with contextlib.suppress(OSError):
            found += sorted(_identity(each) for each in place.iterdir())
    return found


def _identity(path: Path) -> str:
    try:
        seen = path.stat()
    except OSError:
        return f"{path} -"
    return f"{path} {seen.st_ino} {seen.st_size} {seen.st_mtime_ns}"
