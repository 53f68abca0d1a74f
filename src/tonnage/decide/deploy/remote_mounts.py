"""A stack whose project directory lies elsewhere on the engine's machine: where mounted files are there. Pure.

Builds read this machine's files; mounts are resolved by the engine on its own. So only what is mounted moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.stack import FileToSend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.stack import Mount, Service, Stack


def moved(stack: Stack, place: str) -> Stack:
    """Return a stack whose mounts below its project directory are resolved below another one."""
    place = place.rstrip("/") or "/"
    shared = {key: dict(entries) for key, entries in stack.shared.items()}
    sent = {
        mount.source: mount.read_only
        for service in stack.services
        for mount in service.mounts
        if mount.kind == "bind" and _below(mount.source, stack.directory)
    }
    for section in ("configs", "secrets"):
        for name, entry in shared.get(section, {}).items():
            if isinstance(entry, dict) and _below(str(entry.get("file", "")), stack.directory):
                sent[entry["file"]] = True
                shared[section][name] = {**entry, "file": _there(entry["file"], stack.directory, place)}
    return replace(
        stack,
        services=tuple(_moved_service(service, stack.directory, place) for service in stack.services),
        shared=shared,
        place=place,
        sent=tuple((_relative(path, stack.directory), read_only) for path, read_only in sorted(sent.items())),
    )


def files_to_send(
    here: Mapping[str, tuple[int, int, bool]], there: Mapping[str, tuple[int, int]]
) -> tuple[FileToSend, ...]:
    """Return the files that the other machine lacks or has in another form."""
    return tuple(
        FileToSend(path=path, size_bytes=size_bytes)
        for path, (size_bytes, changed_s, read_only) in sorted(here.items())
        if path not in there or (read_only and there[path] != (size_bytes, changed_s))
    )


def _moved_service(service: Service, directory: str, place: str) -> Service:
    config, volumes = service.config, service.config.get("volumes")
    if volumes:
        config = {**config, "volumes": [_moved_volume(entry, directory, place) for entry in volumes]}
    return replace(service, config=config, mounts=_moved_mounts(service.mounts, directory, place))


def _moved_volume(entry: object, directory: str, place: str) -> object:
    if isinstance(entry, dict) and entry.get("type") == "bind" and _below(str(entry.get("source", "")), directory):
        return {**entry, "source": _there(entry["source"], directory, place)}
    return entry


def _moved_mounts(mounts: Sequence[Mount], directory: str, place: str) -> tuple[Mount, ...]:
    return tuple(
        replace(mount, source=_there(mount.source, directory, place))
        if mount.kind == "bind" and _below(mount.source, directory)
        else mount
        for mount in mounts
    )


def _below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _relative(path: str, directory: str) -> str:
    return path[len(directory.rstrip("/")) :].strip("/") or "."


def _there(path: str, directory: str, place: str) -> str:
    relative = _relative(path, directory)
    return place if relative == "." else f"{place.rstrip('/')}/{relative}"
