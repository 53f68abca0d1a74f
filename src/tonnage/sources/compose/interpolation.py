"""Variables in compose files: ``$A``, ``${A}``, and with the operators ``:-``, ``-``, ``:?``, ``?``, ``:+`` and ``+``.

``$$`` is a dollar sign. Defaults may hold variables again. The variables are an argument: nothing here reads an
environment.

Source: the Compose specification, chapter Interpolation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.sources.compose.nodes import ComposeNode, MergeRule, UniqueList

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.model.stack import Place

_NAME = regex(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


def substitute(text: str, variables: Mapping[str, str], place: Place, on_unset: Callable[[str, Place], None]) -> str:
    """Put the values of variables into one text.

    Args:
        on_unset: Is told of each variable that is not set and has no default; the empty text stands for it.

    Raises:
        UsageError: A ``$`` that begins nothing, a brace that is not closed, or a required variable that is missing.
    """
    parts: list[str] = []
    position = 0
    while (start := text.find("$", position)) >= 0:
        parts.append(text[position:start])
        after = text[start + 1 : start + 2]
        if after == "$":
            parts.append("$")
            position = start + 2
        elif after == "{":
            end = _closing(text, start + 2)
            if end < 0:
                raise _invalid(text, place)
            parts.append(_braced(text[start + 2 : end], text, variables, place, on_unset))
            position = end + 1
        elif match := _NAME.match(text, start + 1):
            parts.append(_plain(match[0], variables, place, on_unset))
            position = match.end()
        else:
            raise _invalid(text, place)
    parts.append(text[position:])
    return "".join(parts)


def interpolate(
    written: ComposeNode, variables: Mapping[str, str], on_unset: Callable[[str, Place], None]
) -> ComposeNode:
    """Put the values of variables into every text of a tree; keys stay as they are.

    Raises:
        UsageError: As in :func:`substitute`.
    """
    value = written.value
    if written.rule is MergeRule.RESET:
        return written
    if isinstance(value, dict):
        entries = {key: interpolate(entry, variables, on_unset) for key, entry in value.items()}
        return ComposeNode(
            UniqueList(entries) if isinstance(value, UniqueList) else entries, written.place, written.rule
        )
    if isinstance(value, list):
        return ComposeNode([interpolate(entry, variables, on_unset) for entry in value], written.place, written.rule)
    if isinstance(value, str) and "$" in value:
        return ComposeNode(substitute(value, variables, written.place, on_unset), written.place, written.rule)
    return written


def _closing(text: str, start: int) -> int:
    depth = 1
    position = start
    while position < len(text):
        if text.startswith("${", position):
            depth += 1
            position += 2
            continue
        if text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return -1


def _braced(
    inner: str, text: str, variables: Mapping[str, str], place: Place, on_unset: Callable[[str, Place], None]
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
        return substitute(operand, variables, place, on_unset) if given else ""
    if given:
        return value or ""
    if operator.endswith("-"):
        return substitute(operand, variables, place, on_unset)
    reason = substitute(operand, variables, place, on_unset).strip()
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
    )
