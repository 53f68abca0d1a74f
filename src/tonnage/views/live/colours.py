"""Words that begin a line and say that something is wrong, in colour. The text was made fit to be shown before."""

from __future__ import annotations

from tonnage.lazily import regex

_RED, _YELLOW, _END = "\x1b[1;31m", "\x1b[33m", "\x1b[0m"
_WRONG = regex(r"(?m)^(?:error:|refused:|failed(?=  )|does not fit\b)")
_DOUBTFUL = regex(r"(?m)^(?:warning(?=  |:)|may not fit\b|to do(?=  ))")


def coloured(text: str) -> str:
    """Return a text with these words in red or yellow."""
    text = _WRONG.sub(lambda found: f"{_RED}{found[0]}{_END}", text)
    return _DOUBTFUL.sub(lambda found: f"{_YELLOW}{found[0]}{_END}", text)
