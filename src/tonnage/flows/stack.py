"""From flags to a stack, its settings and its policy: the half of every command that reads what the user wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.build_environment import PASSED, with_build_environment
from tonnage.decide.deploy.changes import with_what_is_built_on
from tonnage.decide.deploy.remote_mounts import moved
from tonnage.errors import UsageError
from tonnage.model.marks import marked
from tonnage.model.stack import Stack
from tonnage.runtime.checkout import checkout_of, origin_of
from tonnage.runtime.load_stack import StackRequest, load_stack, require_services
from tonnage.runtime.settings import ask_hosts, failure_call, policy, rank
from tonnage.sources.compose.file_selection import FILE_NAMES, STACK_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.flows.ports import StackPorts
    from tonnage.flows.requests import Allowed, StackFlags
    from tonnage.model.deploy.failure_call import FailureCall
    from tonnage.model.deploy.policy import Policy, Setting
    from tonnage.model.inventory import Inputs
    from tonnage.model.stack import PullWhen, Service


class DesiredState(Struct, frozen=True, kw_only=True):
    """What the user wants: the stack, the settings ranked by strength, and the engine's address as typed.

    Args:
        untrusted: The stack's files are a stranger's.
        on_failure: Who is told of a deploy that failed; None for nobody.
        ask_hosts: Hosts that a forecast asks although it would not; ``all`` for every one.
    """

    stack: Stack
    settings: tuple[Setting, ...]
    policy: Policy
    services: tuple[str, ...]
    host: str = ""
    untrusted: bool = False
    ask_hosts: tuple[str, ...] = ()
    on_failure: FailureCall | None = None


def read_wanted(
    ports: StackPorts, flags: StackFlags, *, builds: bool = True, forecasts: bool = True, runs: bool = True
) -> DesiredState:
    """Read the stack and rank its settings.

    Args:
        builds: Check that build contexts and Dockerfiles are there.
        runs: Its containers may be started, so what only they need has to be there as well.
        forecasts: Also find what the stack holds of the environment, which no forecast sends.

    Returns:
        What the user wants.

    Raises:
        UsageError: What the user wrote cannot be read or used; the message says where.
    """
    request = stack_request(ports, flags)
    environment = ports.environment
    if flags.untrusted:
        # What says which stack is meant is the user's; everything else comes from the files.
        environment = {name: value for name, value in environment.items() if name in STACK_VARIABLES}
        root = checkout_of(request, environment)
        try:
            stack = load_stack(request, environment=environment, compose=None, builds=builds, runs=runs, within=root)
        except UsageError as error:
            if "variable" in f"{error.what}{error.why}":
                error.why = f"{error.why}\n--untrusted puts in no variable of the environment.".lstrip()
            raise
    else:
        stack = load_stack(
            request,
            environment=environment,
            compose=ports.programs.compose(),
            builds=builds,
            marks=forecasts,
            runs=runs,
        )
        stack = replace(stack, origin=origin_of(stack.directory))
    require_services(stack, flags.services)
    if builds:
        stack = build_environment_of(ports, stack, environment)
    if flags.place:
        stack = moved(stack, flags.place)
    ranked = rank(stack, environment=ports.environment, flags=flags.settings)
    return DesiredState(
        stack=stack,
        settings=ranked,
        policy=policy(ranked),
        services=flags.services,
        host=flags.host,
        untrusted=flags.untrusted,
        ask_hosts=ask_hosts(ranked),
        on_failure=failure_call(stack, ports.environment),
    )


def stack_request(ports: StackPorts, flags: StackFlags) -> StackRequest:
    """Return which stack is meant."""
    return StackRequest(
        files=flags.files,
        directory=flags.project_directory,
        project_name=flags.project_name,
        profiles=flags.profiles,
        services=flags.services,
        env_files=flags.env_files,
        working_directory=ports.working_directory,
    )


def build_environment_of(ports: StackPorts, stack: Stack, environment: Mapping[str, str]) -> Stack:
    """Return a stack whose builds get the well-known variables that their Dockerfiles declare."""

    def given(service: Service) -> Service:
        if service.build is None:
            return service
        declared = ports.files.declared_arguments(service.build)
        new = with_build_environment(service, declared, environment)
        if new is service and service.marked is None:
            return new
        told = {name: marked(environment[name]) for name in PASSED if environment.get(name)}
        held = tuple(dict.fromkeys((*service.held, *(pair for pair in told.items() if pair[0] in declared))))
        return replace(new, marked=with_build_environment(service.marked or service, declared, told), held=held)

    services = tuple(map(given, stack.services))
    return stack if services == stack.services else replace(stack, services=services)


def read_inputs(ports: StackPorts, stack: Stack) -> tuple[Inputs, ...]:
    """Return what every built service's build would read now.

    Raises:
        UsageError: A Dockerfile or a context is missing.
    """
    own = {service.name: ports.files.inputs(service) for service in stack.services if service.build is not None}
    return tuple(with_what_is_built_on(stack, own).values())


def for_build(wanted: DesiredState, *, push: bool, cleanup_after: bool) -> DesiredState:
    """Return what is wanted of the build half alone.

    Building is for what comes after it, so images are removed only where that was typed: the setting ``cleanup-after``
    speaks about deploys.
    """
    return replace(wanted, policy=replace(wanted.policy, push=push, cleanup_after=cleanup_after))


def for_deploy(
    wanted: DesiredState, allowed: Allowed, *, pull: PullWhen | None = None, no_build: bool = False
) -> DesiredState:
    """Return what is wanted of a deploy.

    Args:
        allowed: What is done only where it is typed.
        pull: When images are pulled, whatever is written.
        no_build: Nothing is built.
    """
    typed = replace(wanted.policy, again=allowed.again, remove_orphans=allowed.remove_orphans, adopt=allowed.adopt)
    return replace(wanted, policy=replace(typed, pull=pull, no_build=no_build))


def read_if_there(ports: StackPorts, flags: StackFlags, *, forecasts: bool = False, runs: bool = True) -> DesiredState:
    """Read the stack if there is one here; otherwise return one without services, for commands about the engine.

    Args:
        forecasts: As for ``read_wanted``.
        runs: As for ``read_wanted``.

    Returns:
        What the user wants; the stack has no name when there is none.

    Raises:
        UsageError: There is a compose file, or one was named, and it cannot be read.
    """
    named = flags.files or flags.project_directory or flags.services or ports.environment.get("COMPOSE_FILE")
    here = Path(ports.working_directory)
    if named or any((directory / name).exists() for directory in (here, *here.parents) for name in FILE_NAMES):
        return read_wanted(ports, flags, builds=False, forecasts=forecasts, runs=runs)
    nothing = Stack(name="", directory=ports.working_directory, files=(), services=())
    ranked = rank(nothing, environment=ports.environment, flags=flags.settings)
    return DesiredState(stack=nothing, settings=ranked, policy=policy(ranked), services=())
