"""What an address answered, and what of it counts: headers of strangers are text until they are read here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.units import format_seconds, told_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    import urllib3


class Reply(Struct, frozen=True, kw_only=True):
    """What an address answered.

    Args:
        status: The HTTP status.
        headers: The headers, names in small letters.
        body: What was read; empty for HEAD, and cut where fewer bytes were wanted.
        address: The address that answered in the end.
        pause_s: How long the server asks not to be asked again; 0 where it does not say.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: str
    pause_s: float = 0.0

    @property
    def answer(self) -> str:
        """The status for people, with the time that the server asks to be left alone: ``429, ask again in 2.0 s``."""
        return f"{self.status}, ask again in {format_seconds(self.pause_s)}" if self.pause_s else str(self.status)

    @property
    def length_bytes(self) -> int | None:
        """How long the whole thing is, as the headers say it; None where they do not."""
        total = told_count(self.headers.get("content-range", "").rpartition("/")[2])
        if total is not None:
            return total
        if self.status == 206 or self.headers.get("content-encoding", "identity") != "identity":  # noqa: PLR2004
            return None
        return told_count(self.headers.get("content-length"))


def pause_s(response: urllib3.BaseHTTPResponse) -> float:
    """Return how long a server asks to be left alone; 0 where it does not say, or not so that it is understood."""
    from urllib3 import Retry, exceptions  # noqa: PLC0415

    try:
        return Retry().get_retry_after(response) or 0.0
    except (exceptions.InvalidHeader, ValueError, OverflowError):
        return 0.0
