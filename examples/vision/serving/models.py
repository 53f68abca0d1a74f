"""Loads the networks of a service, and knows why one is not loaded."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from serving import backends
from serving.weights import MANIFEST, WeightsError, checksum, find, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from serving.backends import Network
    from serving.settings import Settings
    from serving.weights import WeightsFile

    Predict = Callable[[NDArray[np.uint8], Mapping[str, "Model"], Mapping[str, str], Settings], dict[str, Any]]

_LOG = logging.getLogger(__name__)


class OutputError(Exception):
    """A network's output has another form than its service decodes."""


class FieldError(ValueError):
    """A field of the request has a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class Model:
    """A network that is loaded, with its entry in the manifest."""

    file: WeightsFile
    network: Network


@dataclass(frozen=True, slots=True)
class Service:
    """What is different from service to service.

    Attributes:
        name: Name of the service.
        models: Names of its networks, as in the manifest.
        predict: From an image, the networks by name, the fields of the request and the settings to the answer.
        check: Runs one network on an input of its size and decodes what comes out, or raises OutputError.
    """

    name: str
    models: tuple[str, ...]
    predict: Predict
    check: Callable[[Model], None]


@dataclass(slots=True)
class Shelf:
    """The networks of a service: loaded ones, and for each of the others what is wrong.

    Attributes:
        service: The service.
        settings: Its settings.
        models: Loaded networks by name.
        problems: For each network that is not loaded, why.
    """

    service: Service
    settings: Settings
    models: dict[str, Model] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    _files: dict[str, WeightsFile] = field(default_factory=dict)
    _seen: tuple[object, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_loaded(self) -> bool:
        """Whether every network can be run."""
        return len(self.models) == len(self.service.models)

    def load(self) -> None:
        """Load what is not loaded yet, unless nothing has changed in the directory since it was last tried."""
        if self.is_loaded:
            return
        with self._lock:
            seen = self._look()
            if seen == self._seen:
                return
            for name in self.service.models:
                if name in self.models:
                    continue
                try:
                    self.models[name] = self._load(name)
                    self.problems.pop(name, None)
                except WeightsError as error:
                    self.problems[name] = str(error)
                    # Who deploys it reads the log, not the answers.
                    _LOG.warning("%s: %s", name, error)
            self._seen = seen

    def report(self) -> list[dict[str, Any]]:
        """Describe each network for the health endpoint."""
        return [self._describe(name) for name in self.service.models]

    def _load(self, name: str) -> Model:
        directory, backend = self.settings.weights_dir, self.settings.backend
        file = self._files[name] = find(read_manifest(directory), name, backend, directory)
        checksum(file, directory)
        model = Model(file, backends.load(backend, directory / file.file))
        try:
            self.service.check(model)
        except OutputError as error:
            raise WeightsError(f"The weights {directory / file.file} are not of {name}: {error}") from error
        except Exception as error:  # each backend has exceptions of its own
            raise WeightsError(
                f"The weights {directory / file.file} cannot be run with an input of "
                f"{file.input_width} x {file.input_height}: {error}"
            ) from error
        return model

    def _describe(self, name: str) -> dict[str, Any]:
        described: dict[str, Any] = {"model": name, "loaded": name in self.models}
        if file := self._files.get(name):
            described |= {"file": file.file, "path": str(self.settings.weights_dir / file.file)}
        if name in self.models:
            loaded = self.models[name].file
            described |= {"bytes": loaded.file_bytes, "sha256": loaded.sha256}
        if name in self.problems:
            described["problem"] = self.problems[name]
        return described

    def _look(self) -> tuple[object, ...]:
        """Return what changes when a file is added or replaced."""
        directory = self.settings.weights_dir
        names = {MANIFEST, *(file.file for file in self._files.values())}
        return tuple(_stamp(directory / name) for name in sorted(names))


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return status.st_mtime_ns, status.st_size, status.st_ino
