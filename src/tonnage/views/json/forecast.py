"""A forecast as a JSON-able mapping: the documented form of ``docs/json.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import (
        Contributor,
        Estimate,
        InstructionForecast,
        ServiceForecast,
        StackForecast,
    )
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.forecast.fit import FilesystemFit


def forecast_form(forecast: StackForecast, fittings: Sequence[FilesystemFit] = ()) -> dict[str, object]:
    """Return the forecast of a stack.

    Args:
        fittings: How it fits each filesystem; empty where none is known.
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
        "failures": list(service.failures),
        "findings": [_finding_form(finding) for finding in service.findings],
        "notes": list(service.notes),
    }


def figures(estimate: Estimate) -> dict[str, object]:
    """Return the figures of a forecast, in bytes."""
    known = estimate.known
    return {
        "low": estimate.low_bytes if known else None,
        "likely": estimate.likely_bytes if known else None,
        "high": estimate.high_bytes if known else None,
        "grade": str(estimate.grade),
    }


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
    }


def _finding_form(finding: Finding) -> dict[str, object]:
    return {"rule": finding.rule, "place": str(finding.place), "text": finding.text, "todo": finding.todo}
