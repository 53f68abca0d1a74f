"""Texts that mean something to a terminal, to what reads a job's log, or to a reader of Markdown."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import strategies as st

HOSTILE = (
    "x\n::stop-commands::x",
    "\r\n\t ::add-mask::x",
    "\u00a0::error::x",
    "x##[error]x",
    "#\u200d#\ufe0f[error]x",
    "##vso[task.setvariable variable=x]x",
    ":\u200d:error::x",
    "\x1b[2J\x1b[6;66H\x1b]0;title\x07",
    "\x1b]8;;http://example.org\x1b\\x",
    "#\x1b[0m#[error]x",
    "\x9b31mx\x90x\x9c",
    "x\u202ey\u2066z\u200e\u200f\u061c",
    "x\u2028::error::x\u2029\x85\x0b\x0c\x1c",
    "\x00\x07\x08\x7f",
    "x\udc80\ud800",
    "\U000e0041\ufeff\u200b\xad",
    "[red]x[/red] :smile: {x} %s",
    "`x` | @someone <img src=x> [x](http://example.org) www.example.org https://example.org #1",
)
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
PASSED_OVER = re.compile("[\u034f\u180b-\u180f\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff\xad\U000e0000-\U000e0fff]")
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from((*HOSTILE, "\n", "\r", ":", "#", "[", " ", "\x1b", "\t")), max_size=6).map("".join),
    st.text(st.characters(exclude_categories=()), max_size=30),
)


def unseen(text: str) -> list[str]:
    """Return what a terminal would act upon instead of showing it."""
    return [
        letter
        for letter in text
        if (unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} and letter not in "\n\t") or letter in TURNS
    ]


def commands(text: str) -> list[str]:
    """Return the lines that GitHub's runner, whichever way it compares, would take for commands.

    Source: ``ActionCommand.TryParseV2`` and ``TryParse`` of actions/runner.
    """
    return [
        line
        for line in text.split("\n")
        if (bare := PASSED_OVER.sub("", line)).lstrip().startswith("::")
        or re.search(r"##\w*\[", bare)
        or re.search(r"##\w*\[", line)
    ]


def assert_text(text: str) -> None:
    assert not unseen(text), ascii(text)
    assert not commands(text), ascii(text)
