"""A plan in one line: what there is to do, what it needs, what of that stays, and how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.deploy import plan as steps
from tonnage.model.deploy.rolling import Retire, StartRolling
from tonnage.units import format_bytes, format_duration

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan, Step

_WORDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("build", (steps.Build,)),
    ("pull", (steps.Pull,)),
    ("push", (steps.Push,)),
    ("switch", (steps.Switch, StartRolling, Retire)),
    ("restart", (steps.Restart,)),
    ("remove", (steps.RemoveService,)),
)
_BOOKKEEPING = (
    steps.Tag, steps.Untag, steps.Rename, steps.Keep, steps.Adopt, steps.RemoveImage, steps.RemoveContainer,
    steps.CleanCache,
)  # fmt: skip


def counts(plan: Plan) -> dict[str, int]:
    """Return how many services are built, pulled and so on; what there is none of is left out."""
    found: dict[str, int] = {}
    for word, actions in _WORDS:
        names = {
            step.name if word in {"build", "pull"} else step.service
            for step in plan.steps
            if isinstance(step.action, actions)
        }
        if names:
            found[word] = len(names)
    return found


def is_bookkeeping(step: Step) -> bool:
    """Tell whether a step only tags or tidies up."""
    return isinstance(step.action, _BOOKKEEPING)


def summary_line(plan: Plan) -> str:
    """Write a plan in one line; what is not known is left out."""
    done = ", ".join(f"{count} to {word}" for word, count in counts(plan).items())
    if not done:
        done = "only bookkeeping" if plan.steps else "nothing to do"
    if plan.unchanged:
        done += f", {len(plan.unchanged)} unchanged"
    parts = []
    need = plan.need
    if need is not None and need.peak.high_bytes:
        parts.append(f"needs {format_bytes(need.peak.likely_bytes)} at its peak")
        if need.kept.known:
            stays = need.kept.likely_bytes
            parts.append(f"{format_bytes(stays)} stay" if stays >= 0 else f"frees {format_bytes(-stays)}")
    if plan.seconds is not None:
        parts.append(f"~{format_duration(plan.seconds)}")
    return f"{done}; {', '.join(parts)}" if parts else done
