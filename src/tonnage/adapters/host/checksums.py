"""Files of weights as they are on this machine: their lengths and checksums.

Reading gigabytes takes a while, so a checksum is remembered for as long as the file's length, times and inode stay the
same. Whatever is wrong with what is remembered, the file is simply read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.model.stack import SeenFile
from tonnage.own_files import private_directory, write_whole
from tonnage.small_files import MANIFEST, read_text
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.model.stack import NeededFile

_PIECE_BYTES = 4 * 1024 * 1024
_TELL_EVERY_S = 5.0
_KEPT = 4096
# A file that is changed twice within one tick of its filesystem's clock looks the same afterwards.
_SETTLED_NS = 2_000_000_000

_Identity = tuple[int, int, int, int]


class Checksums:
    """Looks at files.

    Args:
        path: Where checksums are remembered; the file and its directory need not exist.
        now_ns: The time, in nanoseconds since 1970.
    """

    def __init__(self, path: Path, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._now_ns = now_ns
        self._known = _read(path)
        self._read_bytes = 0
        self._lock = threading.Lock()
        self._given_up = threading.Event()

    def text(self, path: str, *, service: str, place: str) -> str:
        """Return the text of a manifest.

        Args:
            path: Where it lies.
            service: Whose it is, for messages.
            place: Where the compose file names it.

        Raises:
            UsageError: It is missing, or cannot be read.
        """
        try:
            return read_text(path, MANIFEST)
        except FileNotFoundError:
            what, why = f"the manifest of the weights of {service} is missing", f"There is no file {path}."
        except OSError as error:
            what, why = f"the manifest {path} of {service} cannot be read", f"{error.strerror}."
        except UnicodeDecodeError:
            what, why = f"the manifest {path} of {service} cannot be read", "It is not UTF-8."
        raise UsageError(what, why=why, todo="Bring the manifest, and the files that it describes.", place=place)

    def look(self, needed: Sequence[NeededFile], tell: Callable[[str], None]) -> dict[str, SeenFile]:
        """Look at files; one whose length is wrong already is not read.

        Args:
            needed: The files.
            tell: Is told what takes a while.

        Returns:
            What was found, by path.
        """
        lengths: dict[str, set[int]] = {}
        for file in needed:
            lengths.setdefault(file.path, set()).add(file.described.size_bytes)
        seen: dict[str, SeenFile] = {}
        to_read: dict[str, _Identity] = {}
        for path, wanted in lengths.items():
            try:
                found = Path(path).stat()
            except (FileNotFoundError, NotADirectoryError):
                seen[path] = SeenFile()
                continue
            except OSError as error:
                seen[path] = SeenFile(trouble=str(error.strerror))
                continue
            identity = _identity(found)
            known = self._known.get(path)
            if not stat.S_ISREG(found.st_mode):
                seen[path] = SeenFile(trouble="it is not a file")
            elif found.st_size not in wanted:
                seen[path] = SeenFile(size_bytes=found.st_size)
            elif known is not None and known[0] == identity and os.access(path, os.R_OK):
                seen[path] = SeenFile(size_bytes=found.st_size, sha256=known[1])
            else:
                to_read[path] = identity
        if to_read:
            seen |= self._read_all(to_read, tell)
            self._remember()
        return seen

    def _read_all(self, files: Mapping[str, _Identity], tell: Callable[[str], None]) -> dict[str, SeenFile]:
        total_bytes = sum(identity[0] for identity in files.values())
        tell(f"reading {len(files)} files of weights, {format_bytes(total_bytes)}")
        self._read_bytes = 0
        pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1), thread_name_prefix="weights")
        try:
            waiting = {path: pool.submit(self._look_inside, path, identity) for path, identity in files.items()}
            while wait(waiting.values(), timeout=_TELL_EVERY_S).not_done:
                tell(f"weights: {format_bytes(self._read_bytes)} of {format_bytes(total_bytes)} read")
            return {path: each.result() for path, each in waiting.items()}
        except BaseException:
            self._given_up.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _look_inside(self, path: str, identity: _Identity) -> SeenFile:
        digest = hashlib.sha256()
        try:
            with open(path, "rb", buffering=0) as content:  # noqa: PTH123 - a path as text
                while piece := content.read(_PIECE_BYTES):
                    digest.update(piece)
                    with self._lock:
                        self._read_bytes += len(piece)
                    if self._given_up.is_set():
                        return SeenFile(trouble="reading it was stopped")
                after = os.fstat(content.fileno())
        except OSError as error:
            return SeenFile(trouble=str(error.strerror))
        found = SeenFile(size_bytes=after.st_size, sha256=digest.hexdigest())
        if _identity(after) == identity and max(after.st_mtime_ns, after.st_ctime_ns) + _SETTLED_NS < self._now_ns():
            with self._lock:
                self._known.pop(path, None)
                self._known[path] = (identity, found.sha256)
        return found

    def _remember(self) -> None:
        with contextlib.suppress(OSError):
            private_directory(self._path.parent)
            write_whole(self._path, json.dumps(dict(list(self._known.items())[-_KEPT:])).encode())


def _identity(found: os.stat_result) -> _Identity:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _read(path: Path) -> dict[str, tuple[_Identity, str]]:
    try:
        told = json.loads(read_text(path, MANIFEST))
        known = {}
        for name, ((size, changed, moved, inode), sha256) in told.items():
            known[str(name)] = ((int(size), int(changed), int(moved), int(inode)), str(sha256))
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return known
