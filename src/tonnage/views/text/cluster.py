"""A cluster as people read it: what a deploy would do on each node, why, and how the nodes and services are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.units import format_bytes
from tonnage.views.text.layout import columns
from tonnage.views.text.placement import placement_lines, refusal_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.cluster.node import ClusterNode
    from tonnage.model.cluster.rollout import ClusterPlan
    from tonnage.model.cluster.status import ClusterStatus, ServiceRow
    from tonnage.model.forecast.estimate import Estimate


def cluster_plan_text(plan: ClusterPlan, *, explained: bool = False) -> str:
    """Return a plan for a cluster as text."""
    lines = [f"{visible_in_line(plan.stack)} on the Swarm of {visible_in_line(plan.manager)}"]
    if plan.refusal is not None:
        lines += ["", f"refused: {plan.refusal.what}", *filter(None, (plan.refusal.why,))]
        return "\n".join([*lines, *refusal_lines(plan.refusal), *_todo(plan.refusal.todo)])
    placement = plan.placement
    assert placement is not None  # noqa: S101 - a plan has one or the other
    if plan.up_to_date:
        lines.append("up to date: nothing to do")
    lines += ["", *columns([["SERVICE", "NODES", ""], *_service_rows(plan)])]
    rows = [["NODE", "FREE NOW", "LOWEST", "RESERVE", "SENT", "IMAGES"]]
    for outlook in placement.nodes:
        comes = [each.image.service for each in plan.moves if each.node_id == outlook.node_id]
        rows.append(
            [
                outlook.hostname,
                _told(outlook.available_bytes),
                _told(outlook.low_bytes),
                format_bytes(outlook.reserve_bytes),
                _estimate(outlook.moved) if comes else "",
                ", ".join(comes),
            ]
        )
    lines += ["", *columns(rows)]
    for node_id, freed in plan.reclaims.items():
        name = next(each.hostname for each in placement.nodes if each.node_id == node_id)
        lines.append(f"before: {format_bytes(freed)} are freed on {visible_in_line(name)}")
    lines += [f"{visible_in_line(name)} gets nothing new: {visible_in_line(why)}" for name, why in plan.skipped]
    lines += [f"note: {visible_in_line(each)}" for each in plan.notes]
    if explained:
        lines += ["", *placement_lines(placement)]
    return "\n".join(lines)


def _service_rows(plan: ClusterPlan) -> list[list[str]]:
    assert plan.placement is not None  # noqa: S101 - asked for plans with one only
    return [
        [
            each.service,
            ", ".join(node.hostname for node in each.nodes),
            "" if each.service in plan.changed else "unchanged",
        ]
        for each in plan.placement.assignments
    ]


def cluster_status_text(status: ClusterStatus) -> str:
    """Return nodes and services of a cluster as tables."""
    rows = [["NODE", "STATE", "FREE", "RESERVE", "IMAGES", "TASKS", "RECLAIMABLE"]]
    rows += [_node_row(node) for node in status.nodes]
    lines = columns(rows)
    lines += [
        f"{visible_in_line(node.hostname)} did not tell: {visible_in_line(node.why_not)}"
        for node in status.nodes
        if not node.observed
    ]
    if status.services:
        table = [["SERVICE", "RUNNING", "NODES", "IMAGE", "UPDATE"], *map(_row, status.services)]
        lines += ["", *columns(table)]
    if status.versions:
        told = (f"v{number}" if good else f"v{number} (not good)" for number, good in status.versions)
        lines += ["", f"versions: {', '.join(told)}"]
    return "\n".join(lines)


def _node_row(node: ClusterNode) -> list[str]:
    disk = node.image_disk
    state = node.state.value if node.availability.value == "active" else node.availability.value
    return [
        node.hostname,
        state,
        _told(disk.available_bytes) if disk else "?",
        format_bytes(disk.reserve_bytes) if disk else "?",
        str(len(set(node.images.values()))) if node.observed else "?",
        str(len(node.tasks)),
        format_bytes(disk.reclaimable_bytes) if disk else "?",
    ]


def _row(row: ServiceRow) -> list[str]:
    wanted = "each node" if row.replicas is None else str(row.replicas)
    return [row.service, f"{row.running} of {wanted}", ", ".join(row.nodes), row.image, row.update]


def reclaimed_text(rows: Sequence[tuple[str, int, int]], *, done: bool) -> str:
    """Return what goes, or went, of each node: its name, how many images, and the bytes."""
    if not any(images for _, images, _ in rows):
        return "nothing that deploys left and nothing needs"
    table = [["NODE", "IMAGES", "FREED" if done else "WOULD FREE"]]
    table += [[name, str(images), format_bytes(freed)] for name, images, freed in rows]
    lines = columns(table)
    return "\n".join(lines if done else [*lines, "", "Nothing was removed. To do so, add --yes."])


def _told(count_bytes: int | None) -> str:
    return "?" if count_bytes is None else format_bytes(count_bytes)


def _estimate(estimate: Estimate) -> str:
    if not estimate.known:
        return "?"
    return f"{format_bytes(estimate.likely_bytes)} {estimate.grade.value}"


def _todo(todo: str) -> list[str]:
    return ["", todo] if todo else []
