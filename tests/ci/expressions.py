"""Expressions of workflows and actions, as far as ours use them, with GitHub's meaning of truth and equality.

Source: GitHub's reference "Evaluate expressions in workflows and actions".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)|(?P<sign>==|!=|&&|\|\||!|\(|\))|(?P<name>[\w.-]+))"
)
_INTERPOLATED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_STATUS = ("always", "failure", "success", "cancelled")


class Expressions:
    """Evaluates expressions within contexts such as ``inputs`` and ``steps``, and functions such as ``always``."""

    def __init__(self, contexts: Mapping[str, object], functions: Mapping[str, Callable[[], object]]) -> None:
        self._contexts = contexts
        self._functions = functions

    def value(self, text: str) -> object:
        """Evaluate an expression, with or without ``${{ }}`` around it."""
        tokens = _tokens(_bare(text))
        found = self._either(tokens)
        assert not tokens, f"cannot be read: {text!r} at {tokens}"
        return found

    def holds(self, condition: str) -> bool:
        """Evaluate the condition of a step or a job; without a function that asks for it, all before has to be well."""
        asked = any(f"{name}()" in condition for name in _STATUS)
        return bool(asked or self._functions["success"]()) and _truth(self.value(condition))

    def text(self, text: object) -> str:
        """Fill in every expression within a text."""
        if not isinstance(text, str):
            return shown(text)
        return _INTERPOLATED.sub(lambda found: shown(self.value(found[1])), text)

    def _either(self, tokens: list[str]) -> object:
        left = self._both(tokens)
        while tokens[:1] == ["||"]:
            tokens.pop(0)
            right = self._both(tokens)
            left = left if _truth(left) else right
        return left

    def _both(self, tokens: list[str]) -> object:
        left = self._compared(tokens)
        while tokens[:1] == ["&&"]:
            tokens.pop(0)
            right = self._compared(tokens)
            left = right if _truth(left) else left
        return left

    def _compared(self, tokens: list[str]) -> object:
        left = self._one(tokens)
        while tokens[:1] in (["=="], ["!="]):
            equal = tokens.pop(0) == "=="
            left = _equal(left, self._one(tokens)) is equal
        return left

    def _one(self, tokens: list[str]) -> object:
        token = tokens.pop(0)
        if token == "!":
            return not _truth(self._one(tokens))
        if token == "(":
            found = self._either(tokens)
            assert tokens.pop(0) == ")"
            return found
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token in {"true", "false"}:
            return token == "true"
        if token[0].isdigit():
            return float(token)
        if tokens[:2] == ["(", ")"]:
            del tokens[:2]
            return self._functions[token]()
        return self._looked_up(token)

    def _looked_up(self, name: str) -> object:
        context, *rest = name.split(".")
        assert context in self._contexts, f"there is no context {context}"
        found: object = self._contexts[context]
        for part in rest:
            found = found.get(part) if isinstance(found, dict) else None
        return found


def shown(value: object) -> str:
    """Return a value as it stands in a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _bare(text: str) -> str:
    whole = re.fullmatch(r"\s*\$\{\{(.*)\}\}\s*", text, re.DOTALL)
    return whole[1] if whole else text


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token, f"cannot be read: {text[at:]!r}"
        found.append(token[0].strip())
        at = token.end()
    return found


def _truth(value: object) -> bool:
    return value not in (None, "", False, 0)


def _equal(left: object, right: object) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if type(left) is type(right):
        return left == right
    numbers = [_number(each) for each in (left, right)]
    return numbers[0] == numbers[1]


def _number(value: object) -> float:
    if value is None or value == "":
        return 0.0
    try:
        return float(value)  # type: ignore[arg-type]
    except ValueError:
        return float("nan")
