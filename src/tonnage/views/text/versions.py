"""The versions of a stack as text and as a form: what rollback can go to, and what not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes, format_moment
from tonnage.views.text.layout import columns, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.versions import KnownVersion, ServiceVersions

_HEADS = ("service", "version", "image", "verified", "bytes", "")
_BYTES = (4,)
_LEGEND = (
    "Numbers count over all services of the stack; a version that a rollback starts again gets a new one.",
    "Bytes are what removing a version alone would free.",
)


def versions_text(found: Sequence[ServiceVersions]) -> str:
    """Write the versions of a stack, the newest first."""
    rows = [row for each in found for row in _rows(each)]
    if not rows:
        return "no versions are known"
    lines = columns((_HEADS, *rows), right=_BYTES)
    return joined([*lines, "", *_LEGEND])


def versions_form(found: Sequence[ServiceVersions]) -> dict[str, object]:
    """Return the versions of a stack for programs."""
    return {"versions": [_form(each, known) for each in found for known in reversed(each.known)]}


def _rows(service: ServiceVersions) -> list[tuple[str, ...]]:
    rows = [_row(service, known) for known in reversed(service.known) if known.image is not None]
    if service.runs is None and service.running is not None:
        held = service.running
        rows.insert(
            0,
            (
                service.service,
                "-",
                _short(held.image_id),
                "-",
                format_bytes(held.unique_bytes),
                "running, never verified",
            ),
        )
    return rows


def _row(service: ServiceVersions, known: KnownVersion) -> tuple[str, ...]:
    when = format_moment(known.version.proven_s) if known.version is not None and known.version.proven_s else "-"
    size = format_bytes(known.image.unique_bytes) if known.image is not None else "-"
    name = known.name if known.number else "-"
    return (service.service, name, _short(_image_id(known)), when, size, _state(service, known))


def _form(service: ServiceVersions, known: KnownVersion) -> dict[str, object]:
    image, version = known.image, known.version
    return {
        "service": service.service,
        "version": known.name if known.number else "",
        "image": _image_id(known),
        "names": [] if image is None else list(image.references),
        "proven_s": version.proven_s if version is not None and version.proven_s else None,
        "unique_bytes": None if image is None else image.unique_bytes,
        "size_bytes": None if image is None else image.size_bytes,
        "runs": known == service.runs,
        "withdrawn": known.withdrawn,
        "there": image is not None,
        "configuration_known": version is not None,
    }


def _image_id(known: KnownVersion) -> str:
    if known.image is not None:
        return known.image.image_id
    return known.version.image_id if known.version is not None else ""


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]


def _state(service: ServiceVersions, known: KnownVersion) -> str:
    told = "running" if known == service.runs else "rolled back" if known.withdrawn else "good"
    if known.version is None:
        told = f"{'it ran before' if told == 'good' else told}; its configuration is unknown"
    return told
