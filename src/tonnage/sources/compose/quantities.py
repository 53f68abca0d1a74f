"""Numbers, sizes and durations in text, as Compose reads them, and durations as it writes them.

Source: ``strconv.ParseFloat`` and ``time.Duration.String`` of Go; RAMInBytes of docker/go-units; ParseDuration of
xhit/go-str2duration.
"""

from __future__ import annotations

import math
from decimal import Decimal

from tonnage.lazily import regex

BEYOND = -(2**63)
"""What Compose makes of a number that takes more than 64 bits, on the machines that most people have."""
_WHOLE_NUMBERS = range(BEYOND, 2**63)
_DIGITS = "[0-9](?:_?[0-9])*+"
_FLOAT = regex(
    rf"[-+]?(?:(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?"
    r"|0[xX](?P<hex>_?[0-9A-Fa-f](?:_?[0-9A-Fa-f])*+(?:\.(?:[0-9A-Fa-f](?:_?[0-9A-Fa-f])*+)?)?[pP][-+]?[0-9]+))"
)
_WORDS = {"inf": math.inf, "infinity": math.inf, "nan": math.nan}
_LONGEST = 400
"""More characters than any number has that somebody writes."""
_SIZE = regex(r"(?P<number>.*[0-9.]) ?(?:(?P<unit>[kmgtp])(?:i?b)?|b)?")
_POWERS = " kmgtp"
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_UNITS = {
    "ns": 1, "us": 1_000, "µs": 1_000, "\u03bcs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000,
    "h": 3_600_000_000_000, "d": 86_400_000_000_000, "w": 604_800_000_000_000,
}  # fmt: skip
_PART = regex(rf"({_NUMBER})({'|'.join(_UNITS)})(?=[0-9.]|\Z)")
_DURATION = regex(rf"(?P<sign>[-+])?(?P<parts>0|(?:{_NUMBER}(?:{'|'.join(_UNITS)})(?=[0-9.]|\Z))+)")
_MOST_PLACES = 18
_SHORT = (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000), ("ns", 1))


def float_of(text: str) -> float | None:
    """Return the number that a text is; None when it is none."""
    if len(text) > _LONGEST:
        return None
    word = _WORDS.get(text.lstrip("+-").lower() if text[1:2] not in {"+", "-"} else "")
    if word is not None:
        return -word if text[0] == "-" else word
    match = _FLOAT.fullmatch(text)
    if match is None:
        return None
    bare = text.replace("_", "")
    try:
        value = float.fromhex(bare) if match["hex"] else float(bare)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def engine_bytes(text: str) -> int | None:
    """Return bytes from a size as Docker reads it: ``512m`` is 512 * 2^20. None when it is no size.

    What takes more than 64 bits is ``BEYOND``.
    """
    match = _SIZE.fullmatch(text.casefold()) if text.isascii() else None
    number = None if match is None else float_of(match["number"])
    if match is None or number is None or number < 0:
        return None
    size = number * 1024 ** _POWERS.index(match["unit"] or " ")
    return int(size) if math.isfinite(size) and int(size) in _WHOLE_NUMBERS else BEYOND


def nanoseconds_of(text: str) -> int | None:
    """Return the nanoseconds of a duration such as ``1m30s`` or ``-.5h``; None when it is none."""
    match = _DURATION.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    total = 0
    for number, unit in _PART.findall(match["parts"]):
        whole, _, fraction = number.partition(".")
        fraction = fraction[:_MOST_PLACES]
        total += int(whole or "0") * _UNITS[unit]
        total += int(float(fraction or "0") * (_UNITS[unit] / float(10 ** len(fraction))))
    if total not in _WHOLE_NUMBERS:
        return None
    return -total if match["sign"] == "-" else total


def duration_text(nanoseconds: int) -> str:
    """Return a duration as Compose writes it: ``1h0m0s``, ``1m30s``, ``1.5s``, ``500ms``."""
    left, sign = abs(nanoseconds), "-" if nanoseconds < 0 else ""
    minute = _UNITS["m"]
    if left < minute:
        unit, size = next(((unit, size) for unit, size in _SHORT if left >= size), ("s", 1))
        return f"{sign}{_quotient(left, size)}{unit}"
    minutes, rest = divmod(left, minute)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{f'{hours}h' if hours else ''}{minutes}m{_quotient(rest, _UNITS['s'])}s"


def _quotient(count: int, size: int) -> str:
    whole, rest = divmod(count, size)
    fraction = f"{Decimal(rest) / size:f}".partition(".")[2].rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)
