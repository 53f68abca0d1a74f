"""JSON forms of a cluster: the plan of a deploy on it, and how its nodes and services are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from tonnage.model.cluster.rollout import ClusterPlan
    from tonnage.model.cluster.status import ClusterStatus


def cluster_plan_form(plan: ClusterPlan) -> dict[str, Any]:
    """Return a plan for a cluster."""
    placement = plan.placement
    form: dict[str, Any] = {
        "stack": plan.stack,
        "manager": plan.manager,
        "up_to_date": plan.up_to_date,
        "changed": list(plan.changed),
        "services": [],
        "nodes": [],
        "moves": [],
        "notes": list(plan.notes),
        "left_out": [{"node": name, "why": why} for name, why in plan.skipped],
        "refusal": None,
    }
    if plan.refusal is not None:
        refusal = plan.refusal
        form["refusal"] = {
            "service": refusal.service,
            "what": refusal.what,
            "why": refusal.why,
            "todo": refusal.todo,
            "missing_bytes": refusal.missing_bytes,
            "proven": refusal.proven,
            "nodes": [
                {"node": each.hostname, "why": each.why, "missing_bytes": each.missing_bytes} for each in refusal.nodes
            ],
        }
    if placement is not None:
        form["services"] = [
            {
                "service": each.service,
                "nodes": [
                    {"node": node.hostname, "tasks": node.tasks, "stays": node.stays, "why": node.why}
                    for node in each.nodes
                ],
            }
            for each in placement.assignments
        ]
        form["nodes"] = [
            {
                "node": each.hostname,
                "mount": each.mount,
                "available_bytes": each.available_bytes,
                "reserve_bytes": each.reserve_bytes,
                "reclaim_bytes": each.reclaim_bytes,
                "low_bytes": each.low_bytes,
            }
            for each in placement.nodes
        ]
        form["search"] = {
            "proven": placement.search.proven,
            "moved_bytes": placement.search.moved_bytes,
            "bound_bytes": placement.search.bound_bytes,
        }
        form["moves"] = [
            {
                "node": each.hostname,
                "service": each.image.service,
                "reference": each.image.reference,
                "pulled": each.image.pulled,
                "moved": msgspec.to_builtins(each.moved),
                "kept": msgspec.to_builtins(each.kept),
            }
            for each in plan.moves
        ]
    return form


def cluster_status_form(status: ClusterStatus) -> dict[str, Any]:
    """Return how nodes and services are."""
    return {
        "manager": status.manager,
        "stack": status.stack,
        "nodes": [
            {
                "node": node.hostname,
                "id": node.node_id,
                "role": node.role,
                "state": node.state.value,
                "availability": node.availability.value,
                "observed": node.observed,
                "why_not": node.why_not,
                "disks": [
                    {
                        "mount": disk.mount,
                        "roles": list(disk.roles),
                        "size_bytes": disk.size_bytes,
                        "available_bytes": disk.available_bytes,
                        "reserve_bytes": disk.reserve_bytes,
                        "reclaimable_bytes": disk.reclaimable_bytes,
                    }
                    for disk in node.disks
                ],
                "images": sorted(node.images),
                "tasks": [f"{task.stack}_{task.service}" if task.stack else task.service for task in node.tasks],
            }
            for node in status.nodes
        ],
        "services": [
            {
                "service": row.service,
                "image": row.image,
                "replicas": row.replicas,
                "running": row.running,
                "nodes": list(row.nodes),
                "update": row.update,
            }
            for row in status.services
        ],
        "versions": [{"version": number, "good": good} for number, good in status.versions],
    }
