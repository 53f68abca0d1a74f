"""The forms of instructions: flags, exec form, pairs of name and value.

Source: ``frontend/dockerfile/parser`` and ``instructions`` of BuildKit, read in version 0.26.
"""

from __future__ import annotations

import json
import re

from tonnage.lazily import regex
from tonnage.model.forecast.dockerfile import Flag

_FLAG = regex(r"--(?P<name>[a-zA-Z][\w-]*)(?:=(?P<value>.*))?", re.DOTALL)


def split_flags(text: str) -> tuple[tuple[Flag, ...], str]:
    """Take the flags off the front of an instruction's text; quotes keep blanks together."""
    flags: list[Flag] = []
    while text.startswith("--"):
        word, rest = _first_word(text)
        match = _FLAG.fullmatch(word)
        if match is None:
            return tuple(flags), rest if word == "--" else text
        flags.append(Flag(match["name"], match["value"] or ""))
        text = rest
    return tuple(flags), text


def _first_word(text: str) -> tuple[str, str]:
    """Return the first word without its quotes, and the rest."""
    word, quote = "", ""
    for at, character in enumerate(text):
        if quote:
            if character == quote:
                quote = ""
            else:
                word += character
        elif character in "'\"":
            quote = character
        elif character.isspace():
            return word, text[at:].lstrip()
        else:
            word += character
    return word, ""


def json_words(body: str) -> tuple[str, ...] | None:
    """Return the members of a JSON array of strings; None for everything else."""
    if not body.startswith("["):
        return None
    try:
        members = json.loads(body)
    except ValueError:
        return None
    if not isinstance(members, list) or not all(isinstance(each, str) for each in members):
        return None
    return tuple(str(each) for each in members)


def quoted_words(text: str, escape: str) -> tuple[str, ...]:
    """Return a text cut at blanks that are neither quoted nor escaped; quotes and escapes stay."""
    words: list[str] = []
    word, quote, begun = "", "", False
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == escape and quote != "'":
            if at < len(text):
                word += character + text[at]
                begun = True
                at += 1
            else:
                quote = ""
            continue
        if not quote and character.isspace():
            if begun:
                words.append(word)
            word, begun = "", False
            continue
        if quote and character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
        word += character
        begun = True
    if begun:
        words.append(word)
    return tuple(words)


def pairs(body: str, escape: str) -> tuple[tuple[str, str], ...]:
    """Return the names and values of an ENV or LABEL, quotes and variables as they are written."""
    words = quoted_words(body, escape)
    if words and "=" not in words[0]:
        name, *value = re.split(r"[\t\v\f\r ]+", body, maxsplit=1)
        return ((name, value[0] if value else ""),)
    return tuple((name, value) for name, _, value in (word.partition("=") for word in words))


def definitions(body: str, escape: str) -> tuple[tuple[str, str | None], ...]:
    """Return the names and defaults of an ARG, quotes and variables as they are written."""
    words = (word.partition("=") for word in quoted_words(body, escape))
    return tuple((name, value if equals else None) for name, equals, value in words)
