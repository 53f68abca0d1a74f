"""Whether a saved plan may still be carried out: only when a plan made now would be the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.deploy.plan import Reclaim

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan


def why_stale(plan: Plan, fresh: Plan) -> str:
    """Return why a saved plan is stale; empty when it is not."""
    if plan.engine_id != fresh.engine_id:
        return f"it was made for the engine at {plan.endpoint}, which is not the one at {fresh.endpoint}"
    if plan.stack != fresh.stack:
        return f"it was made for the stack {plan.stack}, not for {fresh.stack}"
    if plan.fingerprint != fresh.fingerprint:
        before, now = _steps_by_service(plan), _steps_by_service(fresh)
        names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
        what = f": {', '.join(names)}" if names else ""
        return f"the stack or the engine changed since it was made{what}"
    for step in plan.steps:
        for item in step.action.items if isinstance(step.action, Reclaim) else ():
            if item.candidate_id not in fresh.removable:
                return f"{step.name} would remove the {item.kind} {item.name}, which is needed or gone by now"
    if fresh.refusal is not None and plan.refusal is None:
        return f"it no longer fits: {fresh.refusal.why}"
    return ""


def _steps_by_service(plan: Plan) -> dict[str, list[tuple[str, str]]]:
    steps: dict[str, list[tuple[str, str]]] = {}
    for step in plan.steps:
        steps.setdefault(step.service, []).append((step.name, step.cause))
    return steps
