"""What is asked of a use case, as the command line or a program says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, field

from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.forecast.gather.single_flight import SingleFlight
    from tonnage.model.stack import Service

_Value = TypeVar("_Value")


class Allowed(Struct, frozen=True, kw_only=True):
    """What a deploy does only where it is typed.

    Args:
        again: Deploy what was rolled away from.
        remove_orphans: Remove the containers of services that are in no file any more.
        adopt: Take over the containers of another stack of the same name.
    """

    again: bool = False
    remove_orphans: bool = False
    adopt: bool = False


class StackFlags(Struct, frozen=True, kw_only=True):
    """Which stack and which engine, as the command line says it; empty where nothing was said.

    Args:
        files: Compose files, as ``-f`` names them.
        project_name: The project's name, instead of that of its directory.
        project_directory: The directory that relative paths start from.
        env_files: Files of variables, instead of ``.env``.
        profiles: Profiles that are active.
        host: The engine's address.
        place: The project directory on the engine's machine, where files are sent to it.
        services: The services that are meant; empty for all.
        untrusted: The stack's files are a stranger's: nothing outside of the checkout is read, no variable of the
            environment is put in, and only servers that everybody knows or the user configured are asked.
        settings: Settings by key, as in ``x-tonnage``, such as ``{"keep-free": "2GB"}``.
    """

    files: tuple[str, ...] = ()
    project_name: str = ""
    project_directory: str = ""
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    host: str = ""
    place: str = ""
    services: tuple[str, ...] = ()
    untrusted: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


class LookupScope(Struct, frozen=True, kw_only=True):
    """What may be asked for a forecast.

    Args:
        offline: No server.
        probe: A base image may be started in a throw-away container to ask its own package manager.
        untrusted: Only servers that everybody knows, and those that the user configured.
        ask_hosts: Further ones that the user lets be asked; ``all`` for every public one.
        from_registries: Images that are asked of their registries although the engine has some of that name, and
            whatever was asked before.
        answers: What was found out before on the same engine, and gets what is found out; None for nothing.
    """

    offline: bool = False
    probe: bool = False
    untrusted: bool = False
    ask_hosts: tuple[str, ...] = ()
    from_registries: tuple[str, ...] = ()
    answers: SingleFlight | None = None


class ForecastRequest(Struct, frozen=True, kw_only=True):
    """How forecasts are asked for.

    Args:
        platform: The platform to forecast for; empty for the engine's, and what each service says.
        python: The version of Python; empty for that of each image.
        probe: A base image may be started in a throw-away container.
        assume_bytes: What is assumed for what nobody knows.
        within_s: After so many seconds what is not known yet is given up; None for no limit.
        stack: The stack that lessons of earlier runs are looked up for.
        directory: The project directory of the stack: nothing is quoted of files outside of its repository.
        builders: The services of the stack that are built: others may stand on their images.
        refuses_circles: Services that are built on each other in a circle are a failure of the whole.
        untrusted: Only servers that everybody knows or the user configured are asked.
        ask_hosts: Hosts that are asked all the same; ``all`` for every one.
        packed: Services whose images are only pushed, without being unpacked.
        from_registries: Images that are asked of their registries although the engine has some of that name.
        dockerfiles: Dockerfiles as they would be with a change, by context and name.
        pins: Versions that packages would have, by name.
        fresh: For an engine that has nothing yet: of the one that is here only base images are read.
        answers: What was found out before on the same engine, and gets what is found out; None for nothing.
    """

    assume_bytes: int
    platform: str = ""
    python: str = ""
    offline: bool = False
    probe: bool = False
    within_s: float | None = None
    stack: str = ""
    directory: str = ""
    builders: tuple[Service, ...] = ()
    refuses_circles: bool = False
    untrusted: bool = False
    ask_hosts: tuple[str, ...] = ()
    fresh: bool = False
    packed: frozenset[str] = frozenset()
    from_registries: tuple[str, ...] = ()
    dockerfiles: Mapping[tuple[str, str], str] = {}
    pins: Mapping[str, str] = {}
    answers: SingleFlight | None = None


class ReclaimRequest(Struct, frozen=True, kw_only=True):
    """What is to be freed; without a target everything that may go is chosen.

    Args:
        until_bytes: Stop when so much is available.
        free_bytes: Free so much on top of what is available.
        plan_file: As much as this saved plan needs.
        everything: Remove all that may go.
        keep: Patterns of names that stay.
        only: Kinds that may go; empty for all.
        volumes: Names of volumes that may go too.
        mount: The filesystem under this path; empty for the engine's.
        root: Look for directories below this one; empty for this machine.
        disposable: Installed toolchains may go too.
        yes: Remove what was chosen.
        unattended: Nobody has seen what goes: of what cannot be had again only logs may.
    """

    until_bytes: int | None = None
    free_bytes: int | None = None
    plan_file: str = ""
    everything: bool = False
    keep: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    mount: str = ""
    root: str = ""
    disposable: bool = False
    yes: bool = False
    unattended: bool = False


class ForecastOptions(Struct, frozen=True, kw_only=True):
    """What is forecast, as the user says it.

    Args:
        explain: A service that is to be among those forecast; empty for none.
        platform: The platform; empty for the engine's.
        python: The version of Python; empty for the image's.
        engine: The kind of engine; empty for the one that is here.
        disk_bytes: The size of an empty disk; None for the engine's.
        probe: Base images may be started.
        push: Images are pushed, as ``build --push`` does.
    """

    explain: str = ""
    platform: str = ""
    python: str = ""
    engine: str = ""
    disk_bytes: int | None = None
    probe: bool = False
    push: bool = False
    offline: bool = False


def typed_value(option: str, text: str, read: Callable[[str], _Value]) -> _Value:
    """Read what was typed for an option; what is wrong about it is told with the option's name.

    Raises:
        UsageError: The value is none.
    """
    try:
        return read(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error.what}", why=error.why, todo=error.todo) from None
