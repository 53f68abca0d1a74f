"""Variables: files of them (``.env``, ``env_file``), and what stands for them in compose files.

``$A``, ``${A}``, and with the operators ``:-``, ``-``, ``:?``, ``?``, ``:+`` and ``+``; ``$$`` is a dollar sign, and
defaults may hold variables again. A file has one ``NAME=VALUE`` a line, comments, quotes, values over several lines:
single quotes keep everything as it is; elsewhere variables are put in, those of the caller before those of the file.
The variables are an argument: nothing here reads an environment.

Source: the Compose specification, chapters Env_file format and Interpolation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.stack import Place
from tonnage.sources.compose.nodes import ComposeNode, MergeRule, with_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAME = regex(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_LINE = regex(r"(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.\-\[\]]*)[ \t]*(?P<sign>[=:])?[ \t]*(?P<rest>[^\n]*)")
_BRACES = regex(r"\$\{|\}")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_DEEPEST = 50
_LONGEST_TEXT, _LONGEST_IN_ALL = 1_000_000, 64_000_000
_DOLLAR = "\0"  # stands for an escaped dollar sign while variables are put in; no text file holds a NUL


def substitute(
    text: str, variables: Mapping[str, str], place: Place, on_unset: Callable[[str, Place], None], depth: int = 0
) -> str:
    """Put the values of variables into one text.

    Args:
        on_unset: Is told of each variable that is not set and has no default; the empty text stands for it.
        depth: In how many defaults the text stands.

    Raises:
        UsageError: A ``$`` that begins nothing, an open brace, a required variable that is missing, defaults
            in defaults without end, or more text than anybody writes.
    """
    if depth > _DEEPEST:
        raise _too_deep(place)
    parts: list[str] = []
    position, made = 0, 0
    while (start := text.find("$", position)) >= 0:
        parts.append(text[position:start])
        after = text[start + 1 : start + 2]
        if after == "$":
            parts.append("$")
            position = start + 2
        elif after == "{":
            end = _closing(text, start + 2, place)
            if end < 0:
                raise _invalid(text, place)
            parts.append(_braced(text[start + 2 : end], text, variables, place, on_unset, depth))
            position = end + 1
        elif match := _NAME.match(text, start + 1):
            parts.append(_plain(match[0], variables, place, on_unset))
            position = match.end()
        else:
            raise _invalid(text, place)
        made += len(parts[-1])
        if made > _LONGEST_TEXT:
            raise UsageError(
                f"with its variables put in this text has more than {_LONGEST_TEXT:,} characters", place=str(place)
            )
    parts.append(text[position:])
    return "".join(parts)


def interpolate(
    written: ComposeNode, variables: Mapping[str, str], on_unset: Callable[[str, Place], None]
) -> ComposeNode:
    """Put the values of variables into every text of a tree; keys stay as they are.

    Raises:
        UsageError: As in :func:`substitute`.
    """
    made = 0

    def counted(text: str, place: Place) -> str:
        nonlocal made
        filled = substitute(text, variables, place, on_unset)
        made += len(filled)
        if made > _LONGEST_IN_ALL:
            raise UsageError(
                f"with variables put in these files have more than {_LONGEST_IN_ALL:,} characters", place=str(place)
            )
        return filled

    return _interpolated(written, counted)


def _interpolated(written: ComposeNode, fill: Callable[[str, Place], str]) -> ComposeNode:
    value = written.value
    if written.rule is MergeRule.RESET:
        return written
    if isinstance(value, dict):
        entries = {key: _interpolated(entry, fill) for key, entry in value.items()}
        return with_entries(written, entries)
    if isinstance(value, list):
        return ComposeNode([_interpolated(entry, fill) for entry in value], written.place, written.rule)
    if isinstance(value, str) and "$" in value:
        return ComposeNode(fill(value, written.place), written.place, written.rule)
    return written


def _closing(text: str, start: int, place: Place) -> int:
    depth = 1
    for sign in _BRACES.finditer(text, start):
        depth += 1 if sign[0] == "${" else -1
        if depth > _DEEPEST:
            raise _too_deep(place)
        if depth == 0:
            return sign.start()
    return -1


def _too_deep(place: Place) -> UsageError:
    return UsageError("defaults of variables stand in each other too deeply", place=str(place))


def _braced(
    inner: str,
    text: str,
    variables: Mapping[str, str],
    place: Place,
    on_unset: Callable[[str, Place], None],
    depth: int,
) -> str:
    match = _NAME.match(inner)
    if match is None:
        raise _invalid(text, place)
    name, rest = match[0], inner[match.end() :]
    if not rest:
        return _plain(name, variables, place, on_unset)
    operator = next((sign for sign in _OPERATORS if rest.startswith(sign)), "")
    if not operator:
        raise _invalid(text, place)
    operand = rest[len(operator) :]
    value = variables.get(name)
    given = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return substitute(operand, variables, place, on_unset, depth + 1) if given else ""
    if given:
        return value or ""
    if operator.endswith("-"):
        return substitute(operand, variables, place, on_unset, depth + 1)
    reason = substitute(operand, variables, place, on_unset, depth + 1).strip()
    raise UsageError(
        f"the required variable {name} is {'empty' if value == '' else 'not set'}",
        why=reason,
        todo=f"Set it in the environment or in the .env file:\n  export {name}=VALUE",
        place=str(place),
    )


def _plain(name: str, variables: Mapping[str, str], place: Place, on_unset: Callable[[str, Place], None]) -> str:
    value = variables.get(name)
    if value is None:
        on_unset(name, place)
        return ""
    return value


def _invalid(text: str, place: Place) -> UsageError:
    return UsageError(
        f"{text!r} holds a '$' that begins no variable",
        todo="Write '$$' for a dollar sign, and ${NAME} or ${NAME:-default} for a variable.",
        place=str(place),
        expected="a '$' has to begin a variable, as ${NAME} or ${NAME:-default}, or to be doubled",
    )


def read_dotenv(text: str, file: str, variables: Mapping[str, str], *, raw: bool = False) -> dict[str, str | None]:
    """Read a file of variables.

    Returns:
        The variables in the order of writing; None for a name that has no value anywhere.

    Raises:
        UsageError: A line that is no variable, a quote that is not closed, or a wrong ``$``.
    """
    found: dict[str, str | None] = {}
    seen = dict(variables)
    position, line, made = 0, 1, 0
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
            raise UsageError(
                f"{stripped!r} sets no variable",
                todo="Write NAME=VALUE.",
                place=str(Place(file, line)),
                expected="a line of a file of variables has to be NAME=VALUE",
            )
        if match["sign"] is None:
            found[match["name"]] = variables.get(match["name"])
            consumed = end
        elif raw:
            found[match["name"]] = text[match.start("rest") : end].rstrip("\r")
            consumed = end
        else:
            value, consumed = _value(text, match.start("rest"), end, Place(file, line), seen)
            found[match["name"]] = value
            made += len(value)
            if made > _LONGEST_IN_ALL:
                raise UsageError(
                    f"with variables put in this file has more than {_LONGEST_IN_ALL:,} characters",
                    place=str(Place(file, line)),
                )
        told = found[match["name"]]
        if match["name"] not in variables and told is not None:
            seen[match["name"]] = told
        line += text.count("\n", position, consumed) + 1
        position = consumed + 1
    return found


def _value(text: str, start: int, end: int, place: Place, variables: Mapping[str, str]) -> tuple[str, int]:
    """Return one value and where its line ends."""
    quote = text[start : start + 1]
    if quote in {"'", '"'}:
        close = _close(text, start + 1, quote)
        if close < 0:
            raise UsageError(
                f"the quote {quote} is not closed", place=str(place), expected=f"the quote {quote} is not closed"
            )
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
