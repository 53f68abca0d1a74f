"""The check of weights before a deploy: from what services say of them to what is on this machine."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tonnage.decide.deploy.weights import chosen, path_here, require_weights
from tonnage.model.stack import NeededFile
from tonnage.sources.compose.x_tonnage import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tonnage.flows.ports import WeightFiles
    from tonnage.model.stack import Service, Stack, WeightsFile, WeightsSpec


def check_weights(
    weights: WeightFiles, stack: Stack, names: Collection[str], *, local: bool, tell: Callable[[str], None]
) -> tuple[int, tuple[str, ...]]:
    """Make sure that the weights of services are there, and are what they have to be.

    Args:
        local: The engine is this machine's own, so that it mounts this machine's files.

    Returns:
        How many files were checked, and what could not be checked from here.

    Raises:
        UsageError: A file or a manifest is missing, or is not what it has to be.
    """
    needed: list[NeededFile] = []
    notes: dict[str, None] = {}
    for service in stack.services:
        spec = service.settings.weights
        if spec is None or service.name not in names:
            continue
        for inside, described in _described(weights, stack, service, spec, notes, local=local):
            path, why = path_here(stack, service, inside, local=local)
            if why:
                notes[_note(service, why)] = None
                continue
            own = described.place if described in spec.files else spec.place
            needed.append(
                NeededFile(
                    service=service.name, inside=inside, path=path, described=described, place=str(own) if own else ""
                )
            )
    if needed:
        require_weights(needed, weights.look(needed, tell))
    return len({file.path for file in needed}), tuple(notes)


def _described(
    weights: WeightFiles, stack: Stack, service: Service, spec: WeightsSpec, notes: dict[str, None], *, local: bool
) -> list[tuple[str, WeightsFile]]:
    """Return the files that a service needs, with their paths inside of the container."""
    found = [(file.file, file) for file in spec.files]
    if not spec.manifest:
        return found
    path, why = path_here(stack, service, spec.manifest, local=local)
    if why:
        notes[_note(service, why)] = None
        return found
    text = weights.text(path, service=service.name, place=str(spec.place or ""))
    beside = posixpath.dirname(spec.manifest)
    listed = chosen(service, spec, read_manifest(text, path), path)
    return [*found, *((posixpath.normpath(posixpath.join(beside, file.file)), file) for file in listed)]


def _note(service: Service, why: str) -> str:
    return f"the weights of {service.name} were not checked: {why}"
