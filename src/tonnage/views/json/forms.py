"""Forecasts, plans, runs and events as JSON-able mappings: the documented forms of ``docs/json.md``.

What is shown never holds environment values, build arguments or secrets: only the fields named here leave. A forecast
that is not known has no number (null), so that nobody adds it up as if it were 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from tonnage.escapes import json_escaped
from tonnage.lazily import regex
from tonnage.model.deploy import event as events
from tonnage.views.text.plan_summary import counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.deploy.run import Measured, Run, StepOutcome
    from tonnage.model.deploy.sharing import Sharing
    from tonnage.model.forecast.estimate import Contributor, Estimate, InstructionForecast, ServiceForecast
    from tonnage.model.forecast.fit import DeployNeed, FilesystemFit, Remedy
    from tonnage.model.forecast.stack_forecast import StackForecast

FORMAT = 1
_NO_TEXT = regex("[\ud800-\udfff]")

EVENT_NAMES = {
    events.RunStarted: "run-started",
    events.StepStarted: "step-started",
    events.StepProgress: "step-progress",
    events.StepLog: "step-log",
    events.DiskSampled: "disk-sampled",
    events.StepFinished: "step-finished",
    events.RunFinished: "run-finished",
    events.Notice: "notice",
}

_SHOWN_ACTION_FIELDS = ("reference", "references", "image", "image_name", "container", "container_name")


def document(kind: str, form: dict[str, object]) -> dict[str, object]:
    """Return a form with the head that every printed document has."""
    return {"format": FORMAT, "document": kind, **form}


def plan_form(plan: Plan, *, sharing: bool = False) -> dict[str, object]:
    """Return a plan to be shown; it cannot be executed (a plan file can).

    Args:
        sharing: Tell also what services share, and why not more.
    """
    refusal, need = plan.refusal, plan.need
    told = {"sharing": None if plan.sharing is None else sharing_form(plan.sharing)} if sharing else {}
    return {
        "stack": plan.stack,
        "purpose": plan.purpose,
        "engine_id": plan.engine_id,
        "endpoint": plan.endpoint,
        "fingerprint": plan.fingerprint,
        "filesystem": plan.filesystem,
        "available_bytes": plan.available_bytes,
        "reserve_bytes": plan.reserve_bytes,
        "need": None if need is None else need_form(need),
        "summary": counts(plan),
        "seconds": plan.seconds,
        "times": dict(plan.times),
        "overlap": None if plan.overlap is None else msgspec.structs.asdict(plan.overlap),
        "policy": {
            "keep_free_bytes": plan.policy.keep_free_bytes,
            "keep_previous": plan.policy.keep_versions > 0,
            "keep_versions": plan.policy.keep_versions,
            "cleanup_after": plan.policy.cleanup_after,
            "cleanup": plan.policy.cleanup,
            "push": plan.policy.push,
            "parallel": plan.policy.parallel,
            "rollback": plan.policy.rollback,
            "again": plan.policy.again,
            "pull": plan.policy.pull,
            "no_build": plan.policy.no_build,
            "remove_orphans": plan.policy.remove_orphans,
            "adopt": plan.policy.adopt,
        },
        "services": list(plan.services),
        "steps": [step_form(step) for step in plan.steps],
        "unchanged": [{"service": each.service, "reason": each.reason} for each in plan.unchanged],
        "refusal": None if refusal is None else msgspec.structs.asdict(refusal),
        "notes": list(plan.notes),
        **told,
    }


def sharing_form(sharing: Sharing) -> dict[str, object]:
    """Return what services share."""
    return {
        "images": [
            {
                "reference": image.reference,
                "on": image.on,
                "services": list(image.services),
                "wheels": [wheel.piece for wheel in image.wheels],
                "kept_bytes": image.kept_bytes,
                "saved_bytes": image.saved_bytes,
                "present": image.present,
            }
            for image in sharing.images
        ],
        "services": [
            {
                "service": offer.service,
                "off": offer.service in sharing.off,
                "could_share_bytes": offer.kept_bytes,
                "apart": [{"what": each.what, "why": each.why} for each in offer.apart],
            }
            for offer in sharing.offers
        ],
        "most_saved_bytes": sharing.most_bytes,
        "agreements": [
            msgspec.structs.asdict(each) | {"changes": [msgspec.structs.asdict(change) for change in each.changes]}
            for each in sharing.agreements
        ],
    }


def step_form(step: Step) -> dict[str, object]:
    """Return a step of a plan."""
    action = step.action
    names = {name: getattr(action, name) for name in _SHOWN_ACTION_FIELDS if hasattr(action, name)}
    return {
        "name": step.name,
        "service": step.service,
        "kind": action.__struct_config__.tag,
        **names,
        "cause": step.cause,
        "changes": step.changes,
        "kept": estimate_form(step.kept),
        "transient": estimate_form(step.transient),
        "after": estimate_form(step.available_after),
        "lowest": estimate_form(step.available_lowest),
        "at_reserve": [step_form(each) for each in step.at_reserve],
        "undo": [step_form(each) for each in step.on_failure],
    }


def estimate_form(estimate: Estimate) -> dict[str, object]:
    """Return a forecast; its numbers are null where it is not known."""
    told = figures(replace(estimate, parts=()))
    return {name if name == "grade" else f"{name}_bytes": figure for name, figure in told.items()}


def run_form(run: Run) -> dict[str, object]:
    """Return a run with its steps."""
    return {
        "run_id": run.run_id,
        "stack": run.stack,
        "engine_id": run.engine_id,
        "purpose": run.purpose,
        "rehearsal": run.rehearsal,
        "started_s": round(run.started_s, 3),
        "seconds": round(run.seconds, 3),
        "outcome": str(run.outcome),
        "filesystem": run.filesystem,
        "reserve_bytes": run.reserve_bytes,
        "message": run.message,
        "steps": [outcome_form(step) for step in run.steps],
    }


def outcome_form(outcome: StepOutcome) -> dict[str, object]:
    """Return how a step ended, forecast vs. measured."""
    return {
        "name": outcome.name,
        "service": outcome.service,
        "kind": outcome.kind,
        "outcome": str(outcome.outcome),
        "undo": outcome.undo,
        "seconds": round(outcome.seconds, 3),
        "forecast_kept_bytes": outcome.forecast_kept_bytes,
        "forecast_grade": str(outcome.forecast_grade),
        "measured": [_measured_form(measured) for measured in outcome.measured],
        "message": outcome.message,
        "log": outcome.log,
    }


def event_form(event: Event) -> dict[str, object]:
    """Return one event of a run, as one line of ``--json`` output holds it."""
    return {"format": FORMAT, "event": EVENT_NAMES[type(event)], **_event_fields(event)}


def _event_fields(event: Event) -> dict[str, object]:
    match event:
        case events.RunStarted():
            return {"run_id": event.run_id, "plan": plan_form(event.plan)}
        case events.StepStarted():
            return {
                "index": event.index,
                "total": event.total,
                "undo": event.undo,
                "step": step_form(event.step),
            }
        case events.StepFinished():
            return outcome_form(event.outcome)
        case events.RunFinished():
            return run_form(event.run)
        case _:
            return {name: getattr(event, name) for name in event.__struct_fields__}


def _measured_form(measured: Measured) -> dict[str, object]:
    own = msgspec.structs.asdict(measured)
    return own | {"kept_bytes": measured.kept_bytes, "transient_bytes": measured.transient_bytes}


def forecast_form(
    forecast: StackForecast,
    fittings: Sequence[FilesystemFit] = (),
    deploy: DeployNeed | None = None,
    remedies: Sequence[Remedy] = (),
) -> dict[str, object]:
    """Return the forecast of a stack.

    Args:
        fittings: How it fits each filesystem; empty where none is known.
        deploy: What the plan of a deploy needs; None where that is not known.
        remedies: What would make it fit.
    """
    return {
        "engine_kind": str(forecast.engine),
        "stack": {
            "name": forecast.stack,
            "image_bytes": figures(forecast.image),
            "disk_bytes": figures(forecast.disk),
            "transient_bytes": figures(forecast.transient),
            "download_bytes": figures(forecast.download),
            "filesystems": [
                {
                    "role": each.role,
                    "disk_bytes": figures(each.kept),
                    "one_after_the_other_bytes": figures(each.one_after_the_other),
                    "all_at_once_bytes": figures(each.all_at_once),
                }
                for each in forecast.filesystems
            ],
        },
        "services": [service_forecast_form(service) for service in forecast.services],
        "fits": [
            {
                "mount": each.room.mount,
                "roles": list(each.room.roles),
                "available_bytes": each.room.available_bytes,
                "reserve_bytes": each.room.reserve_bytes,
                "fit": str(each.fit),
                "missing_bytes": each.missing_bytes,
            }
            for each in fittings
        ],
        "deploy": None if deploy is None else need_form(deploy),
        "remedies": [msgspec.structs.asdict(each) | {"todo": list(each.todo)} for each in remedies],
    }


def need_form(need: DeployNeed) -> dict[str, object]:
    """Return what a plan needs."""
    return {
        "purpose": need.purpose,
        "mount": need.mount,
        "peak_bytes": figures(need.peak),
        "kept_bytes": figures(need.kept),
        "step": need.step,
        "freed_bytes": need.freed_bytes,
        "missing_bytes": need.missing_bytes,
        "cleans": need.cleans,
        "keep_versions": need.keep_versions,
    }


def service_forecast_form(service: ServiceForecast) -> dict[str, object]:
    """Return the forecast of a service."""
    return {
        "service": service.service,
        "image_bytes": figures(service.image),
        "disk_bytes": figures(service.disk),
        "transient_bytes": figures(service.transient),
        "download_bytes": figures(service.download),
        "target": service.target,
        "steps": [_step_form(step) for step in service.steps],
        "broken": service.broken,
        "failures": list(service.failures),
        "findings": [
            {"rule": each.rule, "place": str(each.place), "text": each.text, "todo": each.todo}
            for each in service.findings
        ],
        "notes": list(service.notes),
    }


def figures(estimate: Estimate) -> dict[str, object]:
    """Return the figures of a forecast, in bytes."""
    told = (estimate.low_bytes, estimate.likely_bytes, estimate.high_bytes) if estimate.known else (None, None, None)
    found: dict[str, object] = {**dict(zip(("low", "likely", "high"), told, strict=True)), "grade": str(estimate.grade)}
    return found | ({"weaker": {str(grade): count for grade, count in estimate.weaker}} if estimate.weaker else {})


def _step_form(step: InstructionForecast) -> dict[str, object]:
    return {
        "stage": step.stage,
        "line": step.line,
        "text": step.text,
        "image_bytes": figures(step.image),
        "disk_bytes": figures(step.disk),
        "transient_bytes": figures(step.transient),
        "download_bytes": figures(step.download),
        "how": step.how,
        "present": step.present,
        "contributors": [_contributor_form(each) for each in step.contributors],
    }


def _contributor_form(each: Contributor) -> dict[str, object]:
    return {
        "name": each.name,
        "disk_bytes": figures(each.disk),
        "download_bytes": figures(each.download),
        "source": each.source,
        "brought_by": list(each.brought_by),
    }


def json_text(form: Mapping[str, object]) -> str:
    """Write a mapping as JSON in one line, in which nothing can be taken for anything else."""
    try:
        return json_escaped(msgspec.json.encode(form).decode())
    except UnicodeEncodeError:
        return json_escaped(msgspec.json.encode(_shown(msgspec.to_builtins(form))).decode())


def _shown(value: object) -> object:
    if isinstance(value, str):
        return _NO_TEXT.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_shown(key): _shown(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_shown(entry) for entry in value]
    return value
