"""Files of variables (``.env``, ``env_file``): one ``NAME=VALUE`` a line, comments, quotes, values over several lines.

Single quotes keep everything as it is; elsewhere variables are put in, those of the caller before those of the file.

Source: the Compose specification, chapters Env_file format and Interpolation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.stack import Place
from tonnage.sources.compose.interpolation import substitute

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE = regex(r"(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.\-\[\]]*)[ \t]*(?P<sign>[=:])?[ \t]*(?P<rest>[^\n]*)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_DOLLAR = "\0"  # stands for an escaped dollar sign while variables are put in; no text file holds a NUL


def read_dotenv(text: str, file: str, variables: Mapping[str, str], *, raw: bool = False) -> dict[str, str | None]:
    """Read a file of variables.

    Returns:
        The variables in the order of writing; None for a name that has no value anywhere.

    Raises:
        UsageError: A line that is no variable, a quote that is not closed, or a wrong ``$``.
    """
    found: dict[str, str | None] = {}
    position, line = 0, 1
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        stripped = text[position:end].strip()
        if not stripped or stripped.startswith("#"):
            position, line = end + 1, line + 1
            continue
        begin = position + len(text[position:end]) - len(text[position:end].lstrip())
        match = _LINE.match(text, begin)
        if match is None or (match["sign"] is None and match["rest"].split("#")[0].strip()):
            raise UsageError(f"{stripped!r} sets no variable", todo="Write NAME=VALUE.", place=str(Place(file, line)))
        if match["sign"] is None:
            found[match["name"]] = variables.get(match["name"])
            consumed = end
        elif raw:
            found[match["name"]] = text[match.start("rest") : end].rstrip("\r")
            consumed = end
        else:
            value, consumed = _value(text, match.start("rest"), end, Place(file, line), {**_set(found), **variables})
            found[match["name"]] = value
        line += text.count("\n", position, consumed) + 1
        position = consumed + 1
    return found


def _set(found: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in found.items() if value is not None}


def _value(text: str, start: int, end: int, place: Place, variables: Mapping[str, str]) -> tuple[str, int]:
    """Return one value and where its line ends."""
    quote = text[start : start + 1]
    if quote in {"'", '"'}:
        close = _close(text, start + 1, quote)
        if close < 0:
            raise UsageError(f"the quote {quote} is not closed", place=str(place))
        inner = text[start + 1 : close]
        line_end = text.find("\n", close)
        line_end = len(text) if line_end < 0 else line_end
        if quote == "'":
            return inner, line_end
        return _fill(_unescape(inner), variables, place), line_end
    bare = re.split(r"(?:^|\s)#", text[start:end], maxsplit=1)[0].strip()
    return _fill(bare.replace("\\$", _DOLLAR), variables, place), end


def _close(text: str, start: int, quote: str) -> int:
    position = start
    while position < len(text):
        if text[position] == "\\" and quote == '"':
            position += 2
            continue
        if text[position] == quote:
            return position
        position += 1
    return -1


def _unescape(inner: str) -> str:
    def replace(match: re.Match[str]) -> str:
        sign = match[1]
        return _DOLLAR if sign == "$" else _ESCAPES.get(sign, sign if sign in '"\\' else f"\\{sign}")

    return re.sub(r"\\(.)", replace, inner, flags=re.DOTALL)


def _fill(value: str, variables: Mapping[str, str], place: Place) -> str:
    return substitute(value, variables, place, lambda _name, _place: None).replace(_DOLLAR, "$")
