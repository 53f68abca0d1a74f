"""How large the file behind an address is, without fetching it."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import CannotFetchError

if TYPE_CHECKING:
    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.disk_cache import DiskCache

HOLDS_S = 3600.0
MOST_ASKED = 500
"""Addresses that one command asks: no stack of people names as many, and one of a stranger may name any number."""
_OK, _PART = 200, 206
_GONE = frozenset({404, 410})


class RemoteSize(Struct, frozen=True):
    """How large the file behind an address is.

    Args:
        size_bytes: Its bytes; None where that is not known.
        reason: Why it is not known, or where an old answer was used; empty otherwise.
    """

    size_bytes: int | None
    reason: str = ""


class RemoteSizes:
    """Asks addresses how much they would give. Safe to use from several threads.

    Args:
        holds_s: For how many seconds an address is not asked again.
    """

    def __init__(self, web: Web, kept: DiskCache, *, holds_s: float = HOLDS_S) -> None:
        self._web = web
        self._kept = kept
        self._holds_s = holds_s
        self._numbers = count(1)

    def size(self, address: str) -> RemoteSize:
        """Ask how large the file behind an address is.

        Returns:
            Its size, or why it is not known. Where nobody answers, an old answer is used.
        """
        fresh = self._kept.read("head", address, within_s=self._holds_s)
        if fresh is not None:
            return RemoteSize(json.loads(fresh))
        if next(self._numbers) > MOST_ASKED:
            return RemoteSize(None, f"more than {MOST_ASKED} addresses would be asked")
        try:
            size, reason = self._ask(address)
        except CannotFetchError as error:
            old = self._kept.read("head", address)
            return RemoteSize(json.loads(old) if old else None, f"{error.what}{f': {error.why}' if error.why else ''}")
        if size is not None:
            self._kept.keep("head", address, json.dumps(size).encode())
        return RemoteSize(size, reason)

    def _ask(self, address: str) -> tuple[int | None, str]:
        """Ask for the headers; a server that does not give them alone is asked for one byte."""
        reply = self._web.head(address)
        if reply.status == _OK and reply.length_bytes is not None:
            return reply.length_bytes, ""
        if reply.status in _GONE:
            return None, f"the address answers {reply.answer}"
        reply = self._web.start(address, {"Range": "bytes=0-0"})
        if reply.status not in {_OK, _PART}:
            return None, f"the address answers {reply.answer}"
        return reply.length_bytes, "" if reply.length_bytes is not None else "the address does not tell a length"
