"""Why services run where they do, what comes to each node for that, and why there is no place, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import CannotFitError, UsageError
from tonnage.escapes import visible_in_line
from tonnage.model.cluster.placement import Delivery
from tonnage.units import format_bytes
from tonnage.views.text.layout import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.errors import TonnageError
    from tonnage.model.cluster.placement import NodeTransfer, Placement, PlacementRefusal, RuledOut
    from tonnage.model.forecast.estimate import Estimate

_WAYS = {Delivery.LOAD: "sent by ssh", Delivery.PULL: "pulled"}
_SHOWN_NODES = 20


def placement_lines(placement: Placement) -> list[str]:
    """Write why each service is on its nodes, what comes to them, and how good the placement is."""
    lines = []
    for assignment in placement.assignments:
        lines += [f"{assignment.service} on {each.hostname}: {each.why}" for each in assignment.nodes]
        lines += [f"{assignment.service} leaves {node}" for node in assignment.leaves]
    lines += [f"{node.hostname} gets {_transfer(each)}" for node in placement.nodes for each in node.transfers]
    search = placement.search
    moves = f", {placement.moves} running task{'' if placement.moves == 1 else 's'} to another node"
    moved = f"{format_bytes(search.moved_bytes)}{moves if placement.moves else ''}"
    if search.proven:
        lines.append(f"No placement is better: it moves {moved} (exact search).")
    else:
        least = f"any placement moves {format_bytes(search.bound_bytes)} or more"
        lines.append(f"Moves {moved}; {least}, so this is at most {format_bytes(search.gap_bytes)} from the best.")
    return [visible_in_line(line) for line in lines]


def refusal_lines(refusal: PlacementRefusal) -> list[str]:
    """Write of each node why it was ruled out; nodes with the same reason share a line where there are many."""
    if len(refusal.nodes) <= _SHOWN_NODES:
        return columns([(each.hostname, each.why) for each in refusal.nodes], indent="  ")
    by_reason: dict[str, list[RuledOut]] = {}
    for each in refusal.nodes:
        by_reason.setdefault(each.why if each.missing_bytes is None else "its disk is too small", []).append(each)
    return columns([(f"{len(nodes)} nodes", _reason(why, nodes)) for why, nodes in by_reason.items()], indent="  ")


def placement_failure(refusal: PlacementRefusal) -> TonnageError:
    """Return the failure that a refusal is: exit code 2 where what was written is wrong, else 3."""
    kind = UsageError if refusal.usage else CannotFitError
    service = f"{refusal.service}: " if refusal.service and not refusal.what.startswith(refusal.service) else ""
    why = "\n".join(part for part in (refusal.why, *refusal_lines(refusal)) if part)
    return kind(f"{service}{refusal.what}", why=why, todo=refusal.todo, place=refusal.place)


def _reason(why: str, nodes: Sequence[RuledOut]) -> str:
    short = [each.missing_bytes for each in nodes if each.missing_bytes is not None]
    least = min(nodes, key=lambda each: each.missing_bytes or 0).hostname
    return f"{why}: {format_bytes(min(short))} are missing at least, on {least}" if short else why


def _transfer(transfer: NodeTransfer) -> str:
    layers = len(transfer.chain_ids)
    counted = "1 layer" if layers == 1 else f"{layers} layers"
    said = f"{', '.join(transfer.services)}: {counted} {_WAYS[transfer.delivery]}, {_told(transfer.moved)} moved"
    temporary = f", {format_bytes(transfer.temporary.high_bytes)} temporary" if transfer.temporary.high_bytes else ""
    return f"{said}, {format_bytes(transfer.kept.high_bytes)} kept{temporary}"


def _told(estimate: Estimate) -> str:
    """Write the likely figure, with the high one, which is what is planned with, where that is another."""
    grade = "" if not estimate.high_bytes else f" ({estimate.grade.value})"
    if estimate.high_bytes == estimate.likely_bytes:
        return f"{format_bytes(estimate.high_bytes)}{grade}"
    return f"{format_bytes(estimate.likely_bytes)}, at most {format_bytes(estimate.high_bytes)}{grade}"
