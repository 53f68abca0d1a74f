"""Weights before a deploy: where a service's files lie on this machine, which it needs, and what is wrong. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.escapes import visible_in_line
from tonnage.model.stack import SeenFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.stack import Mount, NeededFile, Service, Stack, WeightsFile, WeightsSpec


def path_here(stack: Stack, service: Service, inside: str, *, local: bool) -> tuple[str, str]:
    """Return where on this machine a path inside of a service's container lies.

    Returns:
        The path, empty when it does not lie here; and why not, empty when it does.

    Raises:
        UsageError: Nothing is mounted there.
    """
    over = [mount for mount in service.mounts if mount.target and _rest(inside, mount.target) is not None]
    if not over:
        if any(mount.kind == "volumes_from" for mount in service.mounts):
            return "", "it mounts what another container does"
        spec = service.settings.weights
        raise UsageError(
            f"the weights {inside} of {service.name} are in no mount",
            why="Weights stay outside of the image, so the service has to mount the directory that they are in.",
            todo=f"Add a volume whose target is {visible_in_line(posixpath.dirname(inside))}, or above it.",
            place=str(spec.place) if spec is not None and spec.place is not None else "",
        )
    mount = max(over, key=lambda each: len(posixpath.normpath(each.target)))
    if mount.kind != "bind":
        return "", f"{mount.target} is {'the volume ' + mount.source if mount.source else 'a ' + mount.kind}"
    source = _source_here(stack, mount, local=local)
    if not source:
        return "", f"{mount.source} is where the engine is, which may be another machine"
    rest = _rest(inside, mount.target)
    return (posixpath.join(source, rest) if rest else source), ""


def chosen(service: Service, spec: WeightsSpec, manifest: Sequence[WeightsFile], path: str) -> list[WeightsFile]:
    """Return the files of a manifest that a service needs.

    Raises:
        UsageError: The manifest has none for a model, or none for the backend.
    """
    backend = spec.backend or str((service.config.get("environment") or {}).get("BACKEND") or "")
    usable = [file for file in manifest if not backend or file.backend in {"", backend}]
    lacking = [model for model in spec.models if all(file.model != model for file in usable)]
    if lacking or not usable:
        whose = f" of {lacking[0]}" if lacking else ""
        raise UsageError(
            f"the manifest of {service.name} has no file{whose}{f' for the backend {backend}' if backend else ''}",
            why=f"{path} has: {', '.join(_named(file) for file in manifest) or 'no file at all'}.",
            todo="Bring the file and add an entry for it to the manifest.",
            place="" if spec.place is None else str(spec.place),
        )
    return [file for file in usable if not spec.models or file.model in spec.models]


def require_weights(needed: Sequence[NeededFile], seen: Mapping[str, SeenFile]) -> None:
    """Refuse to go on where a file is missing, or is not what it has to be.

    Raises:
        UsageError: A file is missing or damaged; the message tells of each.
    """
    wrong = [(file, text) for file in needed if (text := _wrong(file, seen.get(file.path, SeenFile())))]
    if not wrong:
        return
    first, (what, _) = wrong[0]
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    raise UsageError(
        f"the weights {first.inside} of {first.service} {what}{more}",
        why="\n".join(dict.fromkeys(f"{file.path}: {figures}." for file, (_, figures) in wrong)),
        todo=_todo([file for file, _ in wrong]),
        place=first.place,
    )


def _wrong(file: NeededFile, seen: SeenFile) -> tuple[str, str] | None:
    """Return what is wrong, shortly and with figures; None when nothing is."""
    wanted = file.described
    expected = f"expected {wanted.size_bytes} bytes with sha256 {wanted.sha256}"
    if seen.trouble:
        return "cannot be read", f"{seen.trouble}; {expected}"
    if seen.size_bytes is None:
        return "are missing", f"there is no such file; {expected}"
    if seen.size_bytes != wanted.size_bytes:
        return "are not the ones described", f"found {seen.size_bytes} bytes; {expected}"
    if seen.sha256 != wanted.sha256:
        return "are damaged, or others", f"found {seen.size_bytes} bytes with sha256 {seen.sha256}; {expected}"
    return None


def _todo(files: Sequence[NeededFile]) -> str:
    """Return what to do, one line for each source: files often come from the same one."""
    names: dict[str, dict[str, None]] = {}
    for file in files:
        names.setdefault(file.described.source, {})[posixpath.basename(file.path)] = None
    return "\n".join(
        f"Put {', '.join(found)} there{f'; source: {source}' if source else ', or correct what is expected'}."
        for source, found in names.items()
    )


def _named(file: WeightsFile) -> str:
    about = " ".join(part for part in (file.model, file.backend) if part)
    return f"{file.file} ({about})" if about else file.file


def _source_here(stack: Stack, mount: Mount, *, local: bool) -> str:
    """Return the mounted path on this machine: what is sent from here is what will be there."""
    if not stack.place:
        return mount.source if local else ""
    rest = _rest(mount.source, stack.place)
    if rest is None or (rest or ".") not in dict(stack.sent):
        return ""
    return posixpath.join(stack.directory, rest) if rest else stack.directory


def _rest(path: str, directory: str) -> str | None:
    """Return a path's part below a directory, empty for the directory itself; None when it is not below it."""
    path, directory = posixpath.normpath(path), posixpath.normpath(directory)
    if path == directory:
        return ""
    above = directory.rstrip("/") + "/"
    return path[len(above) :] if path.startswith(above) else None
