"""Files that are written for the user and written anew later, without losing what the user changed in them.

A written file carries a sum of its own text. What stands between two marks belongs to the user and is carried over; it
is not part of the sum. A file whose sum does not hold was changed elsewhere too, and is not overwritten unasked.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter

from tonnage.lazily import regex

_REGION = regex(
    r"^(?P<begin>[ \t]*# keep: (?P<name>[\w-]+)\n)(?P<text>.*?)(?P<end>^[ \t]*# end: (?P=name)\n)",
    re.MULTILINE | re.DOTALL,
)
_SUM = regex(r"^# sum: (?P<sum>[0-9a-f]{64})\n", re.MULTILINE)


def sealed(text: str) -> str:
    """Return a file's text with its sum in it, as its last line."""
    return f"{text}# sum: {_sum_of(text)}\n"


def is_ours(text: str) -> bool:
    """Return whether a text was written by :func:`sealed`, changed since or not."""
    return _SUM.search(text) is not None


def is_unchanged(text: str) -> bool:
    """Return whether nothing was changed in a written file, except between its marks."""
    found = _SUM.search(text)
    return found is not None and found["sum"] == _sum_of(_SUM.sub("", text))


def carried_over(fresh: str, existing: str) -> str:
    """Return a fresh text with what the user wrote between the marks of an existing one."""
    kept = _regions(existing)
    places = iter(_regions(fresh))
    return _REGION.sub(lambda region: region["begin"] + kept.get(next(places), region["text"]) + region["end"], fresh)


def lost_marks(fresh: str, existing: str) -> tuple[str, ...]:
    """Return the names of marks with something between them that a fresh text has no place for."""
    places = _regions(fresh)
    return tuple(name for (name, nth), text in _regions(existing).items() if (name, nth) not in places and text.strip())


def _regions(text: str) -> dict[tuple[str, int], str]:
    """Return what stands between marks, by their name and how often it stood before: each job has first steps."""
    seen: Counter[str] = Counter()
    found = {}
    for region in _REGION.finditer(text):
        found[region["name"], seen[region["name"]]] = region["text"]
        seen[region["name"]] += 1
    return found


def _sum_of(text: str) -> str:
    return hashlib.sha256(_REGION.sub(lambda region: region["begin"] + region["end"], text).encode()).hexdigest()
