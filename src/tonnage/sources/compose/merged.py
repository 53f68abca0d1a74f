"""What must be true of files that are merged, as far as a file says it by itself: Compose checks after each of them.

A key without a value is fine where an earlier file has one, and an entry that stands twice may stand in two files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.sources.compose.kinds import Worded
from tonnage.sources.compose.nodes import MergeRule
from tonnage.sources.compose.shapes import (
    CommandShape,
    Distinct,
    Either,
    Fields,
    Listed,
    Mounted,
    Named,
    refuse_twice,
    without,
)

if TYPE_CHECKING:
    from tonnage.sources.compose.nodes import ComposeNode
    from tonnage.sources.compose.scalars import Shape


def check_merged(written: ComposeNode, shape: Shape, name: str = "") -> None:
    """Check what a shape says of a merged tree.

    Raises:
        UsageError: A key has no value or is missing, or an entry of a list stands twice.
    """
    value = written.value
    if written.rule is MergeRule.RESET:
        return
    if value is None:
        if not (isinstance(shape, Fields | CommandShape) and shape.optional):
            raise UsageError(
                f"{name or 'the file'} has no value",
                todo="Write one, or remove the key.",
                place=str(written.place),
                expected="a value has to stand here",
            )
        return
    shape = _inner(shape, value)
    if isinstance(shape, Fields | Named):
        _check_mapping(written, shape, name)
    elif isinstance(shape, Listed | Distinct):
        _check_list(list(value.values() if isinstance(value, dict) else value), shape, name)


def _check_mapping(written: ComposeNode, shape: Fields | Named, name: str) -> None:
    for key in shape.merged if isinstance(shape, Fields) else ():
        if key not in written.value:
            raise without(written, name, key)
    for key, entry in written.value.items():
        each = shape.each if isinstance(shape, Named) else shape.keys.get(key)
        if each is not None:
            check_merged(entry, each, f"{name}.{key}" if name else key)


def _check_list(entries: list[ComposeNode], shape: Listed | Distinct, name: str) -> None:
    for index, entry in enumerate(entries):
        check_merged(entry, shape.each, f"{name}[{index}]")
    if isinstance(shape, Listed) and shape.unique:
        refuse_twice(entries, name)


def _inner(shape: Shape, value: object) -> Shape:
    """Return the shape of what is read, for one that only chooses how to read it."""
    if isinstance(shape, Mounted):
        return shape.fields
    if isinstance(shape, Worded):
        return shape.shape
    if isinstance(shape, Either):
        return shape.mapping if isinstance(value, dict) else shape.scalar
    return shape
