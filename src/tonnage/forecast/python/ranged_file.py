"""A file on a server of which only the parts that are read are fetched.

The end is fetched first, because the directory of a zip file is there. A server that does not know ranges answers
with the whole file: a small one is taken, a large one is left unread.

Source: RFC 9110, range requests.
"""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tonnage.addresses import shown, without_user
from tonnage.errors import CannotFetchError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.reply import Reply
    from tonnage.forecast.python.index_access import IndexAccess

# Enough for the directory of five wheels in six, with what a wheel says of itself.
TAIL_BYTES = 16384
# What is read elsewhere is read a little at a time: the next few reads lie behind it.
WINDOW_BYTES = 8192
MOST_WHOLE_BYTES = 16 << 20
MOST_WHOLE_IN_ALL_BYTES = 64 << 20
# The directory of the largest wheels takes 2 MB, for 15,000 files; Python makes ten times as much of it.
LARGE_PART_BYTES, MOST_PART_BYTES = 1 << 20, 8 << 20
_RANGE = regex(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_PARTIAL, _WHOLE, _UNSATISFIABLE = 206, 200, 416
# What servers answer that know no range from the end.
_FROM_THE_END_UNKNOWN = frozenset({_WHOLE, 400, _UNSATISFIABLE, 501})


class UnreadableError(Exception):
    """A file cannot be read from its server; the forecast goes on with less.

    Args:
        reason: Why, in one sentence.
        size_bytes: Its size, where the server told it all the same.
    """

    def __init__(self, reason: str, size_bytes: int | None = None) -> None:
        super().__init__(reason)
        self.size_bytes = size_bytes


class Servers:
    """The servers of many files: who may be asked, what was asked, and which of them did not answer.

    Args:
        web: The door to the network.
        access: What identifies the user.

    Attributes:
        one_large: Held by the one file whose directory is large: what Python makes of it takes memory.
    """

    def __init__(self, web: Web, access: IndexAccess) -> None:
        self._web = web
        self._access = access
        web.trust(access.certificates)
        self._lock = threading.Lock()
        self._silent: dict[str, str] = {}
        self._whole_left_bytes = MOST_WHOLE_IN_ALL_BYTES
        self.one_large = threading.Lock()
        self.requests = 0
        self.received_bytes = 0

    @property
    def are_offline(self) -> bool:
        """Whether none of them may be asked."""
        return self._web.offline

    def ask(self, url: str, extent: str, most_bytes: int) -> Reply:
        """Ask for a part of a file, or for all of it.

        Args:
            extent: Which bytes, as in ``bytes=-65536``; empty for all.

        Raises:
            UnreadableError: The server cannot be reached, now or a moment ago.
        """
        host = urlsplit(url).netloc.rpartition("@")[2]
        if host in self._silent:
            raise UnreadableError(self._silent[host])
        headers = self._access.headers(url)
        if extent:
            headers["Range"] = extent
        try:
            reply = self._web.start(without_user(url), headers, first_bytes=most_bytes)
        except CannotFetchError as error:
            reason = f"{error.what}: {error.why}" if error.why else error.what
            if error.cause == "unreachable":
                self._silent[host] = reason
            raise UnreadableError(reason) from error
        with self._lock:
            self.requests += 1
            self.received_bytes += len(reply.body)
        return reply

    def grant(self, size_bytes: int) -> bool:
        """Return whether a file of this size may be fetched whole, and count it when it may."""
        with self._lock:
            if size_bytes > min(MOST_WHOLE_BYTES, self._whole_left_bytes):
                return False
            self._whole_left_bytes -= size_bytes
            return True


class RangedFile(io.RawIOBase):
    """One file on a server, read by ranges from its end towards its beginning.

    Args:
        servers: The servers.
        url: Its address.
        size_bytes: Its size where it is known.
    """

    def __init__(self, servers: Servers, url: str, size_bytes: int | None) -> None:
        super().__init__()
        self._servers = servers
        self._url = url
        self._position = 0
        # The bytes up to the end that are held; what is read before them is added in front when it joins.
        self._tail = b""
        self._window = (0, b"")
        self._size = 0
        self._cacheable: bool | None = None
        self._is_large = False
        self._open(size_bytes)

    @property
    def size_bytes(self) -> int:
        """Its size, as the server told it."""
        return self._size

    @property
    def cacheable(self) -> bool | None:
        """Whether the server allows that answers are kept; None before it has answered."""
        return self._cacheable

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it has positions."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position and return it.

        Raises:
            OSError: It would be before the beginning.
        """
        position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if position < 0:
            raise OSError(22, "There is nothing before the beginning")
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        """Read from the position, and fetch what is not there yet.

        Raises:
            UnreadableError: The server does not give these bytes.
        """
        if size > MOST_PART_BYTES:
            raise UnreadableError(f"The directory of {shown(self._url)} is larger than a directory can be", self._size)
        if size > LARGE_PART_BYTES and not self._is_large:
            self._servers.one_large.acquire()
            self._is_large = True
        end = self._size if size < 0 else min(self._size, self._position + size)
        start = min(self._position, end)
        held_from = self._size - len(self._tail)
        self._position = end
        if start >= held_from:
            return self._tail[start - held_from : end - held_from]
        window_from, window = self._window
        if window_from <= start and end <= window_from + len(window):
            return window[start - window_from : end - window_from]
        stop = min(max(end, start + WINDOW_BYTES), held_from)
        part = self._fetch(start, stop)
        if stop == held_from:
            self._tail = part + self._tail
            return self._tail[: end - start]
        self._window = (start, part)
        return part[: end - start]

    def close(self) -> None:
        """Let go of it."""
        if self._is_large:
            self._is_large = False
            self._servers.one_large.release()
        super().close()

    def _open(self, size_bytes: int | None) -> None:
        """Fetch the end of the file, and learn its size."""
        extent = f"bytes={max(0, size_bytes - TAIL_BYTES)}-" if size_bytes else f"bytes=-{TAIL_BYTES}"
        reply = self._servers.ask(self._url, extent, TAIL_BYTES + 1)
        if reply.status == _UNSATISFIABLE and size_bytes:
            # The size that the index told is not the size of the file.
            reply = self._servers.ask(self._url, f"bytes=-{TAIL_BYTES}", TAIL_BYTES + 1)
        if (
            not size_bytes
            and reply.status in _FROM_THE_END_UNKNOWN
            and (reply.length_bytes or 0) not in range(1, TAIL_BYTES)
        ):
            reply = self._by_its_size(reply)
        self._cacheable = may_be_kept(reply.headers)
        if reply.status == _WHOLE:
            self._take_whole(reply, reply.length_bytes if reply.length_bytes is not None else size_bytes)
            return
        told = _RANGE.fullmatch(reply.headers.get("content-range", ""))
        if reply.status != _PARTIAL:
            raise UnreadableError(f"The server answers {reply.status} for {shown(self._url)}", size_bytes)
        if told is None:
            raise UnreadableError(f"The server does not tell the size of {shown(self._url)}", size_bytes)
        first, last, self._size = (int(number) for number in told.groups())
        if last + 1 != self._size or len(reply.body) != last + 1 - first:
            raise UnreadableError(f"The server gave another part of {shown(self._url)} than its end", self._size)
        self._tail = reply.body

    def _by_its_size(self, begun: Reply) -> Reply:
        """Ask again for the end: some servers count ranges from the beginning only, so the size is asked for first."""
        probed = self._servers.ask(self._url, "bytes=0-0", 2)
        told = _RANGE.fullmatch(probed.headers.get("content-range", ""))
        if probed.status != _PARTIAL or told is None:
            return begun
        return self._servers.ask(self._url, f"bytes={max(0, int(told[3]) - TAIL_BYTES)}-", TAIL_BYTES + 1)

    def _take_whole(self, begun: Reply, size_bytes: int | None) -> None:
        """Take a file from a server that knows no ranges, if it is small."""
        if size_bytes is None or not self._servers.grant(size_bytes):
            raise UnreadableError(f"The server of {shown(self._url)} knows no ranges", size_bytes)
        # A file that is no larger than what was asked for has come already.
        reply = begun if len(begun.body) == size_bytes else self._servers.ask(self._url, "", size_bytes + 1)
        if reply.status != _WHOLE or len(reply.body) != size_bytes:
            raise UnreadableError(f"The server did not give the whole of {shown(self._url)}", size_bytes)
        self._tail = reply.body
        self._size = size_bytes

    def _fetch(self, start: int, stop: int) -> bytes:
        """Fetch the bytes from ``start`` up to ``stop``."""
        if stop - start > MOST_PART_BYTES:
            raise UnreadableError(f"The directory of {shown(self._url)} is larger than a directory can be", self._size)
        reply = self._servers.ask(self._url, f"bytes={start}-{stop - 1}", stop - start + 1)
        if reply.status != _PARTIAL or len(reply.body) != stop - start:
            raise UnreadableError(f"The server did not give a part of {shown(self._url)}", self._size)
        return reply.body


def may_be_kept(headers: Mapping[str, str]) -> bool:
    """Tell whether pip would keep an answer in its cache: with an ETag always, else by its age.

    Source: ``CacheController.cache_response`` in pip 23.2 and 26.3.
    """
    control = {part.strip().lower() for part in headers.get("cache-control", "").split(",")}
    if "no-store" in control or "*" in headers.get("vary", ""):
        return False
    aged = any(part.startswith("max-age=") and part != "max-age=0" for part in control)
    return "etag" in headers or ("date" in headers and (aged or "expires" in headers))
