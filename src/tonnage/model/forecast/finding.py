"""Something in what the user wrote that does not do what it says, or costs bytes for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.stack import Place


class Finding(Struct, frozen=True, kw_only=True):
    """One finding.

    Args:
        rule: The name of the rule, such as ``index-on-requirement``.
        text: What is wrong, in one sentence.
        todo: What to write instead; empty where nothing better is known.
    """

    rule: str
    place: Place
    text: str
    todo: str = ""
