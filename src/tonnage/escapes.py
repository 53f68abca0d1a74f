"""Text from outside as it may be shown: what cannot be seen is written out, and nothing in it is a command.

A name, a log or an answer may hold what moves the cursor of a terminal, turns the direction of a line around, breaks
it, or is taken for a command by what reads a job's log. Everything that leaves the program for people goes through
:func:`visible`, and a value that stands in a line of ours through :func:`visible_in_line`; doing so twice changes
nothing. JSON goes through :func:`json_escaped`, which loses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    import re

LONGEST_LINE = 8_000
"""Characters of a line that are shown; nobody reads more, and a value may have a million."""

# What has no picture of its own: controls, format characters (directions, tags, what has no width), other ends of
# lines, halves of pairs, and what is no character. The two joiners (200C, 200D) belong to letters and emojis, and stay.
_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe-\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_UNSEEN_ONE = regex(f"[{_UNSEEN}]")
# Colours and the like, which every other program prints: they are left out rather than written out.
_COLOUR = regex(r"\x1b\[[0-9;:]*m")
# What stays and yet may be passed over where texts are compared: joiners and what chooses between forms of a letter.
_PASSED_OVER = "\u034f\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"
# Source: ActionCommand.cs of the program that runs GitHub's jobs: "::" after blanks at the start of a line, and "##["
# anywhere in it; others of its family write "##vso[" and "##teamcity[".
_LINE_COMMAND = regex(rf"(?m)^((?:[^\S\n]|[{_PASSED_OVER}])*)(?=:[{_PASSED_OVER}]*:)")
_COMMAND = regex(rf"(#[{_PASSED_OVER}]*#[\w{_PASSED_OVER}]*)\[")


def visible(text: str) -> str:
    """Return a text of one or more lines as it may be shown to people: none of them begins with a command."""
    if text.isascii() and "::" not in text and "##" not in text and text.replace("\n", "").isprintable():
        return text
    return _LINE_COMMAND.sub(r"\1\\", _seen(text.replace("\r\n", "\n")))


def visible_in_line(value: object) -> str:
    """Return a value as it may stand in a line of ours: its own line breaks are written out."""
    return _seen(str(value)).replace("\n", r"\n")


def is_visible(text: str) -> bool:
    """Return whether a text is one line in which nothing has to be written out."""
    return visible_in_line(text) == text


def shortened(text: str, most: int = LONGEST_LINE) -> str:
    """Return a text whose lines are cut at a number of characters, with how much is missing."""
    if len(text) <= most:
        return text
    return "\n".join(
        line if len(line) <= most else f"{line[:most]}... ({len(line) - most} more characters)"
        for line in text.split("\n")
    )


def json_escaped(encoded: str) -> str:
    """Return JSON in which what cannot be seen, and what begins a command, stands by its number: nothing is lost."""
    if encoded.isascii() and "##" not in encoded and encoded.isprintable():
        return encoded
    return _COMMAND.sub(r"\1\\u005b", _UNSEEN_ONE.sub(_as_json, encoded))


def _seen(text: str) -> str:
    return _COMMAND.sub(r"\1\\[", _UNSEEN_ONE.sub(_written_out, _COLOUR.sub("", text)))


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _as_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
