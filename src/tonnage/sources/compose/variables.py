"""Variables: files of them (``.env``, ``env_file``), and what stands for them in compose files.

``$A``, ``${A}``, and with the operators ``:-``, ``-``, ``:?``, ``?``, ``:+`` and ``+``; ``$$`` is a dollar sign, as is
one that begins none of these, and defaults may hold variables again. A file has one ``NAME=VALUE`` a line, comments,
quotes, values over several lines: single quotes keep variables as they are; elsewhere they are put in, those of the
caller before those of the file. The variables are an argument: nothing here reads an environment.

Source: the Compose specification, chapters Env_file format and Interpolation; where it is silent, compose-go v2
(packages template and dotenv).
"""

from __future__ import annotations

import re
from collections import ChainMap
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.stack import Place
from tonnage.sources.compose.nodes import ComposeNode, MergeRule, with_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAME = "[A-Za-z_\u017f\u212a][A-Za-z0-9_\u017f\u212a]*"  # Letters whose small or capital form is a to z.
_REFERENCE = regex(rf"\$(?:(?P<sign>[${{])|(?P<name>{_NAME}))")
_BRACED = regex(rf"(?P<name>{_NAME})(?:\}}|(?P<operator>:?[-?+]))")
_BRACES = regex(r"\{.?|\}", re.DOTALL)
_SPACE = "\\t\\v\\f\\r \x85\xa0"
_BETWEEN = regex(rf"(?:[\n{_SPACE}\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|#[^\n]*)*")
_EXPORT = regex(rf"export[\t\n\f\r ][{_SPACE}]*")
_KEY = regex(rf"(?P<name>[\w.\-\[\]{_SPACE}]*)(?P<sign>[=:\n]|\Z)[{_SPACE}]*")
_QUOTED = {quote: regex(rf"{quote}((?:[^\\{quote}]|\\.)*+){quote}", re.DOTALL) for quote in "'\""}
_ESCAPE = regex(r'\\([abfnrtv$"\\]|0[0-9]{0,3})')
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$$"}
_OCTAL = regex(r"0[0-3][0-7]{2}")
_DEEPEST = 50
_LONGEST_TEXT, _LONGEST_IN_ALL = 1_000_000, 64_000_000


def substitute(
    text: str, variables: Mapping[str, str], place: Place, on_unset: Callable[[str, Place], None], depth: int = 0
) -> str:
    """Put the values of variables into one text.

    Args:
        on_unset: Is told of each variable that is not set and has no default; the empty text stands for it.
        depth: In how many defaults the text stands.

    Raises:
        UsageError: A ``${`` that names no variable, an open brace, a required variable that is missing (in a default
            that is not used, too), defaults in defaults without end, or more text than anybody writes.
    """
    if depth > _DEEPEST:
        raise UsageError("defaults of variables stand in each other too deeply", place=str(place))
    parts: list[str] = []
    position, made = 0, 0
    while (match := _REFERENCE.search(text, position)) is not None:
        parts.append(text[position : match.start()])
        position = match.end()
        if match["name"]:
            parts.append(_plain(match["name"], variables, place, on_unset))
        elif match["sign"] == "$":
            parts.append("$")
        else:
            braced = _BRACED.match(text, position)
            end = -1 if braced is None else braced.end() - 1 if not braced["operator"] else _last(text, braced.end())
            if braced is None or end < 0:
                raise _invalid(text, place)
            if braced["operator"]:
                end = _closing(text, position - 1, end)
                operand = text[braced.end() : end]
                parts.append(_chosen(braced["name"], braced["operator"], operand, variables, place, on_unset, depth))
            else:
                parts.append(_plain(braced["name"], variables, place, on_unset))
            position = end + 1
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


def _last(text: str, start: int) -> int:
    """Return where the last closing brace of a line is."""
    end = text.find("\n", start)
    return text.rfind("}", start, len(text) if end < 0 else end)


def _closing(text: str, start: int, last: int) -> int:
    """Return where what opens at ``start`` is closed: the last brace of the line, where the braces do not balance.

    The sign behind an opening brace counts for nothing, so that ``{}`` closes nothing. That is how Compose counts.
    """
    depth = 0
    for brace in _BRACES.finditer(text, start, last + 1):
        depth += 1 if brace[0][0] == "{" else -1
        if depth == 0:
            return brace.start()
    return last


def _chosen(
    name: str,
    operator: str,
    operand: str,
    variables: Mapping[str, str],
    place: Place,
    on_unset: Callable[[str, Place], None],
    depth: int,
) -> str:
    value = variables.get(name)
    given = bool(value) if operator[0] == ":" else value is not None
    used = given if operator[-1] == "+" else not given
    other = substitute(operand, variables, place, on_unset if used else _ignore, depth + 1)
    if operator[-1] == "?" and not given:
        raise UsageError(
            f"the required variable {name} is {'empty' if value == '' else 'not set'}",
            why=other.strip(),
            todo=f"Set it in the environment or in the .env file:\n  export {name}=VALUE",
            place=str(place),
        )
    return other if used else value or ""


def _ignore(_name: str, _place: Place) -> None:
    """Take no note of a variable that is not set."""


def _plain(name: str, variables: Mapping[str, str], place: Place, on_unset: Callable[[str, Place], None]) -> str:
    value = variables.get(name)
    if value is None:
        on_unset(name, place)
        return ""
    return value


def _invalid(text: str, place: Place) -> UsageError:
    return UsageError(
        f"{text!r} holds a '${{' that begins no variable",
        todo="Write '$$' for a dollar sign, and ${NAME} or ${NAME:-default} for a variable.",
        place=str(place),
        expected="a '${' has to begin a variable, as ${NAME} or ${NAME:-default}, or its '$' to be doubled",
    )


def read_dotenv(
    text: str, file: str, variables: Mapping[str, str], *, earlier: Mapping[str, str] | None = None, raw: bool = False
) -> dict[str, str]:
    """Read a file of variables.

    Args:
        variables: What goes before the file: these values are seen, also where it sets the same name.
        earlier: What other files said, which is seen where neither knows a name.
        raw: Every value is as it stands, to the end of its line.

    Returns:
        The variables in the order of writing, without names that have no value anywhere.

    Raises:
        UsageError: A line that is no variable, a quote that is not closed, or a wrong ``$``.
    """
    text = text.removeprefix("\ufeff")
    if raw:
        return _read_raw(text, file, variables)
    found: dict[str, str] = {}
    seen = ChainMap(dict(variables), found, dict(earlier or {}))
    position, line, counted, made = 0, 1, 0, 0
    while (start := _after(_BETWEEN, text, position)) < len(text):
        line, counted = line + text.count("\n", counted, start), start
        place = Place(file, line)
        position = _after(_EXPORT, text, start)
        match = _KEY.match(text, position)
        name = match["name"].rstrip() if match is not None else ""
        if match is None or position == len(text) or " " in name:
            raise _no_variable(text[start:].partition("\n")[0], place)
        position = match.end()
        if match["sign"] == "\n":
            if name in variables:
                found[name] = variables[name]
            continue
        if not match["sign"]:
            # Where the last line is a name and has no line end, Compose takes it for the value of no name.
            name, position = "", match.start()
        found[name], position = _value(text, position, place, seen)
        made += len(found[name])
        if made > _LONGEST_IN_ALL:
            raise UsageError(
                f"with variables put in this file has more than {_LONGEST_IN_ALL:,} characters", place=str(place)
            )
    return found


def _read_raw(text: str, file: str, variables: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, written in enumerate(text.split("\n"), 1):
        line = written.removesuffix("\r").lstrip()
        name, sign, value = line.partition("=")
        if line.startswith("#") or not line:
            continue
        if not name or " " in name or "\t" in name:
            raise _no_variable(line, Place(file, number))
        if sign or name in variables:
            found[name] = value if sign else variables[name]
    return found


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Return where something that may stand at a position ends."""
    match = pattern.match(text, position)
    return position if match is None else match.end()


def _no_variable(line: str, place: Place) -> UsageError:
    return UsageError(
        f"{line.strip()!r} sets no variable",
        todo="Write NAME=VALUE.",
        place=str(place),
        expected="a line of a file of variables has to be NAME=VALUE",
    )


def _value(text: str, start: int, place: Place, variables: Mapping[str, str]) -> tuple[str, int]:
    """Return one value and where it ends."""
    quote = text[start : start + 1]
    if quote not in _QUOTED:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        return substitute(text[start:end].partition(" #")[0].rstrip(), variables, place, _ignore), end
    quoted = _QUOTED[quote].match(text, start)
    if quoted is None:
        raise UsageError(
            f"the quote {quote} is not closed", place=str(place), expected=f"the quote {quote} is not closed"
        )
    inner = quoted[1].replace(f"\\{quote}", quote)
    if quote == '"':
        inner = substitute(_ESCAPE.sub(_unescaped, inner), variables, place, _ignore)
    return inner, quoted.end()


def _unescaped(escape: re.Match[str]) -> str:
    sign = escape[1]
    if sign[0] != "0":
        return _ESCAPED.get(sign, sign)
    # Behind the zero stand three digits; where they mean nothing, only the zero is lost.
    return chr(int(sign, 8)) if _OCTAL.fullmatch(sign) else f"\\{sign[1:]}"
