"""A text with what fixes it: nothing but the edits of its fixes, and only fixes that hold.

A fix holds where the text with it is read as before, and its finding is gone. What does not is left to people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import TonnageError
from tonnage.model.forecast.finding import Safety

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from tonnage.model.forecast.finding import Edit, Finding

_MOST_ROUNDS = 12


class FixedText(Struct, frozen=True, kw_only=True):
    """A text after its fixes.

    Args:
        fixed: What was found and is fixed, in the order of fixing.
    """

    text: str
    fixed: tuple[Finding, ...] = ()


def with_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with edits made. Two that insert at the same place are made in their order.

    Raises:
        ValueError: Two overlap.
    """
    parts: list[str] = []
    at = 0
    for edit in sorted(dict.fromkeys(edits), key=lambda each: (each.begin, each.end)):
        if edit.begin < at:
            raise ValueError("edits overlap")
        parts += (text[at : edit.begin], edit.text)
        at = edit.end
    return "".join((*parts, text[at:]))


def holds(
    text: str, finding: Finding, find: Callable[[str], Sequence[Finding]], same: Callable[[str, str], bool]
) -> bool:
    """Return whether the fix of a finding fixes it and brings nothing new."""
    if finding.fix is None:
        return False
    try:
        new = with_edits(text, finding.fix.edits)
    except ValueError:
        return False
    return _all_hold(text, new, [finding], find, same)


def _count(findings: Iterable[Finding], rule: str) -> int:
    return sum(each.rule == rule for each in findings)


def with_fixes(
    text: str,
    find: Callable[[str], Sequence[Finding]],
    wanted: Callable[[Finding], bool],
    *,
    same: Callable[[str, str], bool] = lambda _before, _after: True,
) -> FixedText:
    """Return a text with every wanted fix that holds, until nothing is left to do.

    Args:
        find: What is found in a text.
        wanted: Whether a fix is to be made.
        same: Whether a text still does what another one did.
    """
    find = _remembering(find)
    fixed: list[Finding] = []
    refused: set[tuple[str, str, tuple[Edit, ...]]] = set()
    for _ in range(_MOST_ROUNDS):
        found = [each for each in find(text) if each.fix is not None and wanted(each)]
        # What is safe is not kept from being fixed by what is a choice.
        found.sort(key=_is_choice)
        chosen = _together(found, refused)
        if not chosen:
            break
        new = with_edits(text, (edit for each in chosen if each.fix is not None for edit in each.fix.edits))
        if not _all_hold(text, new, chosen, find, same):
            holding = [each for each in chosen if holds(text, each, find, same)]
            refused |= {_key(each) for each in chosen if each not in holding}
            if not holding:
                continue
            chosen = holding[:1]
            new = with_edits(text, chosen[0].fix.edits if chosen[0].fix is not None else ())
        text = new
        fixed += chosen
    return FixedText(text=text, fixed=tuple(fixed))


def _is_choice(finding: Finding) -> bool:
    return finding.fix is not None and finding.fix.safety is not Safety.SAFE


def _remembering(find: Callable[[str], Sequence[Finding]]) -> Callable[[str], Sequence[Finding]]:
    """Return what finds, and looks at each text once."""
    known: dict[str, Sequence[Finding]] = {}

    def found(text: str) -> Sequence[Finding]:
        if text not in known:
            known[text] = find(text)
        return known[text]

    return found


def _key(finding: Finding) -> tuple[str, str, tuple[Edit, ...]]:
    return finding.rule, finding.text, finding.fix.edits if finding.fix is not None else ()


def _together(found: Sequence[Finding], refused: Collection[tuple[str, str, tuple[Edit, ...]]]) -> list[Finding]:
    """Return as many fixes as can be made at once: none touches what another one does."""
    taken: list[tuple[int, int]] = []
    chosen = []
    for each in found:
        if each.fix is None or _key(each) in refused:
            continue
        spans = [(edit.begin, edit.end) for edit in each.fix.edits]
        if any(begin <= other_end and end >= other_begin for begin, end in spans for other_begin, other_end in taken):
            continue
        taken += spans
        chosen.append(each)
    return chosen


def _all_hold(
    text: str,
    new: str,
    chosen: Sequence[Finding],
    find: Callable[[str], Sequence[Finding]],
    same: Callable[[str, str], bool],
) -> bool:
    try:
        before, after = find(text), find(new)
        if not same(text, new):
            return False
    except TonnageError:
        return False
    rules = {each.rule for each in (*before, *after)}
    return all(
        _count(after, rule) <= _count(before, rule) - sum(each.rule == rule for each in chosen) for rule in rules
    )
