"""Compose: bringing one service up, starting a container of its new version first, reading a stack as Compose does.

The project is handed over as a private file, so that nothing depends on what the user's files say by then. Nothing is
built here and nothing is pulled: those are steps of their own.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tonnage.adapters import process
from tonnage.adapters.docker.compose.labelled import LabelledDoor
from tonnage.adapters.docker.compose.project_file import (
    for_start_first,
    for_switch,
    with_values,
)
from tonnage.adapters.docker.compose.v1 import INSTALL_COMPOSE_2
from tonnage.adapters.docker.progress import LOG_LINES, plain_text
from tonnage.errors import EngineLacksError, EngineUnreachableError, ReserveCrossedError, StepFailedError, UsageError
from tonnage.lazily import regex
from tonnage.own_files import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tonnage.adapters.docker.tools import ComposeTool
    from tonnage.adapters.interface import Cancel
    from tonnage.errors import TonnageError
    from tonnage.model.stack import ComposeMapping

_CONFIG_TIMEOUT_S = 120.0
_NEEDED = frozenset(
    {
        "HOME", "PATH", "PWD", "TMPDIR", "USER", "LANG", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG",
        "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION", "DOCKER_CLI_PLUGIN_EXTRA_DIRS",
    }
)  # fmt: skip
_NEEDED_BEGINNINGS = ("COMPOSE_", "LC_", "XDG_")
# Who wants stacks from repositories says so in the environment.
_NOTHING_FETCHED = {"COMPOSE_EXPERIMENTAL_GIT_REMOTE": "0", "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "0"}
_PORT_TAKEN = regex(
    r"Bind for \S*?:(?P<bound>\d+) failed: port is already allocated"
    r"|listen \w+ \S*?:(?P<listened>\d+): bind: address already in use"
    r"|failed to bind host port (?:for )?\S*?:(?P<host>\d+)[:/]\S*: address already in use"
)
_OF_TLS = frozenset({"DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"})
_NO_ENGINE = ("cannot connect to the docker daemon", "couldn't connect to docker daemon", "error during connect")
_REJECTED = ("unsupported config option", "the compose file", "additional properties", "additional property")
_PREFIX = regex(r"(?:ERROR: |Error response from daemon: |for \S+ +|Cannot (?:start|create)[^:]*: )+")


def switch(
    tool: ComposeTool,
    project: str,
    directory: str,
    service: str,
    definition: ComposeMapping,
    *,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    holder: Callable[[int], str],
    cancel: Cancel,
    labels: Mapping[str, str],
    recreate: bool = False,
    kept: bool = False,
    values: Mapping[str, str] | None = None,
    held: Sequence[int] = (),
) -> None:
    """Bring one service to its configuration: ``up -d --no-build --no-deps``.

    Args:
        holder: Says who publishes a port of the host, for the message when it is taken.
        labels: What containers are given of where the stack was read.
        recreate: Make containers anew although nothing changed for Compose.
        kept: Make none anew although something changed for Compose.
        values: Variables that secrets and configs take their content from.
        held: Descriptors of locks that last until Compose has ended, though this process be killed before.

    Raises:
        StepFailedError: Compose failed or was stopped.
        ReserveCrossedError: It failed because the disk is full.
        EngineLacksError: This Compose cannot do what the project asks for.
        EngineUnreachableError: The engine does not answer it.
    """
    forced = ["--force-recreate"] if recreate else ["--no-recreate"] if kept else []
    arguments = ["up", "-d", "--no-build", "--no-deps", *forced, "--", service]
    definition, given = with_values(definition, values or {})
    text = for_switch(definition, tool.generation)
    failed = run(tool, project, directory, text, arguments, {**environment, **given}, on_line, cancel, labels, held)
    if failed is not None:
        raise _failure(failed, f"{service} could not be brought up", tool, holder, cancel)


def start_first(
    tool: ComposeTool,
    project: str,
    directory: str,
    service: str,
    definition: ComposeMapping,
    container_name: str,
    *,
    environment: Mapping[str, str],
    cancel: Cancel,
    labels: Mapping[str, str],
    values: Mapping[str, str] | None = None,
    held: Sequence[int] = (),
) -> None:
    """Start one further container of a service: ``run -d``, without host ports, alias and restart policy.

    Raises:
        StepFailedError: Compose failed or was stopped.
        ReserveCrossedError: It failed because the disk is full.
        EngineLacksError: This Compose cannot do what the project asks for.
        EngineUnreachableError: The engine does not answer it.
    """
    arguments = ["run", "-d", "-T", "--no-deps", "--name", container_name, "--", service]
    definition, given = with_values(definition, values or {})
    text = for_start_first(definition, service, tool.generation)
    given = {**environment, **given}
    failed = run(tool, project, directory, text, arguments, given, lambda _: None, cancel, labels, held)
    if failed is not None:
        raise _failure(failed, f"{container_name} could not be started", tool, lambda _: "", cancel)


def make_more(
    tool: ComposeTool,
    project: str,
    directory: str,
    service: str,
    definition: ComposeMapping,
    scale: int,
    *,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    cancel: Cancel,
    values: Mapping[str, str] | None = None,
    labels: Mapping[str, str],
    held: Sequence[int] = (),
) -> None:
    """Make containers of a service until there are ``scale``, start none and leave those that are there alone.

    Raises:
        StepFailedError: Compose failed or was stopped.
        ReserveCrossedError: It failed because the disk is full.
        EngineLacksError: This Compose cannot do what the project asks for.
        EngineUnreachableError: The engine does not answer it.
    """
    arguments = ["up", "--no-start", "--no-build", "--no-deps", "--no-recreate", "--scale", f"{service}={scale}"]
    definition, given = with_values(definition, values or {})
    text = for_switch(definition, tool.generation)
    command = [*arguments, "--", service]
    failed = run(tool, project, directory, text, command, {**environment, **given}, on_line, cancel, labels, held)
    if failed is not None:
        raise _failure(failed, f"more containers of {service} could not be made", tool, lambda _: "", cancel)


class ConfigRequest(Protocol):
    """Which stack is to be read, as Compose's own flags say it."""

    @property
    def files(self) -> tuple[str, ...]:
        """Compose files, in the order of merging; none to let Compose look for them."""

    @property
    def directory(self) -> str:
        """The project directory; empty for that of the first file."""

    @property
    def project_name(self) -> str:
        """The project's name; empty to let Compose find it."""

    @property
    def profiles(self) -> tuple[str, ...]:
        """Profiles to activate."""

    @property
    def env_files(self) -> tuple[str, ...]:
        """Files with variables; none for ``.env``."""

    @property
    def working_directory(self) -> str:
        """Where relative paths start."""

    @property
    def variables(self) -> Collection[str] | None:
        """The variables that the files may mean; None for all."""


class ComposeText:
    """Compose 2's own loader, which starts and fetches nothing: a stack may name repositories to include.

    It is given the variables that the files mean and those that it needs itself, and of the user's nothing else.

    Source: Compose 2.26 and 2.40, tried; they heed no ``.env`` for what the environment says.

    Args:
        tool: A Compose of the second generation.
    """

    def __init__(self, tool: ComposeTool, environment: Mapping[str, str]) -> None:
        self._tool = tool
        self._environment = dict(environment)

    @property
    def version(self) -> str:
        """Which version it is."""
        return self._tool.version

    def config(self, request: ConfigRequest) -> str:
        """Return the resolved stack as JSON, or as YAML where Compose cannot write JSON; every ``$`` is doubled.

        Raises:
            UsageError: Compose refuses the files; its words are the reason.
        """
        try:
            return self._printed(request, "--format", "json")
        except UsageError as error:
            # Keys of build.ssh, say. Source: Compose 2.26 and 2.40, tried.
            if "error calling MarshalJSON" not in error.why:
                raise
            return self._printed(request)

    def config_in_yaml(self, request: ConfigRequest) -> str:
        """Return the same as YAML, which has ``x-`` keys of services.

        Raises:
            UsageError: As for JSON.
        """
        return self._printed(request)

    def _printed(self, request: ConfigRequest, *form: str) -> str:
        command = [*self._tool.command]
        command += ["--project-name", request.project_name] if request.project_name else []
        command += ["--project-directory", request.directory] if request.directory else []
        for option, values in (
            ("--file", request.files),
            ("--env-file", request.env_files),
            ("--profile", request.profiles),
        ):
            for value in values:
                command += [option, value]
        done = process.run(
            [*command, "config", *form],
            environment=self._given(request.variables),
            directory=request.working_directory,
            timeout_s=_CONFIG_TIMEOUT_S,
        )
        if done.exit_code:
            raise UsageError("Compose refuses the stack's files", why=_reason(done.stderr.splitlines()))
        return done.stdout

    def _given(self, variables: Collection[str] | None) -> dict[str, str]:
        kept = {
            name: value
            for name, value in self._environment.items()
            if variables is None or name in variables or name in _NEEDED or name.startswith(_NEEDED_BEGINNINGS)
        }
        return {**_NOTHING_FETCHED, **kept}


def run(
    tool: ComposeTool,
    project: str,
    directory: str,
    text: str,
    arguments: list[str],
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    cancel: Cancel,
    labels: Mapping[str, str] | None = None,
    held: Sequence[int] = (),
) -> list[str] | None:
    """Run Compose on a private project file.

    Args:
        text: What the file says.
        labels: What containers are given that it makes; None where it makes none.
        held: Descriptors of locks that last until it has ended.

    Returns:
        Its last lines when it failed, None when it did not.
    """
    last: deque[str] = deque(maxlen=LOG_LINES)

    with temporary_directory("compose", for_socket=labels is not None) as private:

        def hear(line: str) -> None:
            # Where the file lay for a moment tells people nothing.
            told = plain_text(line).strip().replace(f"{private}/", "")
            if told:
                last.append(told)
                on_line(told)

        file, variables = Path(private, "compose.json"), Path(private, "empty.env")
        # It may hold secrets: nobody else reads it, and it is gone with its directory.
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
        # An empty file instead of the project's .env: that could set COMPOSE_REMOVE_ORPHANS and the like.
        variables.touch()
        command = [*tool.command, "--ansi", "never", "--project-name", project, "--project-directory", directory]
        with _aimed(private, {**environment, "COMPOSE_IGNORE_ORPHANS": "1"}, labels) as aimed:
            exit_code = process.stream(
                [*command, "--file", str(file), "--env-file", str(variables), *arguments],
                environment=aimed,
                directory=private,
                on_line=hear,
                cancel=cancel,
                held=held,
            )
    return list(last) if exit_code else None


@contextmanager
def _aimed(
    private: str, environment: Mapping[str, str], labels: Mapping[str, str] | None
) -> Iterator[Mapping[str, str]]:
    """Give the environment in which Compose makes containers with labels of ours; None where it makes none."""
    if labels is None:
        yield environment
        return
    secure = environment["DOCKER_CERT_PATH"] if environment.get("DOCKER_TLS_VERIFY") else ""
    with LabelledDoor(private, environment["DOCKER_HOST"], labels, secure) as door:
        kept = {name: value for name, value in environment.items() if name not in _OF_TLS}
        yield {**kept, "DOCKER_HOST": f"unix://{door.path}"}


def _failure(
    lines: list[str], what: str, tool: ComposeTool, holder: Callable[[int], str], cancel: Cancel
) -> TonnageError:
    """Return what Compose's last lines mean."""
    text = "\n".join(lines)
    lowered = text.lower()
    reason = _reason(lines)
    if cancel.is_set():
        return StepFailedError(f"{what}: it was stopped", log=text)
    taken = _PORT_TAKEN.search(text)
    if taken:
        port = int(taken["bound"] or taken["listened"] or taken["host"])
        return StepFailedError(
            f"{what}: port {port} of the host is taken",
            why=f"It is held by {holder(port) or 'a program outside this engine'}.",
            todo="Stop that one, or publish another port in the compose file.",
            log=text,
        )
    if "no space left on device" in lowered:
        return ReserveCrossedError(
            f"{what}: the disk is full", why=reason, todo="See what can be freed:\n  tonnage reclaim", log=text
        )
    if any(words in lowered for words in _NO_ENGINE):
        return EngineUnreachableError(f"{what}: the engine does not answer Compose", why=reason)
    first = tool.generation == 1
    if first and "keyerror: 'containerconfig'" in lowered:
        return EngineLacksError(
            f"{what}: Compose {tool.version} is too old for this engine",
            why="It expects a field of an image that newer engines no longer tell.",
            todo=INSTALL_COMPOSE_2,
            log=text,
        )
    if first and any(words in lowered for words in _REJECTED):
        return EngineLacksError(
            f"{what}: Compose {tool.version} does not know everything that this stack uses",
            why=text,
            todo=INSTALL_COMPOSE_2,
        )
    return StepFailedError(what, why=reason, log=text)


def _reason(lines: list[str]) -> str:
    """Return the line that says why: the last that speaks of an error, else the last."""
    told = [line.strip() for line in lines if line.strip()]
    errors = [line for line in told if "error" in line.lower() and not line.startswith("Encountered errors")]
    chosen = (errors or told or ["Compose gave no reason."])[-1]
    return _PREFIX.sub("", chosen, count=1) if _PREFIX.match(chosen) else chosen
