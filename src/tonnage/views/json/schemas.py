"""JSON Schemas of every form, made from the types in ``shapes``. ``docs/schemas`` has them as files.

They say which fields are there; a form may get more of them later, so other fields are not forbidden.
"""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from tonnage.views.json.forms import FORMAT
from tonnage.views.json.shapes import cluster, events, forecasts, looks, parts

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLACES = "#/$defs/{name}"

DOCUMENTS: dict[str, Any] = {
    "plan": parts.PlanForm,
    "cluster-plan": cluster.ClusterPlanForm,
    "cluster": cluster.ClusterForm,
    "cluster-reclaim": cluster.ClusterReclaimForm,
    "versions": looks.VersionsForm,
    "ship": looks.ShipForm,
    "verification": looks.VerificationForm,
    "status": looks.StatusForm,
    "guard": looks.GuardForm,
    "lint": forecasts.LintForm,
    "torch": forecasts.TorchForm,
    "forecast": forecasts.ForecastForm,
    "runs": looks.RunsForm,
    "pruned": looks.PrunedForm,
    "accuracy": forecasts.AccuracyForm,
    "checks": looks.ChecksForm,
    "builder-gc": looks.BuilderCollectionForm,
    "settings": looks.SettingsForm,
    "reclaim": looks.ReclaimForm,
    "uninstall": looks.UninstallForm,
    "explanations": forecasts.ExplanationsForm,
    "files": forecasts.FilesForm,
    "verdict": forecasts.VerdictOnForecastForm,
    "job": forecasts.JobForm,
    "next-runner": forecasts.NextRunnerForm,
    "run": parts.RunForm,
    "error": parts.ErrorForm,
}
"""Documents, by their name in ``document``."""
EVENTS: dict[str, Any] = {
    "run-started": events.RunStartedForm,
    "step-started": events.StepStartedForm,
    "step-progress": events.StepProgressForm,
    "step-log": events.StepLogForm,
    "disk-sampled": events.DiskSampledForm,
    "step-finished": parts.OutcomeForm,
    "run-finished": parts.RunForm,
    "notice": events.NoticeForm,
    "error": parts.ErrorForm,
}
"""Events, by their name in ``event``."""


def schemas() -> dict[str, dict[str, Any]]:
    """Return each schema by the name of its file: one for each document, and ``events`` for a line of a stream."""
    found = {name: _document(name, form) for name, form in DOCUMENTS.items()} | {"events": _events()}
    return {name: _without_indents(schema) for name, schema in found.items()}


def _without_indents(schema: Any) -> Any:  # noqa: ANN401 - whatever JSON may hold
    """Return a schema whose descriptions begin at the margin, as docstrings do from Python 3.13 on."""
    if isinstance(schema, list):
        return [_without_indents(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: inspect.cleandoc(value) if key == "description" and isinstance(value, str) else _without_indents(value)
        for key, value in schema.items()
    }


def _document(name: str, form: object) -> dict[str, Any]:
    (schema,), definitions = msgspec.json.schema_components((form,), ref_template=_PLACES)
    own = definitions.pop(_name(schema))
    head = {"format": {"const": FORMAT}, "document": {"const": name}}
    return {"$schema": _DIALECT, **_with(own, head), "$defs": definitions}


def _events() -> dict[str, Any]:
    found, definitions = msgspec.json.schema_components(tuple(EVENTS.values()), ref_template=_PLACES)
    timed = {"format": {"const": FORMAT}, "at_s": {"type": "number", "minimum": 0}}
    lines = [
        _with(definitions[_name(schema)], {**timed, "event": {"const": name}}, optional=("at_s",))
        for name, schema in zip(EVENTS, found, strict=True)
    ]
    return {
        "$schema": _DIALECT,
        "title": "Event",
        "description": "One line of what deploy, build, rollback and rehearse print, or write with --events.",
        "oneOf": lines,
        "$defs": definitions,
    }


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[-1]


def _with(form: dict[str, Any], head: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [*(name for name in head if name not in optional), *form["required"]]
    return {**form, "properties": {**head, **form["properties"]}, "required": required}
