"""Which keys only newer versions of Compose know, and since which one. Pure: the version is told.

What Compose itself has to do when it starts a container is asked of it before anything is built: versions that are
built with a newer reader take such a key and pass over it. What is only read it refuses by itself.

Source: the release notes of Compose 2.15 to 2.40 and the Compose file reference; 2.26.1 of Debian and 2.40.3, tried.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path = tuple[str, ...]

_ANY = "*"
_STARTED: dict[Path, str] = {
    ("configs", _ANY, "content"): "2.23.1",
    ("configs", _ANY, "environment"): "2.23.1",
    ("networks", _ANY, "enable_ipv4"): "2.33.1",
    ("services", _ANY, "annotations"): "2.26.0",
    ("services", _ANY, "networks", _ANY, "gw_priority"): "2.33.1",
    ("services", _ANY, "networks", _ANY, "interface_name"): "2.36.0",
    ("services", _ANY, "post_start"): "2.30.0",
    ("services", _ANY, "pre_stop"): "2.30.0",
    ("services", _ANY, "use_api_socket"): "2.37.2",
    ("services", _ANY, "volumes", _ANY, "type=image"): "2.35.0",
}
_READ: dict[Path, str] = {
    **_STARTED,
    ("include",): "2.20.0",
    ("models",): "2.38.0",
    ("services", _ANY, "attach"): "2.20.0",
    ("services", _ANY, "build", "additional_contexts"): "2.17.0",
    ("services", _ANY, "build", "dockerfile_inline"): "2.17.0",
    ("services", _ANY, "build", "entitlements"): "2.27.0",
    ("services", _ANY, "build", "provenance"): "2.39.0",
    ("services", _ANY, "build", "sbom"): "2.39.0",
    ("services", _ANY, "depends_on", _ANY, "required"): "2.20.2",
    ("services", _ANY, "depends_on", _ANY, "restart"): "2.17.0",
    ("services", _ANY, "develop"): "2.22.0",
    ("services", _ANY, "develop", "watch", _ANY, "initial_sync"): "2.39.4",
    ("services", _ANY, "env_file", _ANY, "format"): "2.30.0",
    ("services", _ANY, "gpus"): "2.30.0",
    ("services", _ANY, "healthcheck", "start_interval"): "2.20.2",
    ("services", _ANY, "label_file"): "2.32.0",
    ("services", _ANY, "models"): "2.38.0",
    ("services", _ANY, "provider"): "2.36.0",
    ("services", _ANY, "pull_policy=daily"): "2.34.0",
    ("services", _ANY, "pull_policy=every_*"): "2.34.0",
    ("services", _ANY, "pull_policy=weekly"): "2.34.0",
}
NOT_DONE = {
    "models": "Compose pulls models when it starts a service: their bytes are in no forecast, and nothing guards the"
    " disk meanwhile. Pull them first (docker model pull NAME), and tell the service their address in 'environment'.",
    "provider": "A program of its own starts such a service, outside of the engine: neither its bytes nor its health"
    " are known. Start it with 'docker compose', and leave it out of what Tonnage deploys.",
    "jobs": "Compose 2.40 does not know it either.",
    "pre_start": "Compose 2.40 does not know it either. 'post_start' is a hook that it knows.",
}
"""Keys that Tonnage does not carry out, whichever Compose is there: why, and what to write instead."""
_NUMBERS = regex(r"\d+")


def started_with(project: Mapping[str, Any], version: str) -> Iterator[tuple[Path, str]]:
    """Yield the keys of a project that this version of Compose would not carry out, each with the one it takes."""
    return _newer(project, version, _STARTED)


def read_with(project: Mapping[str, Any], version: str) -> Iterator[tuple[Path, str]]:
    """Yield the keys of a project that this version of Compose does not know, each with the one that does."""
    return _newer(project, version, _READ)


def _newer(project: Mapping[str, Any], version: str, since: Mapping[Path, str]) -> Iterator[tuple[Path, str]]:
    for pattern, needed in since.items():
        if _key_of(version) < _key_of(needed):
            yield from ((path, needed) for path in _found(project, pattern))


def _found(value: object, pattern: Path) -> Iterator[Path]:
    """Yield the paths of a pattern at which something is written."""
    if not pattern:
        yield ()
        return
    wanted, *rest = pattern
    key, _, equal = wanted.partition("=")
    entries = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
    for name, entry in entries.items():
        said = fnmatchcase(str(entry), equal) if equal else entry is not None
        if wanted == _ANY or (name == key and said):
            yield from ((str(name), *below) for below in _found(entry, tuple(rest)))


def _key_of(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBERS.findall(version)[:3])
