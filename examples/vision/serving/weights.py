"""The manifest of the weights, and whether the files are there and are what it says.

Weights are never part of an image: they are mounted, so that what a service finds may be missing, another file, or
damaged. Each is an error that names the file and its place.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "manifest.json"
VERSION = 1


class WeightsError(Exception):
    """Weights cannot be used; the message says which, where, and why."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file, as the manifest describes it.

    Attributes:
        file: Name within the directory of the weights.
        model: Which network it is.
        backend: Program that runs it: "onnx" or "torch".
        file_bytes: Its length.
        sha256: Its checksum, in hexadecimal.
        source: Where it comes from.
        licence: Under which terms.
        input_width: Width of the network's input in pixels.
        input_height: Height of the network's input in pixels.
        labels: Names of what it tells apart: classes, or keypoints.
    """

    file: str
    model: str
    backend: str
    file_bytes: int
    sha256: str
    source: str
    licence: str
    input_width: int
    input_height: int
    labels: tuple[str, ...]


def read_manifest(directory: Path) -> tuple[WeightsFile, ...]:
    """Read the manifest of a directory.

    Raises:
        WeightsError: When it is missing, no JSON, or lacks something.
    """
    path = directory / MANIFEST
    try:
        written = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise WeightsError(f"The manifest {MANIFEST} is missing in {directory}.") from error
    except OSError as error:
        raise WeightsError(f"The manifest {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"The manifest {path} is not JSON: {error}.") from error
    try:
        if written["version"] != VERSION:
            raise WeightsError(f"The manifest {path} has version {written['version']!r}; this service reads {VERSION}.")
        return tuple(_entry(entry) for entry in written["files"])
    except KeyError as error:
        raise WeightsError(f"The manifest {path} has an entry without {error}.") from error
    except (TypeError, ValueError) as error:
        raise WeightsError(f"The manifest {path} has another form than expected: {error}.") from error


def find(files: tuple[WeightsFile, ...], model: str, backend: str, directory: Path) -> WeightsFile:
    """Return the manifest's entry of a network for a backend.

    Raises:
        WeightsError: When there is none.
    """
    for file in files:
        if (file.model, file.backend) == (model, backend):
            return file
    raise WeightsError(f"The manifest {directory / MANIFEST} has no file of {model} for the backend {backend}.")


def checksum(file: WeightsFile, directory: Path) -> str:
    """Return the file's checksum, after making sure that it is the one of the manifest.

    Raises:
        WeightsError: When the file is missing, or is not what the manifest says.
    """
    path = directory / file.file
    try:
        with path.open("rb") as content:
            size_bytes = content.seek(0, 2)
            content.seek(0)
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise WeightsError(
            f"The weights of {file.model} are missing: there is no {file.file} in {directory}."
        ) from error
    except OSError as error:
        raise WeightsError(f"The weights {path} cannot be read: {error.strerror}.") from error
    if found != file.sha256:
        raise WeightsError(
            f"The weights {path} are not the ones of the manifest: checksum mismatch, sha256 is {found} "
            f"({size_bytes} bytes), expected {file.sha256} ({file.file_bytes} bytes)."
        )
    return found


def _entry(entry: dict[str, Any]) -> WeightsFile:
    width, height = entry["input"]
    return WeightsFile(
        file=str(entry["file"]),
        model=str(entry["model"]),
        backend=str(entry["backend"]),
        file_bytes=int(entry["bytes"]),
        sha256=str(entry["sha256"]).lower(),
        source=str(entry["source"]),
        licence=str(entry["licence"]),
        input_width=int(width),
        input_height=int(height),
        labels=tuple(str(label) for label in entry["labels"]),
    )
