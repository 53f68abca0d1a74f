"""``x-tonnage``: the settings of this program inside a compose file, at the top and in a service; manifests of weights.

Paths of weights are those that the service sees: its mounts say where the files lie outside.
"""

from __future__ import annotations

import json
import posixpath
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from tonnage.errors import UsageError
from tonnage.model.deploy.policy import AtReserve, Cleanup, Together
from tonnage.model.stack import (
    InstallerChoice,
    Place,
    ProbeSpec,
    ServiceSettings,
    Share,
    SwitchOrder,
    WeightsFile,
    WeightsSpec,
)
from tonnage.sources.compose.nodes import nearest, wrong
from tonnage.sources.compose.scalars import PathBase, Span, Text, Truth, Whole, as_text
from tonnage.sources.compose.shapes import Fields, Listed
from tonnage.sources.compose.short_syntax import short
from tonnage.units import parse_bytes, parse_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.sources.compose.nodes import ComposeNode

SETTINGS = "x-tonnage"
"""The key, at the top of a file and in a service."""
_SHA256 = "[0-9a-fA-F]{64}"
_VERSION = 1
_KEEP_FREE = "keep-free"
_ASSUME_UNKNOWN = "assume-unknown"
_SIZES = (_KEEP_FREE, _ASSUME_UNKNOWN)
_CLEANUP = "cleanup"
_KEEP_VERSIONS = "keep-versions"
_PARALLEL = "parallel"
_PROXY_LABELS = "proxy-labels"
ON_FAILURE = "on-failure"
_SHARE = "share"
_INSTALLER = "installer"
_GUARD = "guard"
CLUSTER = "cluster"
_NODES = "nodes"
_FAILOVER = "failover"
_CHOICES = {
    _CLEANUP: tuple(Cleanup),
    "rollback": tuple(Together),
    _SHARE: tuple(Share),
    _INSTALLER: tuple(InstallerChoice),
    _GUARD: tuple(AtReserve),
    CLUSTER: ("none", "swarm"),
}
STACK_KEYS = (
    *(_KEEP_FREE, "keep-previous", _KEEP_VERSIONS, "cleanup-after", _CLEANUP, _ASSUME_UNKNOWN, "forecast"),
    _PARALLEL,
    "rollback",
    _SHARE,
    _INSTALLER,
    _GUARD,
    _PROXY_LABELS,
    ON_FAILURE,
    CLUSTER,
    _NODES,
    _FAILOVER,
)
_GROUND = PathBase("/")
_HTTP_STATUS = range(100, 600)
_PORTS = range(1, 65536)
_VERSIONS = range(1000)
_AT_ONCE = range(1, 65)
_HOLDERS = range(1, 1001)
_COUNTS = {_KEEP_VERSIONS: _VERSIONS, _PARALLEL: _AT_ONCE, _FAILOVER: _HOLDERS}
_NODE_ADDRESSES = ("ssh://", "tcp://", "unix:///")


WEIGHTS = Fields(
    {
        "manifest": Text(),
        "models": Listed(Text(), single=True),
        "backend": Text(),
        "files": Listed(
            Fields(
                {
                    "file": Text(),
                    "bytes": Whole(),
                    "sha256": Text(pattern=_SHA256, example="the 64 hexadecimal digits of sha256sum, in quotes"),
                },
                required=("file", "bytes", "sha256"),
            )
        ),
    },
    short=short("manifest"),
)
SERVICE = Fields(
    {
        "probe": Fields({"path": Text(), "port": Whole(), "status": Whole(), "timeout": Span()}, required=("port",)),
        "switch": Text(choices=tuple(SwitchOrder)),
        "one-shot": Truth(),
        "stability": Span(),
        "drain": Span(),
        "proxy-networks": Listed(Text(), single=True),
        "weights": WEIGHTS,
        _SHARE: Text(choices=tuple(Share)),
        _INSTALLER: Text(choices=tuple(InstallerChoice)),
        _FAILOVER: Whole(),
    }
)


def _weights(written: ComposeNode, name: str) -> WeightsSpec | None:
    """Return what a service says of its weights; None where the section is empty."""
    if written.value is None:
        return None
    fields: dict[str, ComposeNode] = {key: entry for key, entry in written.value.items() if entry.value is not None}
    if not fields.keys() & {"manifest", "files"}:
        raise UsageError(f"{name} has neither 'manifest' nor 'files'", place=str(written.place))
    listed = [
        entry for entry in ((fields["files"].value if "files" in fields else None) or ()) if entry.value is not None
    ]
    return WeightsSpec(
        manifest=_inside(fields["manifest"], f"{name}.manifest") if "manifest" in fields else "",
        models=tuple(entry.value for entry in fields["models"].value or ()) if "models" in fields else (),
        backend=fields["backend"].value if "backend" in fields else "",
        files=tuple(_listed(entry, f"{name}.files[{index}]") for index, entry in enumerate(listed)),
        place=written.place,
    )


def read_manifest(text: str, path: str) -> tuple[WeightsFile, ...]:
    """Read a manifest: an object whose ``files`` have ``file``, ``bytes`` and ``sha256`` each.

    ``model``, ``backend`` and ``source`` are read where they are there; anything else is left to the service.

    Raises:
        UsageError: It is no such JSON.
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the manifest {path} is not JSON: {error}", place=path) from None
    entries = told.get("files") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        raise UsageError(f"the manifest {path} has no list 'files'", place=path)
    if told.get("version", _VERSION) != _VERSION:
        raise UsageError(f"the manifest {path} has version {told['version']!r}", why=f"Known: {_VERSION}.", place=path)
    return tuple(_described(entry, index, path) for index, entry in enumerate(entries))


def _inside(written: ComposeNode, name: str) -> str:
    path = str(written.value)
    if not path.startswith("/"):
        raise UsageError(
            f"{name} is {path!r}, which is not a path inside the container",
            todo="Write the path that the service sees, such as /weights/manifest.json.",
            place=str(written.place),
        )
    return posixpath.normpath(path)


def _listed(written: ComposeNode, name: str) -> WeightsFile:
    fields: dict[str, ComposeNode] = written.value
    if fields["bytes"].value < 0:
        raise wrong(fields["bytes"], f"{name}.bytes", "a number of bytes")
    return WeightsFile(
        file=_inside(fields["file"], f"{name}.file"),
        size_bytes=fields["bytes"].value,
        sha256=str(fields["sha256"].value).lower(),
        place=written.place,
    )


def _described(entry: Any, index: int, path: str) -> WeightsFile:  # noqa: ANN401 - JSON that somebody wrote
    entry = entry if isinstance(entry, dict) else {}
    file, size_bytes, sha256 = (entry.get(key) for key in ("file", "bytes", "sha256"))
    lacks = [
        key
        for key, good in (
            ("file", isinstance(file, str) and file != ""),
            ("bytes", isinstance(size_bytes, int) and not isinstance(size_bytes, bool) and size_bytes >= 0),
            ("sha256", isinstance(sha256, str) and re.fullmatch(_SHA256, sha256) is not None),
        )
        if not good
    ]
    if lacks or not isinstance(file, str) or not isinstance(size_bytes, int) or not isinstance(sha256, str):
        name = f"{file!r}" if isinstance(file, str) else f"number {index + 1}"
        raise UsageError(
            f"the manifest {path} has an entry, {name}, without a usable {lacks[0]!r}",
            why="Each entry needs 'file', 'bytes' (a whole number) and 'sha256' (64 hexadecimal digits).",
            place=path,
        )
    return WeightsFile(
        file=file,
        size_bytes=size_bytes,
        sha256=sha256.lower(),
        model=str(entry.get("model") or ""),
        backend=str(entry.get("backend") or ""),
        source=str(entry.get("source") or ""),
        place=Place(path),
    )


def refuse_misspelt(keys: Mapping[str, ComposeNode]) -> None:
    """Refuse a key of the user's own that was most probably meant to be ours: Compose passes over both.

    Raises:
        UsageError: There is such a key, and none that is spelt right.
    """
    if SETTINGS in keys:
        return
    for key, entry in keys.items():
        if key.startswith(("x-", "x_")) and get_close_matches(key.replace("_", "-").lower(), [SETTINGS], cutoff=0.85):
            raise UsageError(
                f"the key {key!r} is not known", todo=f"Did you mean {SETTINGS!r}?", place=str(entry.place)
            )


def stack_settings(written: ComposeNode | None) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, Place], ...]]:
    """Read ``x-tonnage`` of the stack.

    Args:
        written: The section; None when there is none.

    Raises:
        UsageError: An unknown key, a value of the wrong kind, or a size that is none.
    """
    if written is None or written.value is None:
        return (), ()
    if not isinstance(written.value, dict):
        raise wrong(written, "x-tonnage", "a mapping")
    values: list[tuple[str, str]] = []
    places: list[tuple[str, Place]] = []
    for key, entry in written.value.items():
        if key not in STACK_KEYS:
            in_service = f"{key!r} belongs under x-tonnage of a service." if key in SERVICE.keys else ""
            raise UsageError(
                f"the key {key!r} is not known in x-tonnage",
                todo=in_service or nearest(key, STACK_KEYS),
                place=str(entry.place),
            )
        values.append((key, _stack_value(key, entry)))
        places.append((key, entry.place))
    return tuple(values), tuple(places)


def _stack_value(key: str, entry: ComposeNode) -> str:
    name = f"x-tonnage.{key}"
    if key in _CHOICES:
        return as_text(Text(choices=_CHOICES[key]).read(entry, name, _GROUND).value)
    if key == ON_FAILURE:
        return _address(Text().read(entry, name, _GROUND), name)
    if key == _PROXY_LABELS:
        patterns = Listed(Text(), single=True).read(entry, name, _GROUND).value or ()
        return " ".join(str(each.value) for each in patterns)
    if key in _COUNTS:
        return str(_within(Whole().read(entry, name, _GROUND), name, _COUNTS[key]))
    if key == _NODES:
        return json.dumps(_nodes(entry, name))
    if key not in _SIZES:
        read = Truth().read(entry, name, _GROUND)
        if read.value is None:
            raise wrong(entry, name, "true or false")
        return as_text(read.value)
    if not isinstance(entry.value, str | int) or isinstance(entry.value, bool):
        raise wrong(entry, name, "a size such as 2GB")
    text = str(entry.value)
    try:
        parse_bytes(text)
    except UsageError as error:
        raise UsageError(f"{name}: {error.what}", why=error.why, todo=error.todo, place=str(entry.place)) from None
    return text


def _nodes(written: ComposeNode, name: str) -> dict[str, str]:
    """Return how the engine of each node is reached, by the node's host name or id."""
    if not isinstance(written.value, dict):
        raise wrong(written, name, "a mapping such as node2: ssh://user@node2")
    found = {}
    for node, entry in written.value.items():
        address = str(Text().read(entry, f"{name}.{node}", _GROUND).value or "")
        if not address.startswith(_NODE_ADDRESSES):
            raise wrong(entry, f"{name}.{node}", "an engine's address such as ssh://user@node2")
        found[str(node)] = address
    return found


def _address(written: ComposeNode, name: str) -> str:
    """Return the address that is told of failures: whoever writes a project names no program of this machine."""
    address = str(written.value or "").strip()
    if address and not address.lower().startswith("https://"):
        raise UsageError(
            f"{name} is not an https address",
            why="A file of a project may name an address that is told of a deploy that failed, but no program: "
            "what runs on this machine is the user's to say.",
            todo="Name the program in your environment:\n  export TONNAGE_ON_FAILURE='/usr/local/bin/PROGRAM ARGUMENT'",
            place=str(written.place),
        )
    return address


def service_settings(written: ComposeNode | None, service: str, *, one_shot: bool) -> ServiceSettings:
    """Read ``x-tonnage`` of a service.

    Args:
        written: The section; None when there is none.

    Raises:
        UsageError: An unknown key or a value of the wrong kind.
    """
    if written is None or written.value is None:
        return ServiceSettings(one_shot=one_shot)
    name = f"services.{service}.x-tonnage"
    if isinstance(written.value, dict):
        for key, entry in written.value.items():
            if key in STACK_KEYS and key not in SERVICE.keys:
                raise UsageError(
                    f"the key {key!r} is not known in {name}",
                    todo=f"{key!r} belongs under x-tonnage at the top of the file.",
                    place=str(entry.place),
                )
    fields: dict[str, ComposeNode] = SERVICE.read(written, name, _GROUND).value
    defaults = ServiceSettings()
    wants_one_shot = fields["one-shot"].value if "one-shot" in fields else None
    return ServiceSettings(
        probe=_probe(fields["probe"], name) if "probe" in fields else None,
        switch=SwitchOrder((fields["switch"].value if "switch" in fields else None) or defaults.switch),
        one_shot=one_shot if wants_one_shot is None else bool(wants_one_shot),
        stability_s=_seconds(fields.get("stability"), defaults.stability_s),
        weights=_weights(fields["weights"], f"{name}.weights") if "weights" in fields else None,
        proxy_networks=tuple(str(each.value) for each in fields["proxy-networks"].value or ())
        if "proxy-networks" in fields
        else (),
        drain_s=_seconds(fields.get("drain"), defaults.drain_s),
        share=Share(fields[_SHARE].value) if _SHARE in fields and fields[_SHARE].value else None,
        installer=InstallerChoice(fields[_INSTALLER].value)
        if _INSTALLER in fields and fields[_INSTALLER].value
        else None,
        failover=_within(fields[_FAILOVER], f"{name}.{_FAILOVER}", _HOLDERS) if _FAILOVER in fields else None,
    )


def _probe(written: ComposeNode, name: str) -> ProbeSpec | None:
    if written.value is None:
        return None
    fields: dict[str, ComposeNode] = written.value
    port = _within(fields["port"], f"{name}.probe.port", _PORTS)
    status = _within(fields["status"], f"{name}.probe.status", _HTTP_STATUS) if "status" in fields else 200
    path = (fields["path"].value if "path" in fields else None) or "/"
    return ProbeSpec(
        port=port,
        path=path if path.startswith("/") else f"/{path}",
        status=status,
        timeout_s=_seconds(fields.get("timeout"), 60.0),
    )


def _within(written: ComposeNode, name: str, limits: range) -> int:
    value = written.value
    if not isinstance(value, int) or value not in limits:
        raise wrong(written, name, f"a whole number from {limits.start} to {limits.stop - 1}")
    return value


def _seconds(written: ComposeNode | None, default: float) -> float:
    return default if written is None or written.value is None else parse_seconds(written.value)
