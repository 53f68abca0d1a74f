"""Text to bytes and durations, and back. The only place in the package that does this.

``GB`` is 10^9 and ``GiB`` is 2^30. A bare ``G`` means one to some tools and the other to others, so it is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime

from tonnage.errors import UsageError
from tonnage.lazily import regex

_FACTORS = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_SIZE = regex(r"\s*(?P<number>[0-9]{1,40}(?:\.[0-9]{1,40})?)\s*+(?P<unit>[A-Za-z]*+)\s*+")
_BARE = {"K": "kB", "M": "MB", "G": "GB", "T": "TB"}

_MOST_COUNT = 1 << 63
_MOST_DIGITS = 20
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = regex(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s|m|h|d)")
_LONGEST_DURATION = 60


def told_count(told: object) -> int | None:
    """Return a size or count that something outside told; None for what is none: bytes are 0 <= n < 2^63.

    Args:
        told: A value of JSON, or a text of decimal digits.
    """
    if isinstance(told, str):
        # More digits than that are no size, and Python refuses to read thousands of them.
        told = int(told) if told.isascii() and told.isdecimal() and len(told) <= _MOST_DIGITS else None
    if not isinstance(told, int) or isinstance(told, bool):
        return None
    return told if 0 <= told < _MOST_COUNT else None


def parse_bytes(text: str) -> int:
    """Read a size such as ``14GB``, ``1.5 GiB`` or ``500MB``.

    Args:
        text: A number and a unit. A bare number is refused, as is a bare ``G``.

    Returns:
        The size in bytes, rounded down to a whole byte.

    Raises:
        UsageError: The text is no size; the message names the accepted forms.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not a size", todo="Write a number and a unit, such as 14GB or 13GiB.")
    number, unit = match["number"], match["unit"]
    if unit in _FACTORS:
        whole, _, fraction = number.partition(".")
        factor = _FACTORS[unit]
        return int(whole) * factor + (int(fraction) * factor // 10 ** len(fraction) if fraction else 0)
    letter = unit.upper()
    if letter in _BARE or (len(letter) == 2 and letter[1] == "I" and letter[0] in _BARE):  # noqa: PLR2004 - "Gi"
        decimal = _BARE[letter[0]]
        binary = f"{letter[0]}iB"
        raise UsageError(
            f"{text!r} is ambiguous: decimal or binary?",
            todo=f"Write {number}{decimal} (decimal) or {number}{binary} (binary).",
        )
    if not unit:
        raise UsageError(
            f"{text!r} has no unit",
            todo=f"Write {number}B for bytes, or a unit such as {number}MB, {number}GB or {number}GiB.",
        )
    raise UsageError(f"{unit!r} is not a unit of size", todo="Known units: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB.")


def format_bytes(count_bytes: int) -> str:
    """Write a size for people: three significant figures, 10-based, a sign where negative.

    Args:
        count_bytes: Any whole number of bytes.

    Returns:
        For example ``6.52 GB``, ``213 MB``, ``0 B``.
    """
    sign = "-" if count_bytes < 0 else ""
    size = abs(count_bytes)
    if size < 1000:  # noqa: PLR2004 - below one kilobyte the count itself is shown
        return f"{sign}{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        value /= 1000
        shown = f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"  # noqa: PLR2004
        if float(shown) < 1000:  # noqa: PLR2004
            return f"{sign}{shown} {unit}"
    return f"{sign}{value:.0f} PB"


def parse_seconds(text: str) -> float:
    """Read a duration as the Compose specification writes it: ``1m30s``, ``500ms``, ``1.5h``.

    Args:
        text: One or more numbers, each with its unit (us, ms, s, m, h, d).

    Returns:
        The duration in seconds.

    Raises:
        UsageError: The text is no duration.
    """
    compact = text.strip()
    parts = _DURATION_PART.findall(compact) if len(compact) <= _LONGEST_DURATION else []
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise UsageError(f"{text!r} is not a duration", todo="Write it like 30s, 1m30s or 500ms.")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def format_moment(since_epoch_s: float) -> str:
    """Write a moment as ``2026-11-23 19:40 UTC``.

    Args:
        since_epoch_s: Seconds since the epoch.

    Returns:
        The text.
    """
    return datetime.fromtimestamp(since_epoch_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def format_instant(since_epoch_s: float) -> str:
    """Write a moment to the second, as a log begins its lines: ``2026-11-23T19:40:07Z``.

    Args:
        since_epoch_s: Seconds since the epoch.

    Returns:
        The text.
    """
    return datetime.fromtimestamp(since_epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_seconds(seconds: float) -> str:
    """Write a duration for people: ``0.4 s``, ``12.3 s``, ``2 min 05 s``, ``1 h 03 min``.

    Args:
        seconds: A duration, not negative.

    Returns:
        The text.
    """
    if seconds < 59.95:  # noqa: PLR2004 - what would round to 60.0 s is a minute
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:  # noqa: PLR2004
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_duration(seconds: float) -> str:
    """Write about how long something takes: ``40 s``, ``6 min``, ``1 h 20 min``.

    Args:
        seconds: A duration, not negative.

    Returns:
        The text, rounded so that no digit claims to be known that is not.
    """
    if seconds < 55:  # noqa: PLR2004 - what would round to a minute is one
        return f"{max(1, round(seconds)) if seconds < 10 else round(seconds / 5) * 5} s"  # noqa: PLR2004
    minutes = max(1, round(seconds / 60))
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
