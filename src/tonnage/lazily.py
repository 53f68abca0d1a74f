"""What is made when it is first used: the methods of dataclasses, and regular expressions.

A command imports hundreds of each and uses a few. Python compiles half a dozen functions for each dataclass, a
millisecond in all, and each regular expression at once: together they were the larger half of what a command computes.
Both behave like Python's own, with which type checkers take them for the same. Knows nothing of anything else here.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, FrozenInstanceError, fields
from dataclasses import dataclass as _with_fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - type checkers know this one
    from re import compile as regex

__all__ = ["dataclass", "regex"]


def _dataclass(*, frozen: bool = False, slots: bool, kw_only: bool = False) -> Callable[[type], type]:
    """Make a class with slots a dataclass, as :func:`dataclasses.dataclass` does.

    Fields are compared, hashed and shown all or not at all; classes that inherit from one another are not known.
    """
    if not slots:
        raise TypeError("only classes with slots are known here")

    def make(wanted: type) -> type:
        made: Any = _with_fields(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(wanted)
        names = [each.name for each in fields(made)]
        values = _values(names)

        def init(self: object, *given: object, **named: object) -> None:
            made.__init__ = own = _init(made)
            own(self, *given, **named)

        def equal(self: object, other: object) -> object:
            if other.__class__ is not self.__class__:
                return NotImplemented
            return values(self) == values(other)

        def hashed(self: object) -> int:
            return hash(values(self))

        def shown(self: object) -> str:
            told = ", ".join(f"{name}={value!r}" for name, value in zip(names, values(self), strict=True))
            return f"{self.__class__.__qualname__}({told})"

        methods: dict[str, Any] = {"__init__": init, "__eq__": equal, "__repr__": shown}
        methods |= {"__hash__": hashed, **_FROZEN} if frozen else {"__hash__": None}
        for name, method in methods.items():
            if name not in wanted.__dict__ or (name == "__hash__" and wanted.__dict__[name] is None):
                setattr(made, name, method)
        kind: type = made
        return kind

    return make


def _values(names: list[str]) -> Callable[[object], tuple[object, ...]]:
    """Return what takes the values of fields out of an instance."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda one: tuple(getattr(one, name) for name in names)


def _init(made: Any) -> Callable[..., None]:  # noqa: ANN401 - its slots are no attributes that types know
    """Write the constructor of a dataclass."""
    known: dict[str, Any] = {"_missing": MISSING}
    plain: list[str] = []
    keyword: list[str] = []
    body: list[str] = []
    for each in fields(made):
        name = each.name
        # A slot is set past what keeps instances from being changed.
        known[f"_set_{name}"] = getattr(made, name).__set__
        (keyword if each.kw_only else plain).append(f"{name}{_default(each, known)}")
        value = name
        if each.default_factory is not MISSING:
            value = f"_make_{name}() if {name} is _missing else {name}"
        body.append(f"    _set_{name}(self, {value})")
    if hasattr(made, "__post_init__"):
        body.append("    self.__post_init__()")
    taken = ", ".join(["self", *plain, *(["*", *keyword] if keyword else [])])
    exec(f"def __init__({taken}):\n" + "\n".join(body or ["    pass"]), known)  # noqa: S102 - only names of fields are put in
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"
    return init


def _default(each: Field[Any], known: dict[str, Any]) -> str:
    """Return what follows a field's name where it need not be given."""
    if each.default_factory is not MISSING:
        known[f"_make_{each.name}"] = each.default_factory
        return "=_missing"
    if each.default is not MISSING:
        known[f"_default_{each.name}"] = each.default
        return f"=_default_{each.name}"
    return ""


def _refuse_to_set(_self: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[object]:  # noqa: ANN401 - an instance of any of the classes
    return [getattr(self, each.name) for each in fields(self)]


def _take_state(self: Any, state: list[object]) -> None:  # noqa: ANN401 - an instance of any of the classes
    for each, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


_FROZEN: dict[str, Any] = {
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _state,
    "__setstate__": _take_state,
}


class _Regex:
    """A regular expression that is compiled when something is first asked of it."""

    def __init__(self, text: str, flags: int = 0) -> None:
        self._wanted = (text, flags)

    def __getattr__(self, name: str) -> object:
        found = getattr(re.compile(*self._wanted), name)
        # Found here from now on, without coming by again.
        self.__dict__[name] = found
        return found


if not TYPE_CHECKING:
    dataclass = _dataclass
    regex = _Regex
