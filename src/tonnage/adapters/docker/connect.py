"""Finding the engine and connecting to it: which address is meant, whether it answers, whether it is new enough.

The address is, in this order: the one that was given, ``DOCKER_HOST``, the docker command's current context, the
default socket. ``ssh://`` goes through the user's own ``ssh`` program.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

from tonnage.adapters.docker import namespaces, sdk
from tonnage.adapters.docker import socket_get as short_question
from tonnage.adapters.docker.data_root import local_endpoint, usual_endpoint
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.ssh import client as ssh
from tonnage.errors import EngineLacksError, EngineUnreachableError, UsageError
from tonnage.tracing import trace_request
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import requests
    from docker import DockerClient
    from docker.tls import TLSConfig

    from tonnage.errors import TonnageError

_LOWEST = (1, 41)
# The newest that was tried on a real engine; one that no longer speaks it is spoken to in its own oldest.
_HIGHEST = (1, 51)
_TYPED_USAGE = (1, 42)
_MANIFESTS = (1, 47)
_VERBOSE_USAGE = (1, 52)
_ANSWER_WITHIN_S = 120
# An engine that starts answers late; longer than this nobody should have to look at nothing.
_FIRST_WITHIN_S = 30
_WHERE = """\
where=${DOCKER_HOST:-}
[ -n "$where" ] || where=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null)
[ -n "$where" ] || where=unix:///var/run/docker.sock
printf '%s\\n' "$where"
path=${where#unix://}
[ -S "$path" ] || { echo missing; exit; }
[ -w "$path" ] || { echo denied; exit; }
echo there
"""


class DockerConnection:
    """A connection to one engine; close it when done.

    Args:
        endpoint: How the engine is reached, as the docker command would be told.
        open_client: Opens the SDK's client, when it is first needed.
        api_version: The version of the API to speak.
        netns: Name or path of the network namespace in which the engine and its containers live; empty for this one.
        tunnel: The way to a remote engine, when there is one.
        opened: What is closed with the connection.
    """

    def __init__(
        self,
        endpoint: str,
        open_client: Callable[[], DockerClient],
        api_version: str,
        netns: str = "",
        tunnel: ssh.Tunnel | None = None,
        opened: contextlib.ExitStack | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.api_version = api_version
        self.netns = netns
        self._open_client = open_client
        self._client: DockerClient | None = None
        self._tunnel = tunnel
        self._opened = opened or contextlib.ExitStack()
        self._doors: dict[str, ssh.Tunnel] = {}
        self._lock = threading.Lock()

    @property
    def client(self) -> DockerClient:
        """The SDK's client."""
        with self._lock:
            if self._client is None:
                self._client = self._open_client()
            return self._client

    @property
    def local(self) -> bool:
        """Whether the engine's socket is on this machine."""
        return self.endpoint.startswith("unix://")

    @property
    def door(self) -> str:
        """The address that programs on this machine are given.

        For ``ssh://`` it is the tunnel that is open already: Compose alone would open a connection of its own for
        every request, and Compose 1 cannot do so without further packages.
        """
        return f"unix://{self._tunnel.path}" if self._tunnel is not None else self.endpoint

    @property
    def typed_usage(self) -> bool:
        """Whether the engine can be asked for one kind of disk usage alone, and need not walk through everything."""
        return _numbers(self.api_version) >= _TYPED_USAGE

    @property
    def usage_of(self) -> dict[str, str]:
        """What else has to be said to be told how the disk is used, thing by thing."""
        return {"verbose": "1"} if _numbers(self.api_version) >= _VERBOSE_USAGE else {}

    @property
    def tells_manifests(self) -> bool:
        """Whether the engine can be asked for the manifests of its images."""
        return _numbers(self.api_version) >= _MANIFESTS

    def read(self, path: str, *, params: Mapping[str, str] | None = None, timeout_s: float = _ANSWER_WITHIN_S) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON that the engine answers to a GET. Only inside ``speaking_to``, as :meth:`ask`.

        Args:
            path: Below the version, such as ``/images/json``; names in it are quoted here.
            timeout_s: Seconds for which the engine may be silent.

        Raises:
            docker.errors.APIError: The engine refused.
        """
        if self.local:
            question = f"/v{self.api_version}{quote(path, safe='/:@')}{'?' if params else ''}{urlencode(params or {})}"
            found = short_question.answer(self.endpoint.removeprefix("unix://"), question, timeout_s)
            if found is not None:
                trace_request("GET", f"{self.endpoint}{question}")
                return found
        return self.ask("GET", path, params=params, timeout_s=timeout_s).json()

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | bool | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        stream: bool = False,
        timeout_s: float | None = _ANSWER_WITHIN_S,
    ) -> requests.Response:
        """Send one request of the API. Only inside :func:`tonnage.adapters.docker.error_translation.speaking_to`.

        Args:
            method: GET, POST or DELETE.
            path: Below the version, such as ``/images/json``; names in it are quoted here.
            body: What is sent, in pieces where it is long.
            stream: Leave the answer to be read line by line.
            timeout_s: Seconds for which the engine may be silent; None for ever.

        Returns:
            The reply; with ``stream`` its body is still to be read.

        Raises:
            sdk.APIError: The engine refused.
        """
        api = self.client.api
        _knock(self.endpoint)
        response = api.request(
            method,
            f"{api.base_url}/v{self.api_version}{quote(path, safe='/:@')}",
            params=params,
            headers=headers,
            data=body,
            stream=stream,
            timeout=timeout_s,
        )
        trace_request(method, f"{self.endpoint}/v{self.api_version}{path}", response.status_code)
        try:
            response.raise_for_status()
        except sdk.HTTPError as error:
            raise sdk.create_api_error_from_http_exception(error) from error
        return response

    def way_to(self, target: str) -> str:
        """Return the path of a local socket that leads to ``address:port`` as the engine's machine sees it.

        Only for ``ssh://``. The way stays open as long as the connection.
        """
        with self._lock:
            if target not in self._doors:
                self._doors[target] = ssh.Tunnel(self.endpoint, target)
            return self._doors[target].path

    def close(self) -> None:
        """Close the connection and every tunnel."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            for tunnel in self._doors.values():
                tunnel.close()
            self._doors.clear()
            self._opened.close()

    def __enter__(self) -> Self:
        """Return the connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def connect(environment: Mapping[str, str], host: str = "", *, netns: str = "") -> DockerConnection:
    """Connect to the engine that is meant.

    Args:
        environment: Where ``DOCKER_HOST``, ``DOCKER_CONTEXT`` and the TLS variables are looked up.
        host: The engine's address; empty to look it up.
        netns: Name (as of ``ip netns``) or path of the network namespace in which containers are reached; empty to
            take the one of the engine's own process, when that is not this one.

    Returns:
        The connection, which the caller closes.

    Raises:
        EngineUnreachableError: No socket, no permission, nobody listening, or ssh failed.
        EngineLacksError: The engine is older than 20.10, or runs Windows containers.
        UsageError: The address or the context is none.
    """
    local = local_endpoint(environment, host)
    version = _version_there(local) if local else ""
    if version:
        return DockerConnection(
            local,
            lambda: sdk.DockerClient(base_url=local, version=version, timeout=_ANSWER_WITHIN_S),
            version,
            netns or namespaces.of_listener(local.removeprefix("unix://")),
        )
    endpoint, tls = _endpoint(environment, host)
    if not endpoint.startswith("ssh://"):
        client = _client(endpoint, endpoint, tls)
        if endpoint.startswith("unix://"):
            netns = netns or namespaces.of_listener(endpoint.removeprefix("unix://"))
        return DockerConnection(endpoint, lambda: client, client.api.api_version, netns)
    with contextlib.ExitStack() as opened:
        opened.enter_context(ssh.sharing(endpoint))
        tunnel = ssh.Tunnel(endpoint, _remote_socket(endpoint))
        opened.callback(tunnel.close)
        client = _client(endpoint, f"unix://{tunnel.path}", None)
        return DockerConnection(endpoint, lambda: client, client.api.api_version, netns, tunnel, opened.pop_all())


def _version_there(endpoint: str) -> str:
    """Return the version of the API to speak with an engine on this machine; empty when it does not tell it plainly."""
    with speaking_to(endpoint, "reach the engine"):
        told = short_question.answer(endpoint.removeprefix("unix://"), "/version", _FIRST_WITHIN_S)
        return spoken_version(told) if isinstance(told, dict) and "ApiVersion" in told else ""


def _endpoint(environment: Mapping[str, str], host: str) -> tuple[str, TLSConfig | None]:
    """Return the address that is meant, and how to be sure of it."""
    with speaking_to(host or "the docker context", "find the engine"):
        from_environment = sdk.kwargs_from_env(environment=dict(environment) or {"": ""})
        if host:
            return _normal(host), from_environment.get("tls") if host.startswith("tcp://") else None
        if "base_url" in from_environment:
            return _normal(from_environment["base_url"]), from_environment.get("tls")
        name = environment.get("DOCKER_CONTEXT") or None
        try:
            context = sdk.ContextAPI.get_context(name)
        except Exception as error:
            raise UsageError(
                "the docker context cannot be read", why=str(error), todo="List them:\n  docker context ls"
            ) from error
        if context is None:
            raise UsageError(
                f"there is no docker context {name or ''!s}".rstrip(), todo="List them:\n  docker context ls"
            )
        # The context called default always says the machine's socket.
        named = context.Host if context.Name != "default" else ""
        return _normal(named or usual_endpoint(environment)), context.TLSConfig


def _normal(address: str) -> str:
    """Return an address as the docker command writes it."""
    for written, meant in (("http+unix://", "unix://"), ("http://", "tcp://"), ("https://", "tcp://")):
        if address.startswith(written):
            address = meant + address.removeprefix(written)
    if address.startswith("/"):
        address = f"unix://{address}"
    if not address.startswith(("unix:///", "tcp://", "ssh://")):
        raise UsageError(
            f"{address!r} is not an engine's address",
            todo="Write unix:///path/to/docker.sock, ssh://user@host or tcp://host:2376.",
        )
    return address


def _client(endpoint: str, base_url: str, tls: TLSConfig | None) -> DockerClient:
    """Return a client that speaks a version of the API which both sides know."""
    with speaking_to(endpoint, "reach the engine"):
        _knock(base_url)
        first = sdk.DockerClient(base_url=base_url, version="1.41", timeout=_FIRST_WITHIN_S, tls=tls or False)
        try:
            told = first.api.version(api_version=False)
        except (sdk.NotFound, ValueError) as error:
            raise _no_engine(endpoint) from error
        except sdk.APIError as error:
            raise EngineUnreachableError(
                f"the engine at {endpoint} does not tell its version", why=str(error.explanation or error)
            ) from error
        finally:
            first.close()
        if not isinstance(told, dict) or "ApiVersion" not in told:
            raise _no_engine(endpoint)
        return sdk.DockerClient(
            base_url=base_url, version=spoken_version(told), timeout=_ANSWER_WITHIN_S, tls=tls or False
        )


def _no_engine(endpoint: str) -> EngineUnreachableError:
    return EngineUnreachableError(
        f"what answers at {endpoint} is not a Docker engine",
        todo="Check the address: -H, DOCKER_HOST or the docker context.",
    )


def _knock(base_url: str) -> None:
    """Fail at once when a local engine does not listen: the SDK would leave its own socket open then.

    Raises:
        OSError: The socket is not there, refuses this user, or nobody listens.
    """
    if base_url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(base_url.removeprefix("unix://"))


def spoken_version(told: Mapping[str, str]) -> str:
    """Return the version of the API to speak.

    Raises:
        EngineLacksError: The engine is older than 20.10, or runs Windows containers.

    Source: "API version matrix" of the Docker Engine API documentation: 20.10 speaks 1.41; 29 no longer 1.43 and below.
    """
    if told.get("Os", "linux") == "windows":
        raise EngineLacksError(
            "this engine runs Windows containers",
            todo="Switch Docker Desktop to Linux containers, or name another engine by DOCKER_HOST.",
        )
    spoken = told.get("ApiVersion", "0")
    newest, oldest = _numbers(spoken), _numbers(told.get("MinAPIVersion", "0"))
    if newest < _LOWEST:
        raise EngineLacksError(
            f"the engine is too old: Docker {told.get('Version', '?')}",
            why=f"It speaks version {spoken} of the API; Docker 20.10 and later speak 1.41.",
            todo="Upgrade it: https://docs.docker.com/engine/install/",
        )
    return ".".join(map(str, max(oldest, min(newest, _HIGHEST))))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(number for part in str(version).split(".") if (number := told_count(part)) is not None)


def _remote_socket(endpoint: str) -> str:
    """Return the path of the engine's socket on the machine behind ``ssh://``."""
    done = ssh.run_there(endpoint, _WHERE)
    where, _, state = done.stdout.strip().partition("\n")
    if done.exit_code or not where.startswith("unix://"):
        raise EngineUnreachableError(
            f"the engine at {endpoint} has no socket to reach it by",
            why=done.stderr.strip() or f"There the docker command is told to use {where}.",
            todo="Let it listen on a unix socket there.",
        )
    path = where.removeprefix("unix://")
    failures: dict[str, TonnageError] = {
        "missing": EngineUnreachableError(
            f"there is no engine at {path} on {endpoint}",
            why="The socket does not exist: no engine is running there.",
            todo=f"Start it:\n  ssh {ssh.for_people(endpoint)} sudo systemctl start docker",
        ),
        "denied": EngineUnreachableError(
            f"no permission on the engine's socket {path} on {endpoint}",
            why="The user there may not write to it.",
            todo="Join the group there, then log in again:\n  sudo usermod -aG docker $USER",
        ),
    }
    if state in failures:
        raise failures[state]
    return path
