"""Pulls that go on: which programs ask for them, and whether the engine downloads anything."""

from __future__ import annotations

from msgspec import Struct


class Client(Struct, frozen=True, kw_only=True):
    """A program that may have asked an engine to pull, as it was found among the processes.

    Args:
        pid: Its process.
        began_s: When it began, seconds since the epoch.
        arguments: Its command line.
        directory: Where it works; empty where that is not told.
        host: The engine that its environment names; empty for none, and where that is not told.
    """

    pid: int
    began_s: float
    arguments: tuple[str, ...]
    directory: str = ""
    host: str = ""


class Traffic(Struct, frozen=True, kw_only=True):
    """What was seen of pulls on an engine's machine.

    Args:
        clients: Programs of the kind that asks for pulls.
        downloading: Whether the engine downloads layers now; None where that may not be looked at.
    """

    clients: tuple[Client, ...] = ()
    downloading: bool | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """What a client asked for.

    Args:
        client: Which.
        who: How people know it: ``docker compose pull (1234)``.
        host: The engine that it asks; empty for the usual one, or where that is not told.
        only_pulls: Whether it ends with the pull; others go on to run what was pulled.
        words: What may be names of images.
        compose: Whether it reads a compose file.
        files: Those that it named.
        project_directory: The directory that it named.
        project_name: The name that it named.
        env_files: Files of variables that it named.
    """

    client: Client
    who: str
    host: str
    only_pulls: bool
    words: tuple[str, ...] = ()
    compose: bool = False
    files: tuple[str, ...] = ()
    project_directory: str = ""
    project_name: str = ""
    env_files: tuple[str, ...] = ()


class Pulling(Struct, frozen=True):
    """A pull that goes on.

    Args:
        since_s: When it began, seconds since the epoch; what came since then is what it is for.
        who: Who asked for it, for people.
    """

    since_s: float
    who: str
