"""Structs of random fields: Hypothesis cannot look up the types of fields that are imported for type checkers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def structs(kind: Callable[..., T], **fields: SearchStrategy[object]) -> SearchStrategy[T]:
    """Return instances of ``kind`` whose fields come from the strategies given."""
    return st.fixed_dictionaries(fields).map(lambda given: kind(**given))
