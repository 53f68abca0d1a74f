"""Packaging's readers for what strangers write: of any length and depth it is read or refused, in little time. Pure.

Public:
    ``requirement(text)``, ``specifiers(text)``, ``version(text)``, ``sdist_name(filename)``, ``wheel_name(filename)``:
        what packaging makes of a text; ValueError where it is none.
    ``requirement_lines(listed)``: the entries of a list that are requirements.
    ``within_name(filename)``: refuses what packaging would take for ever to read.

Packaging goes as deep as parentheses do, and Python reads no number of thousands of digits.

Source: packaging 26.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.utils import NormalizedName

# Filesystems have names of 255 bytes; the longest requirements are those with a long address.
_LONGEST_NAME, _LONGEST_VERSION, _LONGEST_LINE = 255, 255, 16384
_MOST_DOTS = 40


def requirement(text: str) -> Requirement:
    """Read a requirement.

    Raises:
        InvalidRequirement: It is none.
    """
    if len(text) > _LONGEST_LINE:
        raise InvalidRequirement(f"It has {len(text)} characters, which is more than a requirement can have")
    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidRequirement("It goes deeper than a requirement can") from error
    # Packaging takes an underscore at the end, which no name of a package or an extra has (PEP 508).
    for name in (wanted.name, *wanted.extras):
        if not name[-1].isalnum():
            raise InvalidRequirement(f"The name {name!r} does not end with a letter or a digit")
    return wanted


def requirement_lines(listed: object) -> list[str]:
    """Return the entries of a list that are requirements."""
    found = [line for line in listed if isinstance(line, str)] if isinstance(listed, list) else []
    return [line for line in found if _is_requirement(line)]


def _is_requirement(line: str) -> bool:
    try:
        requirement(line)
    except InvalidRequirement:
        return False
    return True


def specifiers(text: str) -> SpecifierSet:
    """Read which versions are asked for.

    Raises:
        ValueError: It says nothing of versions.
    """
    _within(text, _LONGEST_LINE)
    return SpecifierSet(text)


def version(text: str) -> Version:
    """Read a version.

    Raises:
        ValueError: It is none.
    """
    _within(text, _LONGEST_VERSION)
    return Version(text)


def sdist_name(filename: str) -> tuple[NormalizedName, Version]:
    """Read the name of a source archive.

    Raises:
        ValueError: It is none.
    """
    _within(filename, _LONGEST_NAME)
    return parse_sdist_filename(filename)


def wheel_name(filename: str) -> tuple[NormalizedName, Version]:
    """Read the name of a wheel.

    Raises:
        ValueError: It is none.
    """
    within_name(filename)
    return parse_wheel_filename(filename)[:2]


def wheel_tags(filename: str) -> frozenset[Tag]:
    """Read for which targets a wheel is.

    Raises:
        ValueError: It is none.
    """
    within_name(filename)
    return parse_wheel_filename(filename)[3]


def within_name(filename: str) -> None:
    """Refuse a file name that no wheel has: sets of tags in it, such as ``py2.py3``, are multiplied out.

    Raises:
        ValueError: It is one.
    """
    _within(filename, _LONGEST_NAME)
    if filename.count(".") > _MOST_DOTS:
        raise ValueError(f"{filename} has more tags than a wheel can have")


def _within(text: str, longest: int) -> None:
    if len(text) > longest:
        raise ValueError(f"it is longer than it can be, {len(text)} characters")
