"""What a reclaim would remove, what it removed, and what stays: as text and as the documented form."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.model.deploy.image_names import is_record
from tonnage.model.reclaim.candidate import NamedKind
from tonnage.units import format_bytes, format_seconds
from tonnage.views.text.layout import columns, fits, folded, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.reclaim.candidate import Candidate, Protected
    from tonnage.model.reclaim.outcome import ReclaimChoice, Reclaimed, Removal

_TOGETHER = 3
"""More records of the build cache of one sort than this stand on one line."""
_STAYING_SHOWN = 12
_LONGEST_NAME = 48
_BELOW = "      "
_NAMED_KINDS = frozenset({"image", "container", "volume", "cache", *NamedKind})


def choice_text(choice: ReclaimChoice, *, mount: str, width: int = 0, again: bool = False) -> str:
    """Write what would be removed, with bytes, cost, reason and what breaks.

    Args:
        width: Columns of the terminal; 0 to leave lines long.
        again: What is kept, and the notes, were written a moment ago.
    """
    available = f"{mount}: {format_bytes(choice.available_bytes)} available"
    if choice.target_bytes:
        head = f"{available} (target {format_bytes(choice.target_bytes)})"
    else:
        head = f"{available}; everything removable"
    lines = [head, ""]
    if choice.chosen:
        lines += _table([_HEAD, *_rows(choice)], right=(0, 1), width=width)
        after_bytes = choice.available_bytes + choice.freed_bytes
        lines += ["", f"total: frees {format_bytes(choice.freed_bytes)}, leaves {format_bytes(after_bytes)} available"]
    elif not choice.target_bytes or choice.short_bytes:
        lines.append("  nothing removable would free any space")
    else:
        lines.append("  nothing to do: that much is available")
    if choice.short_bytes:
        lines.append(f"{format_bytes(choice.short_bytes)} short of the target")
    if again:
        return joined(lines)
    staying = _staying(choice.findings.protected, width)
    if staying:
        lines += ["", "kept:", *staying]
    for note in choice.findings.notes:
        lines += folded([f"note: {note}"], width)
    return joined(lines)


def _table(rows: Sequence[Sequence[str]], *, right: Sequence[int], width: int) -> list[str]:
    """Return rows as columns; where they are too wide, with the last cell below the others, between words."""
    table = columns(rows, right=right, indent="  ")
    if not width or fits(table, width):
        return table
    heads = columns([row[:-1] for row in rows], right=right, indent="  ")
    lines: list[str] = []
    for head, row in zip(heads, rows, strict=True):
        lines += [*(folded([head.strip()], width, indent="  ") if len(head) > width else [head])]
        if row[-1]:
            lines += folded([row[-1]], width, indent=_BELOW)
    return lines


def removal_text(removal: Removal) -> str:
    """Write what came of one removal, in one line."""
    name = f"{removal.candidate.kind} {_short(removal.candidate.name)}"
    if removal.error is not None:
        return visible_in_line(f"skipped {name}: {removal.error.what}")
    came, promised = format_bytes(removal.freed_bytes), format_bytes(removal.promised_bytes)
    verb = "shared" if removal.candidate.kind == NamedKind.DUPLICATE_BLOCKS else "removed"
    return visible_in_line(f"{verb} {name}: freed {came} (expected {promised}), {format_seconds(removal.seconds)}")


def reclaimed_text(done: Reclaimed, *, mount: str, before_bytes: int) -> str:
    """Write what a reclaim did."""
    came = format_bytes(done.available_bytes - before_bytes)
    lines = [f"{mount}: freed {came}; {format_bytes(done.available_bytes)} available"]
    if done.target_bytes:
        lines[0] += f" (target {format_bytes(done.target_bytes)})"
    if done.spared:
        lines.append(f"{len(done.spared)} of what was chosen is kept: there was enough without it")
    return joined(lines)


def reclaim_form(
    choice: ReclaimChoice, *, mount: str, done: Reclaimed | None, reasons: Sequence[str] = ()
) -> dict[str, object]:
    """Return what was decided and done as a JSON-able mapping.

    Args:
        done: What was done; None when it was only shown.
    """
    after_bytes = choice.available_bytes if done is None else done.available_bytes
    return {
        "mount": mount,
        "available_bytes": choice.available_bytes,
        "target_bytes": choice.target_bytes or None,
        "done": done is not None,
        "after_bytes": after_bytes,
        "enough": after_bytes >= choice.target_bytes,
        "freeable_bytes": choice.freed_bytes,
        "short_bytes": choice.short_bytes,
        "chosen": [_candidate_form(each) for each in choice.chosen],
        "removed": [_removal_form(each) for each in (done.removals if done else ())],
        "protected": [_protected_form(each) for each in choice.findings.protected],
        "reasons": list(reasons),
        "notes": list(choice.findings.notes),
    }


_HEAD = ("frees", "costs", "kind", "what", "why, effect of removing it, how to recreate it")


def _rows(choice: ReclaimChoice) -> list[tuple[str, ...]]:
    chosen = choice.chosen
    sorts = Counter(_sort(each) for each in chosen)
    rows: list[tuple[str, ...]] = []
    told: set[tuple[str, str, str]] = set()
    for each in chosen:
        sort = _sort(each)
        if each.kind != "cache" or sorts[sort] <= _TOGETHER:
            rows.append(_row(each, _short(each.name), each.unique_bytes, each.cost_s))
        elif sort not in told:
            told.add(sort)
            same = [other for other in chosen if _sort(other) == sort]
            size_bytes, cost_s = sum(other.unique_bytes for other in same), sum(other.cost_s for other in same)
            # Records that nothing else is removed with give back what they share as well.
            size_bytes = choice.freed_bytes if len(same) == len(chosen) else size_bytes
            rows.append(_row(each, f"{len(same)} records", size_bytes, cost_s))
    return rows


def _sort(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.kind, candidate.reason, candidate.back


def _row(candidate: Candidate, name: str, size_bytes: int, cost_s: float) -> tuple[str, ...]:
    # "nothing; X" is X for a reader.
    effect = candidate.breaks.removeprefix("nothing; ")
    parts = [candidate.reason] if candidate.reason != name else []
    parts += [f"effect: {'none' if effect == 'nothing' else effect}"] if effect else []
    parts += [f"recreated by: {candidate.back}"] if candidate.back else []
    return format_bytes(size_bytes), format_seconds(cost_s), candidate.kind, name, "; ".join(parts)


def _staying(protected: Sequence[Protected], width: int) -> list[str]:
    """Name what is large and the engine's; of the rest say how many there are, and why."""
    shown = sorted(
        (each for each in protected if each.kind in _NAMED_KINDS and not is_record(each.name)),
        key=lambda each: (-(each.size_bytes or 0), each.candidate_id),
    )
    rows = [
        (
            format_bytes(each.size_bytes) if each.size_bytes is not None else "?",
            each.kind,
            _short(each.name),
            each.reason,
        )
        for each in shown[:_STAYING_SHOWN]
    ]
    lines = _table(rows, right=(0,), width=width) if rows else []
    if len(shown) > _STAYING_SHOWN:
        lines.append(f"  and {len(shown) - _STAYING_SHOWN} more (see --json)")
    others = Counter(
        ("version record" if is_record(each.name) else each.kind, each.reason)
        for each in protected
        if each.kind not in _NAMED_KINDS or is_record(each.name)
    )
    for (kind, reason), count in others.most_common(_STAYING_SHOWN):
        lines += folded([f"{count} {kind}: {reason}"], width, indent="  ")
    if len(others) > _STAYING_SHOWN:
        lines.append(f"  and more for {len(others) - _STAYING_SHOWN} further reasons (see --json)")
    return lines


def _short(name: str) -> str:
    """Return a name that fits its column: of a path the end is what tells it from others."""
    if len(name) <= _LONGEST_NAME:
        return name
    kept = _LONGEST_NAME - 3
    return f"...{name[-kept:]}" if name.startswith("/") else f"{name[:kept]}..."


def _candidate_form(candidate: Candidate) -> dict[str, object]:
    return {
        "id": str(candidate.candidate_id),
        "kind": candidate.kind,
        "name": candidate.name,
        "unique_bytes": candidate.unique_bytes,
        "inodes": candidate.inodes,
        "cost_s": round(candidate.cost_s, 3),
        "removal_s": round(candidate.removal_s, 3),
        "last_used_s": candidate.last_used_s,
        "reason": candidate.reason,
        "breaks": candidate.breaks,
        "back": candidate.back,
    }


def _removal_form(removal: Removal) -> dict[str, object]:
    return {
        "id": str(removal.candidate.candidate_id),
        "kind": removal.candidate.kind,
        "name": removal.candidate.name,
        "promised_bytes": removal.promised_bytes,
        "freed_bytes": removal.freed_bytes,
        "seconds": round(removal.seconds, 3),
        "error": "" if removal.error is None else str(removal.error),
    }


def _protected_form(protected: Protected) -> dict[str, object]:
    return {
        "id": str(protected.candidate_id),
        "kind": protected.kind,
        "name": protected.name,
        "size_bytes": protected.size_bytes,
        "reason": protected.reason,
    }
