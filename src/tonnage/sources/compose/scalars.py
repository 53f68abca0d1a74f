"""Scalars of a compose file: what may stand at a key that holds one value, and its one form.

A shape reads a written value, refuses what does not fit with its place, and returns the long form: quoted numbers
become numbers, durations and sizes are written one way, paths become absolute.
"""

from __future__ import annotations

import math
import posixpath
import re
import struct
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from msgspec import Struct, field

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.sources.compose.nodes import ComposeNode, nearest, wrong
from tonnage.sources.compose.quantities import BEYOND, duration_text, engine_bytes, float_of, nanoseconds_of

if TYPE_CHECKING:
    from collections.abc import Callable


_WHOLE_NUMBERS = range(-(2**63), 2**63)
_LEAST_EXPONENT, _FIRST_WITH_EXPONENT = -4, 6
_OF_WINDOWS = regex(r"[\x00-\x7f]:[\\/]|[\\/]{2}|\\\?\?\\[^\\/]*[\\/]")
_WIDEST = 3.4e38
_DIGITS = regex(r"[-+]?[0-9]{1,40}")


class PathBase(Struct, frozen=True):
    """What relative paths stand on.

    Args:
        home: What ``~`` stands for; empty when it is not known.
        lenient: Let unknown keys pass, because Compose itself has judged the files.
    """

    directory: str
    home: str = ""
    lenient: bool = False

    def path(self, text: str, *, home: bool = True) -> str:
        """Return the text as an absolute path; one that is written as absolute stays as it is.

        Args:
            home: ``~`` is the home directory, and no name like others.
        """
        if home and self.home and text.startswith("~"):
            return tidy(f"{self.home}/{text[1:]}")
        return text if text.startswith("/") else tidy(f"{self.directory}/{text}")


class Shape(Protocol):
    """What may stand at a key."""

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the long form of ``written``, which stands at ``name``.

        Raises:
            UsageError: The value does not fit.
        """


def clean(path: str) -> str:
    """Return a path without what changes nothing in it; a relative one stays relative."""
    return posixpath.normpath("/" + path.lstrip("/") if path.startswith("/") else path)


def tidy(path: str) -> str:
    """Return an absolute path without what changes nothing in it, and without ``..``."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)


def with_value(written: ComposeNode, value: object) -> ComposeNode:
    """Return the written value with another value in its place."""
    return ComposeNode(value, written.place, written.rule, written.text)


def as_text(value: object) -> str:
    """Return a scalar as Compose writes it as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _float_text(value) if isinstance(value, float) else str(value)


def _float_text(value: float) -> str:
    """Return a float as Go prints it: with the fewest digits, and an exponent of two digits or more where it is large.

    Source: ``strconv.FormatFloat`` with the format ``g``.
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value:+}".replace("inf", "Inf")
    digits, exponent = _digits(repr(abs(value)))
    sign = "-" if math.copysign(1, value) < 0 else ""
    if _LEAST_EXPONENT <= exponent < _FIRST_WITH_EXPONENT:
        return sign + repr(abs(value)).removesuffix(".0")
    return f"{sign}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{exponent:+03}"


def _digits(shortest: str) -> tuple[str, int]:
    """Return the digits of a positive number, and the exponent of the first one."""
    mantissa, _, exponent = shortest.partition("e")
    before, _, behind = mantissa.partition(".")
    digits = (before + behind).lstrip("0")
    first = len(before) - 1 - (len(before + behind) - len(digits)) + int(exponent or 0)
    return digits.rstrip("0") or "0", first if digits else 0


class _Scalar(Struct, frozen=True):
    """A value that has one form; nothing stays nothing."""

    expected: ClassVar[str] = ""

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:  # noqa: ARG002 - a Shape
        """Return the form, at the same place."""
        if written.value is None:
            return written
        form = self._form(written.value)
        if form is None:
            raise wrong(written, name, self.expected)
        return with_value(written, form)

    def _form(self, value: Any) -> str | int | float | None:  # noqa: ANN401 - the shape of the data is what the user wrote
        """Return the one form of a value; None when it does not fit."""
        raise NotImplementedError


class Text(Struct, frozen=True):
    """Text; numbers and booleans become text. ``choices`` limits it when there are any, as does ``pattern``."""

    choices: tuple[str, ...] = ()
    pattern: str = ""
    example: str = ""

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:  # noqa: ARG002 - a Shape
        """Return the text; raises UsageError when the value does not fit."""
        if written.value is None:
            return written
        if not isinstance(written.value, str | int | float):
            raise wrong(written, name, "text")
        text = as_text(written.value)
        if self.choices and text not in self.choices:
            raise UsageError(
                f"{name} cannot be {text!r}", todo=nearest(text, self.choices, kind="values"), place=str(written.place)
            )
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise wrong(written, name, f"text such as {self.example}")
        return with_value(written, text)


class PathText(Struct, frozen=True):
    """A path, made absolute.

    Args:
        keep: Says yes to what stays as it is: a URL, a service.
        read_here: The file is read here, so that nothing in its path may lead elsewhere than it seems.
        mounted: The engine may run elsewhere, and an absolute path of Windows is one.
        home: ``~`` is the home directory.
    """

    keep: Callable[[str], bool] = field(default=lambda _text: False)
    read_here: bool = False
    mounted: bool = False
    home: bool = True

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the absolute path."""
        text = Text().read(written, name, ground)
        if text.value is None or self.keep(text.value) or (self.mounted and _OF_WINDOWS.match(text.value)):
            return text
        path = ground.path(text.value, home=self.home)
        return with_value(text, tidy(path) if self.read_here else path)


_WHOLE_NUMBERS = range(BEYOND, 2**63)


class Whole(_Scalar, frozen=True):
    """A whole number; text that is one becomes one, and what stands behind a point falls away.

    Args:
        words: Words that stand for numbers.
        within: The least and the greatest that it may be.
        wraps: A number that takes more than 64 bits is taken for what Compose makes of it, and not refused.
    """

    expected: ClassVar[str] = "a whole number"
    words: tuple[tuple[str, int], ...] = ()
    within: tuple[int, int] = (BEYOND, 2**63 - 1)
    wraps: bool = False

    def _form(self, value: Any) -> int | None:  # noqa: ANN401
        given = value
        if isinstance(value, str):
            if value.lower() in dict(self.words):
                return dict(self.words)[value.lower()]
            value = int(value) if _DIGITS.fullmatch(value) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        if self.within[0] <= int(value) <= self.within[1]:
            return int(value)
        below = self.within[0] >= 0 > value
        wraps = self.wraps and not isinstance(given, str) and int(value) not in _WHOLE_NUMBERS and not below
        return (2**63 if self.within[1] == 2**64 - 1 else BEYOND) if wraps else None


class Number(_Scalar, frozen=True):
    """A number; text that is one becomes one, as near as 32 bits hold it where they are ``narrow``."""

    expected: ClassVar[str] = "a number"
    narrow: bool = False

    def _form(self, value: Any) -> int | float | None:  # noqa: ANN401
        if isinstance(value, str):
            value = float_of(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        value = _narrow(value) if self.narrow else value
        if not math.isfinite(value):
            return None
        return int(value) if float(value).is_integer() else value


def _narrow(value: float) -> float:
    """Return the number of 32 bits that is nearest, in the fewest digits, as Go prints it."""
    near = struct.unpack("f", struct.pack("f", value))[0] if abs(value) < _WIDEST else math.inf
    texts = (f"{near:.{digits}g}" for digits in range(1, 10))
    return next((float(text) for text in texts if struct.pack("f", float(text)) == struct.pack("f", near)), near)


_TRUE = {"true", "y", "yes", "on"}
_FALSE = {"false", "n", "no", "off"}


class Truth(_Scalar, frozen=True):
    """True or false; the words for them become booleans."""

    expected: ClassVar[str] = "true or false"

    def _form(self, value: Any) -> bool | None:  # noqa: ANN401
        if isinstance(value, bool):
            return value
        lower = value.lower() if isinstance(value, str) else ""
        return lower in _TRUE if lower in _TRUE | _FALSE else None


class Span(Struct, frozen=True):
    """A duration, written the one way: ``90s`` becomes ``1m30s``."""

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:  # noqa: ARG002 - a Shape
        """Return the duration as text; raises UsageError when the value does not fit."""
        if written.value is None:
            return written
        duration = nanoseconds_of(written.value) if isinstance(written.value, str) else None
        if duration is None:
            raise UsageError(
                f"{name}: {as_text(written.value)[:60]!r} is not a duration",
                todo="Write it like 30s, 1m30s or 500ms.",
                place=str(written.place),
            )
        return with_value(written, duration_text(duration))


class Size(_Scalar, frozen=True):
    """A size as Docker reads it, written as bytes in text."""

    expected: ClassVar[str] = "a size such as 512m or 2g"

    def _form(self, value: Any) -> str | None:  # noqa: ANN401
        if isinstance(value, float) or (isinstance(value, int) and value >= 2**63):
            # Compose leaves out such a number without a word, source: compose-go types/bytes.go.
            return "0"
        size = engine_bytes(value) if isinstance(value, str) else value
        return None if isinstance(size, bool) or not isinstance(size, int) else str(size)


_OCTAL = regex(r"[-+]?[0-7]{1,20}")


class Mode(_Scalar, frozen=True):
    """File permissions; an octal number is written as octal text."""

    expected: ClassVar[str] = "an octal mode such as 0440"

    def _form(self, value: Any) -> str | None:  # noqa: ANN401
        if isinstance(value, str):
            value = int(value, 8) if _OCTAL.fullmatch(value) else None
        return f"0{value:o}" if isinstance(value, int) and not isinstance(value, bool) else None
