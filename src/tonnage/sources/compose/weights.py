"""What describes weights: ``x-tonnage.weights`` of a service, and a manifest of files as JSON.

Paths in the compose file are those that the service sees: its mounts say where the files lie outside.
"""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Any

from tonnage.errors import UsageError
from tonnage.model.stack import Place, WeightsFile, WeightsSpec
from tonnage.sources.compose.nodes import wrong
from tonnage.sources.compose.scalars import Text, Whole
from tonnage.sources.compose.shapes import Fields, Listed

if TYPE_CHECKING:
    from tonnage.sources.compose.nodes import ComposeNode

_SHA256 = "[0-9a-fA-F]{64}"
_VERSION = 1


def _short(written: ComposeNode, _name: str) -> dict[str, ComposeNode] | None:
    return {"manifest": written} if isinstance(written.value, str) else None


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
    short=_short,
)


def weights_spec(written: ComposeNode, name: str) -> WeightsSpec | None:
    """Return what a service says of its weights.

    Raises:
        UsageError: It names no file, a path is not one inside of the container, or a length is below zero.
    """
    if written.value is None:
        return None
    fields: dict[str, ComposeNode] = {key: entry for key, entry in written.value.items() if entry.value is not None}
    if not fields.keys() & {"manifest", "files"}:
        raise UsageError(f"{name} has neither 'manifest' nor 'files'", place=str(written.place))
    listed = [entry for entry in (fields["files"].value if "files" in fields else ()) if entry.value is not None]
    return WeightsSpec(
        manifest=_inside(fields["manifest"], f"{name}.manifest") if "manifest" in fields else "",
        models=tuple(entry.value for entry in fields["models"].value) if "models" in fields else (),
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
    except ValueError as error:
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
            f"{name} is {path!r}, which is no path inside of the container",
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
