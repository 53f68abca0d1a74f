"""The one door through which the Docker API is spoken to: whatever goes wrong behind it leaves as a class of ours.

It tells people why an engine does not answer in the words of their case: no socket, no permission, nobody listening,
an ssh that fails, an engine that died in the middle.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tonnage.adapters.docker import sdk
from tonnage.errors import EngineLacksError, EngineUnreachableError, StepFailedError, TonnageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = "Start it:\n  sudo systemctl start docker\nor install it: https://docs.docker.com/engine/install/"
_JOIN = "Join the group, then log in again:\n  sudo usermod -aG docker $USER\nor run this command with sudo."
_FULL = "No bytes are left on the engine's disk. See what can be freed:\n  tonnage reclaim"


@contextmanager
def speaking_to(endpoint: str, doing: str) -> Iterator[None]:
    """Turn everything that the Docker SDK and its connection raise into classes of :mod:`tonnage.errors`.

    Raises:
        StepFailedError: The engine answered that it cannot or will not.
        EngineUnreachableError: The engine does not answer, or no longer.
        EngineLacksError: The engine's answer has not the form that the Docker API documents.
    """
    try:
        yield
    except TonnageError:
        raise
    except (ConnectionError, FileNotFoundError, PermissionError, TimeoutError) as error:
        # The operating system's own, which say all there is to say: the SDK need not be imported to tell its failures.
        raise unreachable(endpoint, error) from error
    except sdk.APIError as error:
        raise refused(doing, _explanation(error)) from error
    except msgspec.ValidationError as error:
        raise EngineLacksError(
            f"could not {doing}: the answer of {endpoint} is not what the Docker API documents", why=str(error)
        ) from error
    except _outside() as error:
        raise unreachable(endpoint, error) from error


def _outside() -> tuple[type[Exception], ...]:
    """Return everything that the SDK and its connection raise; they are imported where something was raised."""
    from http.client import HTTPException  # noqa: PLC0415

    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    return (sdk.DockerException, sdk.RequestException, HTTPError, HTTPException, OSError)


def refused(doing: str, explanation: str) -> StepFailedError:
    """Return the failure for what the engine answered, with what to do where that is known."""
    said = explanation.strip() or "The engine gave no reason."
    lowered = said.lower()
    todo = ""
    if "no space left on device" in lowered:
        todo = _FULL
    elif "denied" in lowered or "unauthorized" in lowered or "authentication required" in lowered:
        todo = "Check the name, and log in to its registry if it is private:\n  docker login REGISTRY"
    elif "manifest unknown" in lowered or "not found" in lowered or "no such image" in lowered:
        todo = "Check the name and the tag."
    elif "i/o timeout" in lowered or "no such host" in lowered or "connection refused" in lowered:
        todo = "Check the engine's network and proxy, then try again."
    return StepFailedError(f"could not {doing}", why=said, todo=todo)


def unreachable(endpoint: str, error: BaseException) -> EngineUnreachableError:
    """Return the failure for an engine that does not answer, in the words of the case."""
    cause = _root(error)
    number = cause.errno if cause is not None else None
    if endpoint.startswith("unix://"):
        path = endpoint.removeprefix("unix://")
        if number in {errno.ENOENT, errno.ENOTDIR}:
            return _missing(path)
        if number in {errno.EACCES, errno.EPERM}:
            return EngineUnreachableError(
                f"no permission on the engine's socket {path}",
                why=f"This user (uid {os.getuid()}) may not write to it.",
                todo=_JOIN,
            )
        if number in {errno.ECONNREFUSED, errno.ENOTSOCK}:
            return EngineUnreachableError(
                f"connection refused on the engine's socket {path}",
                why="The socket is there, but no engine answers on it: it has stopped or crashed.",
                todo="See why, and start it again:\n  sudo journalctl -u docker -n 50\n  sudo systemctl restart docker",
            )
    elif number == errno.ECONNREFUSED:
        return EngineUnreachableError(
            f"the connection to {endpoint} was refused",
            why="The machine answers, but no engine listens at this address and port.",
            todo="Check the address (-H, DOCKER_HOST or the docker context) and that the engine listens there.",
        )
    return EngineUnreachableError(
        f"the engine at {endpoint} does not answer",
        why=str(cause or error),
        todo="Look whether it runs:\n  docker version",
    )


def _missing(path: str) -> EngineUnreachableError:
    """Return the failure for a socket that is not there, naming one that is."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    desktop = Path("~/.docker/desktop/docker.sock").expanduser()
    others = [Path(runtime, "docker.sock"), desktop, Path("/run/docker.sock")]
    found = next((other for other in others if str(other) != path and _is_socket(other)), None)
    todo = f"Another engine's socket is there. Use it:\n  export DOCKER_HOST=unix://{found}" if found else _START
    return EngineUnreachableError(
        f"there is no engine at {path}", why="The socket does not exist: no engine is running there.", todo=todo
    )


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except PermissionError:
        return False


def _root(error: BaseException) -> OSError | None:
    """Return the operating system's error at the bottom of what the libraries wrapped, or None."""
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    found: OSError | None = None
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and one.errno is not None:
            found = one
        pending += [inner for inner in (one.__cause__, one.__context__) if inner is not None]
        pending += [inner for inner in one.args if isinstance(inner, BaseException)]
    return found


def _explanation(error: sdk.APIError) -> str:
    return str(error.explanation or error)
