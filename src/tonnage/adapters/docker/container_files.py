"""An engine's own files of its containers, on this machine: what there are, and what they printed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tonnage.errors import CannotReclaimError, StepFailedError
from tonnage.model.inventory import Container

_PROJECT = "com.docker.compose.project"


def containers_in_files(data_root: str) -> tuple[Container, ...]:
    """Return what containers there are, each with what it mounts of this machine and the project it belongs to.

    Args:
        data_root: The engine's, on this machine.

    Returns:
        The containers, whether they run or not. One whose file is broken is left out: the engine leaves it out too.

    Raises:
        CannotReclaimError: This user may not read it, so nobody knows what containers need.

    Source: moby, container/container.go: ``config.v2.json`` has ``MountPoints`` by where they are mounted; daemon.go
    goes on without a container that cannot be loaded.
    """
    directory, found = Path(data_root, "containers"), []
    try:
        # A pattern would take what may not be looked at for empty.
        for each in sorted(directory.iterdir()):
            container = _container(each)
            if container is not None:
                found.append(container)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise CannotReclaimError(
            "cannot determine what must be kept; nothing removed",
            why=f"The engine does not answer, and what its containers mount stands in {directory}: {error.strerror}.",
            todo="Root can read it:\n  sudo --preserve-env $(command -v tonnage) reclaim",
        ) from error
    return tuple(found)


def _container(directory: Path) -> Container | None:
    try:
        text = (directory / "config.v2.json").read_text(encoding="utf-8")
        import json  # noqa: PLC0415 - not where there is nothing to read

        told = json.loads(text)
        labels = told["Config"].get("Labels") or {}
        mounts = (told.get("MountPoints") or {}).values()
        return Container(
            container_id=directory.name,
            name=str(told["Name"]).removeprefix("/"),
            image_id=str(told.get("Image", "")),
            project=str(labels.get(_PROJECT, "")),
            labels={str(name): str(value) for name, value in labels.items()},
            binds=tuple(sorted(str(each["Source"]) for each in mounts if each["Type"] == "bind" and each["Source"])),
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return None


_BLOCK_BYTES = 512
_FLAGS = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def log_size_bytes(path: str) -> int | None:
    """Return what a log takes on the disk; None where there is none, or this user may not look.

    Args:
        path: The file, as the engine tells it; empty for none.
    """
    if not path:
        return None
    try:
        return os.stat(path, follow_symlinks=False).st_blocks * _BLOCK_BYTES  # noqa: PTH116 - as the engine tells it
    except OSError:
        return None


def empty_log(path: str) -> None:
    """Empty a log. The engine holds it open and goes on at its new end, so it is never removed.

    Raises:
        StepFailedError: It is no plain file, or this user may not write to it.
    """
    try:
        file = os.open(path, _FLAGS)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise StepFailedError(f"the log {path} is not a regular file")
            os.ftruncate(file, 0)
        finally:
            os.close(file)
    except OSError as error:
        todo = (
            "As root it can:\n  sudo --preserve-env $(command -v tonnage) reclaim"
            if isinstance(error, PermissionError)
            else ""
        )
        raise StepFailedError(f"the log {path} could not be emptied", why=f"{error.strerror}.", todo=todo) from error
