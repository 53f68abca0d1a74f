"""Whether a saved plan is still the one that would be made now: the same steps, in everything that they do.

A saved plan is a text that somebody may have changed, so nothing that it says about itself is believed. Forecasts are
not compared: they differ from one minute to the next, and those that were made now decide whether it fits. Values are
told where they cannot be secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tonnage.escapes import visible_in_line
from tonnage.lazily import regex
from tonnage.model.deploy.plan import Reclaim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.plan import Plan, Step

_FORECAST = frozenset({"kept", "transient", "available_after", "available_lowest", "instructions"})
_INNER = ("at_reserve", "on_failure")
# They hold the configuration of services, with passwords as values.
_CONFIGURATION = frozenset({"project", "spec", "labels"})
_PLAIN_KEY = regex(r"[A-Za-z0-9_-]+")
_LONGEST = 80
_NOTHING = object()

_Difference = tuple[tuple[str | int, ...], object, object]


def why_stale(plan: Plan, fresh: Plan) -> str:
    """Return why a saved plan is not the one that was made now; empty when it is."""
    if plan.engine_id != fresh.engine_id:
        return f"it was made for the engine at {_shown(plan.endpoint)}, which is not the one at {fresh.endpoint}"
    if plan.stack != fresh.stack:
        return f"it was made for the stack {_shown(plan.stack)}, not for {fresh.stack}"
    if plan.purpose != fresh.purpose:
        return f"it was made to {_shown(plan.purpose)}, not to {fresh.purpose}"
    different = _first_difference(_without_reclaims(plan.steps), _without_reclaims(fresh.steps))
    if different:
        return f"the stack or the engine changed since it was made, or the file did: {different}"
    return _why_not_reclaim(plan, fresh) or _why_otherwise(plan, fresh)


def _why_otherwise(plan: Plan, fresh: Plan) -> str:
    if plan.fingerprint != fresh.fingerprint:
        return "the stack or the engine changed since it was made"
    if fresh.refusal is not None and plan.refusal is None:
        return f"it no longer fits: {fresh.refusal.why}"
    return ""


def _without_reclaims(steps: Sequence[Step]) -> list[Step]:
    """Return the steps but for those that reclaim: how much has to go depends on what is available by now."""
    return [step for step in steps if not isinstance(step.action, Reclaim)]


def _why_not_reclaim(plan: Plan, fresh: Plan) -> str:
    """Return what would be removed now and was not shown, or was shown and must stay now."""
    shown = {item.candidate_id for step in plan.steps for item in _items(step)}
    for step in plan.steps:
        for item in _items(step):
            if item.candidate_id not in fresh.removable:
                named = f"the {_shown(item.kind)} {_shown(item.name)}"
                return f"{_shown(step.name)} would remove {named}, which is needed or gone by now"
    for step in fresh.steps:
        for item in _items(step):
            if item.candidate_id not in shown:
                return f"{step.name} would remove the {item.kind} {item.name} by now, which the plan does not say"
    return ""


def _items(step: Step) -> Sequence[Any]:
    return step.action.items if isinstance(step.action, Reclaim) else ()


def _first_difference(saved: Sequence[Step], fresh: Sequence[Step]) -> str:
    """Return the first step and field that differ, in words; empty when nothing does."""
    for number, (before, now) in enumerate(zip(saved, fresh, strict=False), start=1):
        if before.name != now.name:
            return f"step {number} is {_shown(before.name)} in the file, and {now.name} now"
        found = _difference((), _plain(before), _plain(now))
        if found is not None:
            return f"the step {now.name} has another {_told(*found)}"
    if len(saved) != len(fresh):
        of_file = len(saved) > len(fresh)
        name = (saved if of_file else fresh)[min(len(saved), len(fresh))].name
        return f"only the {'file' if of_file else 'plan of now'} has the step {_shown(name)}"
    return ""


def _plain(step: Step) -> dict[str, Any]:
    """Return a step as it would be read from a file, without forecasts."""
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(step))
    return _without_forecasts(read)


def _without_forecasts(step: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in step.items() if key not in _FORECAST}
    return kept | {name: [_without_forecasts(each) for each in kept[name]] for name in _INNER if name in kept}


def _difference(path: tuple[str | int, ...], before: object, now: object) -> _Difference | None:
    """Return where two values differ first, with both."""
    if isinstance(before, dict) and isinstance(now, dict):
        pairs = [(key, before.get(key, _NOTHING), now.get(key, _NOTHING)) for key in {**now, **before}]
    elif isinstance(before, list) and isinstance(now, list):
        most = max(len(before), len(now))
        padded = [[*each, *[_NOTHING] * (most - len(each))] for each in (before, now)]
        pairs = list(zip(range(most), *padded, strict=True))
    else:
        # 1 and True are different in a file.
        return None if type(before) is type(now) and before == now else (path, before, now)
    for key, one, other in pairs:
        found = _difference((*path, key), one, other)
        if found is not None:
            return found
    return None


def _told(path: tuple[str | int, ...], before: object, now: object) -> str:
    field = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part if _PLAIN_KEY.fullmatch(part) else visible_in_line(part)}"
        for part in path
    ).removeprefix(".")
    if _CONFIGURATION & set(path):
        return field
    return f"{field}: {_quoted(before)} in the file, {_quoted(now)} now"


def _quoted(value: object) -> str:
    if value is _NOTHING:
        return "nothing"
    return f"'{_shown(value)}'" if isinstance(value, str) else _shown(value)


def _shown(value: object) -> str:
    """Return a value of a file that anybody may have written, as it may stand in a line, and short."""
    text = visible_in_line(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
