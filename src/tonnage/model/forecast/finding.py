"""Something in what the user wrote that does not do what it says, or costs bytes for nothing, and how it is fixed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.stack import Place


class Safety(StrEnum):
    """Whether a fix may be made without being asked for by the name of its rule."""

    SAFE = "safe"
    DECISION = "needs a decision"


class Edit(Struct, frozen=True, order=True):
    """Characters of a file that are replaced: from a place on, up to another, counted from 0."""

    begin: int
    end: int
    text: str = ""


class Fix(Struct, frozen=True, kw_only=True):
    """What fixes a finding.

    Args:
        edits: In any order; they do not overlap.
        what: What is done, in a few words.
    """

    edits: tuple[Edit, ...]
    what: str
    safety: Safety = Safety.SAFE


class ChangePrice(Struct, frozen=True):
    """What one change of a file adds to the disk, until the build cache is reclaimed: as it is, and as proposed."""

    now: Estimate
    then: Estimate


class Finding(Struct, frozen=True, kw_only=True):
    """One finding.

    Args:
        rule: The name of the rule, such as ``index-on-requirement``.
        text: What is wrong, in one sentence.
        todo: What to write instead; empty where nothing better is known.
        why: Why that costs bytes, in one sentence; empty where the text says so.
        column: Where on the line it begins, counted from 1; 0 where that is not known.
        end_line: The last line that it is about; 0 for that of the place.
        fix: What fixes it; None where only a person can.
        tried: What is written in memory for its price alone, where there is no fix; nothing writes it to a file.
        price: What fixing it saves on the disk; None where nobody knows.
        peak: What the worst moment of the build needs less; None where the finding is not about that.
        change: What a change of the sources costs; None where the finding is not about that.
        changes_at: The line from which such a change builds anew, and the same once it is fixed; none for neither.
        unpriced: Why it has no price; empty where it has one, or nobody asked.
        services: The services of a stack whose image it is about.
    """

    rule: str
    place: Place
    text: str
    todo: str = ""
    why: str = ""
    column: int = 0
    end_line: int = 0
    fix: Fix | None = None
    tried: tuple[Edit, ...] = ()
    price: Estimate | None = None
    peak: Estimate | None = None
    change: ChangePrice | None = None
    changes_at: tuple[int, int] | None = None
    unpriced: str = ""
    services: tuple[str, ...] = ()
