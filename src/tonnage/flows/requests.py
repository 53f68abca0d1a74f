"""What is asked of a use case, as the command line or a program says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, field

from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    """

    offline: bool = False
    probe: bool = False
    untrusted: bool = False
    ask_hosts: tuple[str, ...] = ()
    from_registries: tuple[str, ...] = ()


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
